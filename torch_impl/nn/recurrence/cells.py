"""Recurrent cells: a single step in time."""

from torch.nn import GRUCell, LSTMCell, RNNCell

__all__ = ["RNNCell", "LSTMCell", "GRUCell"]
