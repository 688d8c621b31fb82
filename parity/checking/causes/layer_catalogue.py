"""What may be behind a layer's difference: one entry a known bug, read from both sides' configuration."""

from collections.abc import Iterator
from typing import Any

from parity.checking.causes import convolutions, norms, recurrence, tensors
from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step

CATALOGUE = (
    norms.epsilon,
    norms.group_count,
    norms.running_mode,
    norms.momentum,
    norms.biased_variance,
    tensors.missing_affine,
    convolutions.geometry,
    convolutions.turned,
    convolutions.transposed_geometry,
    tensors.masked_rows,
    tensors.head_count,
    tensors.attention_mask,
    recurrence.hidden_bias,
    recurrence.kept_order,
    recurrence.direction,
    recurrence.gate_functions,
    tensors.low_dtype,
)


def suspects(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Every entry of the catalogue whose trace is here.

    Args:
        lesson, step: The models, and the call.
        module: Torch's module.
        layer: The JaxLayer.

    Yields:
        Suspects, the likeliest first.
    """
    for entry in CATALOGUE:
        yield from entry(lesson, step, module, layer)
