"""How ports of norms go wrong: epsilon, groups, mode, momentum, variance, and what is missing."""

from collections.abc import Callable, Iterator
from typing import Any

from parity.checking.causes.emulated import NORMS, is_a, overridden
from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step
from parity.sides.inputs import leaves


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
            torch=overridden(lesson, step, eps=own),
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
    if not is_a(module, "BatchNorm"):
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
    if not is_a(module, "BatchNorm") or own is None or theirs is None or own == 1.0 - theirs:
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
    if not is_a(module, "BatchNorm") or not module.training or module.momentum is None:
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


def _kind(module: Any) -> str:
    return next((kind for kind in NORMS if is_a(module, kind)), type(module).__name__)
