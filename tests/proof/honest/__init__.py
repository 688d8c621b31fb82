"""The table of honest pairs: single functions and blocks that must agree, each as its framework's users write it."""

from proof.honest.blocks import BLOCKS
from proof.honest.convolution import CONVOLUTION
from proof.honest.elementwise import ELEMENTWISE
from proof.honest.entry import DTYPES, SIZES, Honest
from proof.honest.indexing import INDEXING
from proof.honest.linear import LINEAR
from proof.honest.losses import LOSSES
from proof.honest.norms import NORMS
from proof.honest.optimizers import OPTIMIZERS
from proof.honest.recurrent import RECURRENT
from proof.honest.reductions import REDUCTIONS
from proof.honest.spectral import SPECTRAL

FAMILIES = {
    "reductions": REDUCTIONS,
    "elementwise": ELEMENTWISE,
    "linear": LINEAR,
    "convolution": CONVOLUTION,
    "norms": NORMS,
    "losses": LOSSES,
    "indexing": INDEXING,
    "blocks": BLOCKS,
    "recurrent": RECURRENT,
    "spectral": SPECTRAL,
    "optimizers": OPTIMIZERS,
}
TABLE: dict[str, Honest] = {entry.name: entry for family in FAMILIES.values() for entry in family}

__all__ = ["DTYPES", "FAMILIES", "SIZES", "TABLE", "Honest"]
