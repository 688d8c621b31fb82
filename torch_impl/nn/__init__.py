"""The layers of torch.nn: names, arguments, defaults, initial distributions, state and layouts are torch's.

A parameter has torch's name and layout, an input torch's order of axes (channels first), so that a torch state_dict
loads as it is. What torch's constructors take as device is left out; dtype is given by name.

References:
    PyTorch, torch.nn.
"""

from torch_impl.nn import init
from torch_impl.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from torch_impl.nn.flatten import Flatten, Unflatten
from torch_impl.nn.linear import Bilinear, Identity, Linear
from torch_impl.nn.module import Buffer, Module, Parameter
from torch_impl.nn.recurrence import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from torch_impl.nn.state import IncompatibleKeys, load_state_dict, state_dict

__all__ = [
    "init",
    "Module",
    "Parameter",
    "Buffer",
    "state_dict",
    "load_state_dict",
    "IncompatibleKeys",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",
    "Flatten",
    "Unflatten",
    "Identity",
    "Linear",
    "Bilinear",
    "RNNCell",
    "LSTMCell",
    "GRUCell",
    "RNN",
    "LSTM",
    "GRU",
]
