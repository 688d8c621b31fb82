"""The optimizers of torch.optim: one update rule a file, lifted to whole models in lift.py.

Each function has the name, the arguments and the defaults of torch's class, without the params and without the flags
that choose between torch's kernels (foreach, capturable, differentiable, fused), which change no formula.

References:
    PyTorch, torch.optim.
"""

from torch_impl.optim.adadelta import Adadelta
from torch_impl.optim.adafactor import Adafactor
from torch_impl.optim.adagrad import Adagrad
from torch_impl.optim.adam import Adam, AdamW
from torch_impl.optim.adamax import Adamax
from torch_impl.optim.arguments import at_least, within_unit
from torch_impl.optim.asgd import ASGD
from torch_impl.optim.lbfgs import LBFGS
from torch_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage
from torch_impl.optim.line_search import Point, cubic_minimum, strong_wolfe
from torch_impl.optim.muon import Muon, orthogonalized
from torch_impl.optim.nadam import NAdam
from torch_impl.optim.radam import RAdam
from torch_impl.optim.rmsprop import RMSprop
from torch_impl.optim.rprop import Rprop
from torch_impl.optim.sgd import SGD
from torch_impl.optim.sparse_adam import SparseAdam

__all__ = [
    "Optimizer",
    "lift",
    "decayed",
    "shrinkage",
    "bias_correction",
    "at_least",
    "within_unit",
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "ASGD",
    "Rprop",
    "Adafactor",
    "Muon",
    "orthogonalized",
    "SparseAdam",
    "LBFGS",
    "Point",
    "cubic_minimum",
    "strong_wolfe",
]
