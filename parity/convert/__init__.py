"""From torch to JAX and back: weights, optimizers, schedules, runs. A framework is imported by what needs it."""

from parity.convert import optim as optim
from parity.convert.layouts import Layout, LayoutError
from parity.convert.mapping import Onwards, map_onwards, map_weights
from parity.convert.mapping_error import MappingError, Stop
from parity.convert.weight_map import Rule, WeightMap

__all__ = [
    "Layout",
    "LayoutError",
    "MappingError",
    "Onwards",
    "Rule",
    "Stop",
    "WeightMap",
    "map_onwards",
    "map_weights",
    "optim",
]
