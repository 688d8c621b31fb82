"""Layers of recurrent cells over a sequence, in one direction or in both.

What an input adds to the gates is one product for all of time; the rest is a scan.
"""

from torch.nn import GRU, LSTM, RNN

__all__ = ["RNN", "LSTM", "GRU"]
