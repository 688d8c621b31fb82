"""What may be behind a layer's difference: one entry a known bug, read from both sides' configuration."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step
from parity.sides.inputs import leaves

NORMS = ("LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm", "InstanceNorm")


def configured(module: Any, layer: Any) -> Iterator[Suspect]:
    """The entries that two modules' configuration alone shows, without a run of either.

    Args:
        module: Torch's module.
        layer: The JaxLayer.

    Yields:
        Suspects; those without `attributes` cannot be patched on the JAX side.
    """
    for entry in CONFIGURATION:
        yield from entry(None, None, module, layer)


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


def epsilon(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """The constant under the root of a norm."""
    own, theirs = layer.attributes.get("epsilon"), getattr(module, "eps", None)
    if own is None or not hasattr(module, "eps") or own == theirs:
        return
    kind = _kind(module)
    if theirs is None:
        yield Suspect(
            f"{kind} eps {own:g}, torch has None, which is finfo(dtype).eps",
            f"With eps = {own:g} in torch",
            f"nnx.{layer.kind}(..., epsilon=jnp.finfo(x.dtype).eps)",
            "flax#2195",
            torch=_overridden(lesson, step, eps=own),
        )
        return
    yield Suspect(
        f"{kind} eps {own:g}, torch has {theirs:g}",
        f"With eps = {theirs:g}",
        f"nnx.{layer.kind}(..., epsilon={theirs:g})",
        "flax#2195",
        {"epsilon": theirs},
    )


def group_count(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """The number of groups of a GroupNorm."""
    own, theirs = layer.attributes.get("num_groups"), getattr(module, "num_groups", None)
    if own and theirs and own != theirs:
        size = module.num_channels // theirs
        attributes = {"num_groups": theirs} | ({"group_size": size} if layer.attributes.get("group_size") else {})
        yield Suspect(
            f"{own} groups, torch has {theirs}",
            f"With {theirs} groups",
            f"nnx.GroupNorm(..., num_groups={theirs})",
            "torch.nn.GroupNorm",
            attributes,
        )


def running_mode(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """BatchNorm that normalises by the batch on one side and by running statistics on the other."""
    if not _is(module, "BatchNorm"):
        return
    place = next((p for p, _ in leaves(step.meeting.arguments) if p == "1.use_running_average"), "")
    now = dict(leaves(step.meeting.arguments))[place] if place else layer.attributes.get("use_running_average")
    wanted = not (module.training or not module.track_running_stats)
    if now is None or bool(now) == wanted:
        return
    mode, other = ("eval", "train") if wanted else ("train", "eval")
    where: dict[str, Any] = {place: wanted} if place else {}
    yield Suspect(
        f"BatchNorm in {other} mode, torch is in {mode} mode",
        f"With use_running_average = {wanted}",
        f"jax_model.{mode}(), or use_running_average={wanted}",
        "Flax's torch guide",
        {} if place else {"use_running_average": wanted},
        where,
    )


def momentum(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """BatchNorm's momentum: torch's is the part of the new value, flax's that of the old one."""
    own, theirs = layer.attributes.get("momentum"), getattr(module, "momentum", None)
    if not _is(module, "BatchNorm") or own is None or theirs is None or own == 1.0 - theirs:
        return
    right = round(1.0 - theirs, 12)
    why = (
        "is the part of the new value in torch, of the old one in flax"
        if own == theirs
        else "is the complement of flax's"
    )
    yield Suspect(
        f"BatchNorm momentum {own:g}, torch has {theirs:g}, which {why}",
        f"With momentum = {right:g}",
        f"nnx.BatchNorm(..., momentum={right:g})",
        "Flax's torch guide, scvi-tools PR#2309",
        {"momentum": 1.0 - theirs},
    )


