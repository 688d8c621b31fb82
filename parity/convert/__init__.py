"""Between the two frameworks: which weight of a torch model lies where in a JAX model, both ways."""

from parity.convert.layouts import Layout, LayoutError
from parity.convert.mapping import map_weights
from parity.convert.mapping_error import MappingError, Stop
from parity.convert.weight_map import Rule, WeightMap

__all__ = ["Layout", "LayoutError", "MappingError", "Rule", "Stop", "WeightMap", "map_weights"]
