"""The optimizers of torch.optim: one update rule a file, lifted to whole models in lift.py.

Each function has the name, the arguments and the defaults of torch's class, without the params and without the flags
that choose between torch's kernels (foreach, capturable, differentiable, fused), which change no formula.

References:
    PyTorch, torch.optim.
"""

from jax_impl.optim.adadelta import Adadelta
from jax_impl.optim.adafactor import Adafactor
from jax_impl.optim.adagrad import Adagrad
from jax_impl.optim.adam import Adam, AdamW
from jax_impl.optim.adamax import Adamax
from jax_impl.optim.arguments import at_least, within_unit
from jax_impl.optim.asgd import ASGD
from jax_impl.optim.lbfgs import LBFGS
from jax_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage
from jax_impl.optim.line_search import Point, cubic_minimum, strong_wolfe
from jax_impl.optim.muon import Muon, orthogonalized
from jax_impl.optim.nadam import NAdam
from jax_impl.optim.radam import RAdam
from jax_impl.optim.rmsprop import RMSprop
from jax_impl.optim.rprop import Rprop
from jax_impl.optim.sgd import SGD
from jax_impl.optim.sparse_adam import SparseAdam

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
