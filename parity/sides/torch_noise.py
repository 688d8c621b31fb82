"""Rounding as an experiment: every torch operation errs by a chosen relative amount, as rounding would."""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import get_decompositions
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

# Operations that move, choose or count values and round none of them, by their ATen name.
EXACT = frozenset(
    "abs alias amax amin arange argmax argmin as_strided bitwise_and bitwise_not bitwise_or bucketize cat ceil "
    "clamp clamp_min clamp_max clone constant_pad_nd copy copysign cummax cummin detach diagonal empty empty_like "
    "empty_strided eq expand eye fill flip floor full full_like gather ge gt index index_fill index_select isfinite "
    "isinf isnan le lift lift_fresh logical_and logical_not logical_or lt masked_fill masked_select max "
    "max_pool2d_with_indices maximum min minimum narrow_copy ne neg new_empty new_empty_strided new_full new_ones "
    "new_zeros nonzero one_hot ones ones_like permute reflection_pad2d relu repeat replication_pad2d resize roll "
    "round scatter select select_backward set sgn sign slice slice_backward sort split split_with_sizes squeeze "
    "stack sub_view t threshold_backward topk transpose tril triu trunc unbind unfold unsqueeze view view_as_real "
    "view_as_complex where zero zeros zeros_like _local_scalar_dense _reshape_alias _to_copy _unsafe_view "
    "_has_compatible_shallow_copy_type bernoulli normal uniform rand randn randint randperm random "
    "max_pool2d_with_indices_backward".split()
)
# Functions that a library approximates: good to some units in the last place, not to half of one.
APPROXIMATED = frozenset(
    "acos acosh asin asinh atan atan2 atanh cos cosh digamma erf erfc erfinv exp exp2 expm1 lgamma log log10 "
    "log1p log2 pow reciprocal rsqrt sigmoid sin sinh tan tanh".split()
)
APPROXIMATION = 4.0  # roundings that one of them counts as; libraries state at most 4 units in the last place
ALONG_ROWS = frozenset("cumsum cumprod logcumsumexp".split())
# Kernels that take several steps, some of which cancel (1 + erf in gelu, x - max in softmax): they are disturbed step
# by step, in torch's own reference formula for each.
COMPOSITE = (
    "_softmax _softmax_backward_data _log_softmax _log_softmax_backward_data gelu gelu_backward silu "
    "silu_backward mish mish_backward elu elu_backward softplus softplus_backward log_sigmoid_forward "
    "log_sigmoid_backward logaddexp logsumexp native_layer_norm native_layer_norm_backward native_group_norm "
    "native_group_norm_backward native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional "
    "native_batch_norm_backward mse_loss mse_loss_backward huber_loss smooth_l1_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits var std var_mean std_mean tanh_backward sigmoid_backward".split()
)


class RoundingNoise(TorchDispatchMode):
    """Multiplies what every operation gives by 1 + h xi, xi = +1 or -1 at random, forwards and backwards.

    A sum of n terms errs by about sqrt(n) roundings of its result, and where its terms cancel by sqrt(n) roundings of
    the terms; so a contraction's result and its inputs are both disturbed by sqrt(n) h. With h a unit roundoff this is
    what honest arithmetic of that precision does, one sample of it at a time; with a smaller h it is the derivative of
    that. It cannot reach into other processes, nor into kernels of which it knows neither steps nor number of terms:
    those count as one rounding of their result.

    Args:
        size: h, the relative size of one rounding.
        seed: Of the signs.
    """

    def __init__(self, size: float, seed: int) -> None:
        super().__init__()
        self.size = size
        self.seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}
        self._steps = _reference_formulas()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in self._steps:
            with self:
                return self._steps[func](*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        stem = name.removesuffix("_") if not name.startswith("_") else name
        if stem in EXACT or func.is_view:
            return func(*args, **(kwargs or {}))
        terms = _terms(stem, args)
        if terms > 1:
            args = tree_map(self._disturbed(math.sqrt(terms)), args) if name == stem else args
        result = func(*args, **(kwargs or {}))
        if terms == 0:
            terms = _terms_of_reduction(args, result)
        scale = math.sqrt(max(terms, 1.0)) * (APPROXIMATION if stem in APPROXIMATED else 1.0)
        tree_map(self._disturb_in_place(scale), result)
        return result

    def _signs(self, like: torch.Tensor, scale: float) -> torch.Tensor:
        generator = self._generators.get(like.device)
        if generator is None:
            generator = self._generators[like.device] = torch.Generator(like.device).manual_seed(self.seed)
        signs = torch.randint(0, 2, like.shape, generator=generator, device=like.device, dtype=like.dtype)
        h = self.size * scale
        return signs.mul_(2 * h).add_(1 - h)

    def _disturbed(self, scale: float) -> Callable[[Any], Any]:
        return lambda leaf: leaf * self._signs(leaf, scale) if _is_floating(leaf) else leaf

    def _disturb_in_place(self, scale: float) -> Callable[[Any], Any]:
        return lambda leaf: leaf.mul_(self._signs(leaf, scale)) if _is_floating(leaf) else leaf


@functools.cache
def _reference_formulas() -> dict[Any, Callable[..., Any]]:
    return get_decompositions([getattr(torch.ops.aten, n) for n in COMPOSITE if hasattr(torch.ops.aten, n)])


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.numel() > 0


def _terms(name: str, args: tuple[Any, ...]) -> float:
    """Number of terms that the operation adds up for one element of its result; 0 where the result must tell."""
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    if name in ("mm", "bmm", "mv", "dot", "vdot"):
        return tensors[0].shape[-1]
    if name in ("addmm", "addmv", "baddbmm"):
        return tensors[1].shape[-1]
    if name == "convolution":
        return tensors[1].numel() / max(tensors[1].shape[0], 1)
    if name == "convolution_backward":
        output_gradient, _, kernel = tensors[:3]
        return max(kernel.numel() / max(kernel.shape[1], 1), output_gradient.numel() / max(output_gradient.shape[1], 1))
    if name in ALONG_ROWS and tensors[0].ndim:
        return tensors[0].shape[-1]
    if name in ("sum", "mean", "prod", "norm", "linalg_vector_norm", "nansum"):
        return math.prod(_reduced(tensors[0], args))
    return 0


def _reduced(tensor: torch.Tensor, args: tuple[Any, ...]) -> list[int]:
    """Lengths of the axes that a reduction adds up: all of them unless its arguments name some."""
    axes = next((a for a in args[1:] if isinstance(a, (list, tuple))), None)
    return list(tensor.shape) if not axes else [tensor.shape[axis] for axis in axes]


def _terms_of_reduction(args: tuple[Any, ...], result: Any) -> float:
    """For an operation that is not known by name: how much smaller the result is than the largest input."""
    largest = max((a.numel() for a in args if _is_floating(a)), default=0)
    results = result if isinstance(result, (tuple, list)) else (result,)
    produced = max((r.numel() for r in results if _is_floating(r)), default=0)
    return largest / produced if produced else 1.0
