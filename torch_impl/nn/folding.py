"""Windows as columns and back: layers of functional.unfold and functional.fold."""

from torch.nn import Fold, Unfold

__all__ = ["Unfold", "Fold"]
