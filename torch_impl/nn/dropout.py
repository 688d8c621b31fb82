"""Layers of dropout: of elements or of whole channels, to 0 or to the value at which selu saturates.

In training each call draws a mask from the layer's own stream, or takes the one that is given.
"""

from torch.nn import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
