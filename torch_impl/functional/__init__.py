"""The functions of torch.nn.functional, in plain functions of arrays.

References:
    PyTorch, torch.nn.functional.
"""

from torch_impl.functional.linear import bilinear, linear
from torch_impl.functional.recurrence import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell

__all__ = [
    "linear",
    "bilinear",
    "rnn_tanh_cell",
    "rnn_relu_cell",
    "lstm_cell",
    "gru_cell",
]
