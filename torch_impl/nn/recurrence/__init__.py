"""Recurrent nets: single cells, and layers of them over a sequence, in one direction or in both."""

from torch_impl.nn.recurrence.cells import GRUCell, LSTMCell, RNNCell
from torch_impl.nn.recurrence.layers import GRU, LSTM, RNN

__all__ = ["RNNCell", "LSTMCell", "GRUCell", "RNN", "LSTM", "GRU"]
