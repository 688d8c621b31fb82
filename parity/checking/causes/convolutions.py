"""How ports of convolutions go wrong: padding, strides, dilation, the crop of a transposed one."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.checking.causes.emulated import is_a
from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step


def geometry(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Padding, strides, dilation and groups of a convolution."""
    if not is_a(module, "Conv1d", "Conv2d", "Conv3d") or module.padding_mode != "zeros":
        return
    size = len(module.kernel_size)
    if not isinstance(module.padding, str):
        wanted = tuple((p, p) for p in module.padding)
        own = layer.attributes.get("padding")
        if _pads(own, size) != wanted:
            side = "SAME puts the odd one last where the stride is 2" if own == "SAME" else "torch pads both ends alike"
            yield Suspect(
                f"padding {own!r}, torch has {module.padding}: {side}",
                f"With padding = {list(wanted)}",
                f"nnx.Conv(..., padding={list(wanted)})",
                "flax#2993, keras PR#16363, jax PR#12659",
                {"padding": wanted},
            )
    for name, torch in (("strides", "stride"), ("kernel_dilation", "dilation")):
        own, theirs = _many(layer.attributes.get(name), size), tuple(getattr(module, torch))
        if own != theirs:
            yield Suspect(
                f"{name} {own}, torch has {theirs}",
                f"With {name} = {theirs}",
                f"nnx.Conv(..., {name}={theirs})",
                "torch.nn.Conv2d",
                {name: theirs},
            )


def turned(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Height and width of the images, or of a kernel, exchanged."""
    if not is_a(module, "Conv2d") or module.kernel_size[0] != module.kernel_size[1]:
        return

    def exchanged(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            return own(inputs, {**parameters, "0.weight": parameters["0.weight"].transpose(2, 3)}, buffers)

        return run

    yield Suspect(
        "its kernel lies with height and width exchanged, or its images do",
        "With torch's kernel turned",
        "transpose images as jnp.transpose(x, (0, 2, 3, 1)), kernels as (2, 3, 1, 0)",
        "several converters",
        torch=exchanged,
    )


def transposed_geometry(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Padding and the kernel's flip of a transposed convolution."""
    if not is_a(module, "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"):
        return
    ends = [d * (k - 1) - p for d, k, p in zip(module.dilation, module.kernel_size, module.padding, strict=True)]
    wanted = tuple((e, e + o) for e, o in zip(ends, module.output_padding, strict=True))
    own = layer.attributes.get("padding")
    if _pads(own, len(ends)) != wanted:
        yield Suspect(
            f"transposed convolution with padding {own!r}, torch crops by {module.padding}",
            f"With padding = {list(wanted)}",
            f"nnx.ConvTranspose(..., padding={list(wanted)}, transpose_kernel=True)",
            "jax#11252, flax#1872",
            {"padding": wanted},
        )


def _many(value: Any, size: int) -> tuple[int, ...]:
    if value is None:
        return (1,) * size
    return (int(value),) * size if isinstance(value, (int, np.integer)) else tuple(int(v) for v in value)


def _pads(value: Any, size: int) -> Any:
    if isinstance(value, str) or value is None:
        return {"VALID": ((0, 0),) * size}.get(value or "", value)
    if isinstance(value, int):
        return ((value, value),) * size
    return tuple((int(p), int(p)) if isinstance(p, int) else tuple(int(v) for v in p) for p in value)