def biased_variance(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """BatchNorm's running variance: torch keeps the unbiased one, flax the biased one."""
    if not _is(module, "BatchNorm") or not module.training or module.momentum is None:
        return
    features, keep = module.num_features, 1.0 - module.momentum

    def biased(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            result = own(inputs, parameters, buffers)
            count = next(iter(inputs.values())).numel() / features
            state = dict(result["state"])
            for name in (n for n in state if n.endswith("running_var")):
                old = keep * buffers[name]
                state[name] = old + (state[name] - old) * ((count - 1.0) / count)
            return {**result, "state": state}

        return run

    yield Suspect(
        "BatchNorm's running variance is the biased one, torch keeps the unbiased one, n / (n - 1) times as large",
        "With torch's biased too",
        "scale the batch's variance by n / (n - 1) before it enters the running one; nnx.BatchNorm has no option",
        "pytorch#19902, mlx PR#3817",
        torch=biased,
    )


def missing_affine(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A bias or a scale that torch has and JAX has not."""
    carried = {n.partition(".")[2] for c in step.part.carried for n in c.names}
    for name, neutral, option in (("bias", 0.0, "use_bias=True"), ("weight", 1.0, "use_scale=True")):
        own = dict(module.named_parameters(recurse=False)).get(name)
        if own is None or name in carried or (name == "weight" and not _is(module, *NORMS)):
            continue
        yield Suspect(
            f"no {'bias' if name == 'bias' else 'scale'}, torch has one",
            f"Without torch's {name}",
            f"nnx.{layer.kind}(..., {option})",
            "several converters",
            torch=_with_tensors(lesson, step, **{name: neutral}),
        )


def geometry(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Padding, strides, dilation and groups of a convolution."""
    if not _is(module, "Conv1d", "Conv2d", "Conv3d") or module.padding_mode != "zeros":
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


def transposed_geometry(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """Padding and the kernel's flip of a transposed convolution."""
    if not _is(module, "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"):
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


def masked_rows(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """An embedding whose padding row gets no gradient in torch."""
    row = getattr(module, "padding_idx", None)
    if row is not None and _is(module, "Embedding"):
        yield Suspect(
            f"the gradient reaches row {row}, torch has padding_idx={row} and keeps it out",
            "Without padding_idx in torch",
            f"mask the gradient of row {row}, or optax.masked it",
            "torch.nn.Embedding",
            torch=_overridden(lesson, step, padding_idx=None),
        )


def attention_mask(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A boolean mask: True drops in torch's MultiheadAttention and keeps in flax's."""
    if not _is(module, "MultiheadAttention"):
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


def hidden_bias(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A GRU without the bias inside its reset gate, or with it outside."""
    if not _is(module, "GRU", "GRUCell") or not module.bias:
        return
    hidden = module.hidden_size

    keep = (np.arange(3 * hidden) < 2 * hidden).astype(np.float64)

    def emulation(moved: bool) -> Callable[[Any], Any]:
        def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
            def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
                held = {f"0.{n}": t for n, t in module.named_parameters(recurse=False)} | dict(parameters)
                for name in [n for n in held if "bias_hh" in n]:
                    inside = held[name] * held[name].new_tensor(1.0 - keep)
                    other = name.replace("bias_hh", "bias_ih")
                    held |= {name: held[name] - inside, other: held[other] + inside if moved else held[other]}
                return own(inputs, held, buffers)

            return run

        return wrap

    fix = "use linen.GRUCell, or add b_hn to a cell of your own; nnx.GRUCell has none"
    told = "torch has n = tanh(W_in x + b_in + r (W_hn h + b_hn))"
    for what, patched, moved in (
        ("the bias b_hn stands outside the reset gate", "With torch's b_hn outside too", True),
        ("no bias b_hn inside the reset gate", "Without torch's b_hn", False),
    ):
        yield Suspect(f"{what}, {told}", patched, fix, "flax#5594, flax#5595", torch=emulation(moved))


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


def kept_order(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A reversed recurrence whose outputs are left in the order in which they were computed."""
    if layer.attributes.get("reverse") and layer.attributes.get("keep_order") is False:
        yield Suspect(
            "the reversed outputs stay in the order of computation, torch has them in the order of the input",
            "With keep_order = True",
            f"nnx.{layer.kind}(..., reverse=True, keep_order=True)",
            "flax#2170",
            {"keep_order": True},
        )


CATALOGUE = (
    epsilon,
    group_count,
    running_mode,
    momentum,
    biased_variance,
    missing_affine,
    geometry,
    transposed_geometry,
    masked_rows,
    attention_mask,
    hidden_bias,
    kept_order,
    low_dtype,
)

CONFIGURATION: tuple[Callable[..., Iterator[Suspect]], ...] = (
    epsilon,
    group_count,
    geometry,
    transposed_geometry,
    kept_order,
    low_dtype,
)
"""Entries that look at neither the models' runs nor the call."""


def _overridden(lesson: Lesson, step: Step, **attributes: Any) -> Callable[[Any], Any]:
    """Torch's layer with attributes of its module changed while it runs."""

    def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            module = lesson.torch.module(step.part.torch[0])
            before = {name: getattr(module, name) for name in attributes}
            try:
                for name, value in attributes.items():
                    setattr(module, name, value)
                return own(inputs, parameters, buffers)
            finally:
                for name, value in before.items():
                    setattr(module, name, value)

        return run

    return wrap


def _with_tensors(lesson: Lesson, step: Step, **values: float) -> Callable[[Any], Any]:
    """Torch's layer with parameters that JAX lacks set to one number."""

    def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            module = lesson.torch.module(step.part.torch[0])
            like = next(iter(parameters.values()))
            held = dict(module.named_parameters(recurse=False))
            set_to = {f"0.{n}": like.new_full(held[n].shape, value) for n, value in values.items()}
            return own(inputs, {**parameters, **set_to}, buffers)

        return run

    return wrap


def _is(module: Any, *kinds: str) -> bool:
    names = [cls.__name__ for cls in type(module).__mro__]
    return any(name.startswith(kind) if kind in NORMS else name == kind for name in names for kind in kinds)


def _kind(module: Any) -> str:
    return next((kind for kind in NORMS if _is(module, kind)), type(module).__name__)


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
