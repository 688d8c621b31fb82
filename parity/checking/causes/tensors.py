"""How ports of any layer go wrong: a bias that is missing, a row that trains, a mask, a dtype of its own."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.checking.causes.emulated import NORMS, is_a, overridden, with_tensors
from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step
from parity.sides.inputs import leaves


def missing_affine(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A bias or a scale that torch has and JAX has not."""
    carried = {n.partition(".")[2] for c in step.part.carried for n in c.names}
    for name, neutral, option in (("bias", 0.0, "use_bias=True"), ("weight", 1.0, "use_scale=True")):
        own = dict(module.named_parameters(recurse=False)).get(name)
        if own is None or name in carried or (name == "weight" and not is_a(module, *NORMS)):
            continue
        yield Suspect(
            f"no {'bias' if name == 'bias' else 'scale'}, torch has one",
            f"Without torch's {name}",
            f"nnx.{layer.kind}(..., {option})",
            "several converters",
            torch=with_tensors(lesson, step, **{name: neutral}),
        )


def masked_rows(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """An embedding whose padding row gets no gradient in torch."""
    row = getattr(module, "padding_idx", None)
    if row is not None and is_a(module, "Embedding"):
        yield Suspect(
            f"the gradient reaches row {row}, torch has padding_idx={row} and keeps it out",
            "Without padding_idx in torch",
            f"mask the gradient of row {row}, or optax.masked it",
            "torch.nn.Embedding",
            torch=overridden(lesson, step, padding_idx=None),
        )


def head_count(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """The number of heads of an attention layer: no weight has it in its shape in torch."""
    own, theirs = layer.attributes.get("num_heads"), getattr(module, "num_heads", None)
    if not is_a(module, "MultiheadAttention") or not own or own == theirs or module.embed_dim % own:
        return
    yield Suspect(
        f"{own} heads, torch has {theirs}",
        f"With {own} heads in torch",
        f"nnx.{layer.kind}(num_heads={theirs}, ...)",
        "several converters",
        torch=overridden(lesson, step, num_heads=own, head_dim=module.embed_dim // own),
    )


def attention_mask(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A boolean mask: True drops in torch's MultiheadAttention and keeps in flax's."""
    if not is_a(module, "MultiheadAttention"):
        return
    for path, leaf in leaves(step.meeting.arguments):
        if isinstance(leaf, np.ndarray) and leaf.dtype == bool:
            yield Suspect(
                "the boolean mask is torch's: True drops there and keeps in flax",
                "With the mask inverted",
                "mask=~mask",
                "transformers#19897, NeMo Automodel PR#2658",
                arguments={path: ~leaf},
            )


def low_dtype(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A layer that JAX computes at a dtype of its own, or by the fast formula of a variance."""
    dtype = layer.attributes.get("dtype")
    if dtype is not None and str(np.dtype(dtype).name) in ("bfloat16", "float16"):
        yield Suspect(
            f"the layer computes in {np.dtype(dtype).name}, torch at its input's dtype",
            "With dtype = None",
            f"nnx.{layer.kind}(..., dtype=None)",
            "openpi#738",
            {"dtype": None},
        )
    if layer.attributes.get("use_fast_variance"):
        yield Suspect(
            "the variance is E[x^2] - E[x]^2, torch subtracts the mean first",
            "With use_fast_variance = False",
            f"nnx.{layer.kind}(..., use_fast_variance=False)",
            "flax.linen.LayerNorm",
            {"use_fast_variance": False},
        )
