"""Gradient descent on any cost C(v): the rule, the size of a step, its direction, and where it ends.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1, "Learning with gradient descent".
"""

from torch_impl.descent.costs import (
    actual_change,
    false_minima,
    predicted_change,
    surface,
    valley,
    value_and_gradient,
)
from torch_impl.descent.steps import (
    Descent,
    OptimalStep,
    descend,
    descend_by_fixed_steps,
    optimal_step,
    sweep,
)

__all__ = [
    "valley",
    "false_minima",
    "surface",
    "value_and_gradient",
    "predicted_change",
    "actual_change",
    "OptimalStep",
    "optimal_step",
    "Descent",
    "descend",
    "sweep",
    "descend_by_fixed_steps",
]
