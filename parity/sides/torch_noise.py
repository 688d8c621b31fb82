"""Rounding as an experiment: every torch operation errs by a chosen relative amount, as rounding would."""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import get_decompositions
from torch.utils._pytree import tree_leaves, tree_map

from parity.sides.inputs import STRATA, strata
from parity.sides.torch_modes import DispatchMode, without_compiler

# Operations that move, choose or count values and round none of them, by their ATen name.
EXACT = frozenset(
    "abs alias amax amin arange argmax argmin as_strided bitwise_and bitwise_not bitwise_or bucketize cat ceil clamp "
    "clamp_min clamp_max clone complex conj constant_pad_nd copy copysign cummax cummin detach diagonal "
    "diagonal_scatter empty empty_like empty_strided eq expand eye fill flip floor full full_like gather ge gt imag "
    "index index_copy index_fill index_put _index_put_impl_ _unsafe_index_put index_select isfinite isinf isnan le "
    "lift lift_fresh logical_and logical_not logical_or lt masked_fill masked_scatter masked_select max "
    "max_pool2d_with_indices maximum min minimum narrow_copy ne neg new_empty new_empty_strided new_full new_ones "
    "new_zeros nonzero one_hot ones ones_like permute real reflection_pad2d relu repeat replication_pad2d resize roll "
    "round scatter select select_backward select_scatter set sgn sign slice slice_backward slice_scatter sort split "
    "split_with_sizes squeeze stack sub_view t threshold_backward topk transpose tril triu trunc unbind unfold "
    "unsqueeze view view_as_real view_as_complex where zero zeros zeros_like _local_scalar_dense _reshape_alias "
    "_to_copy _unsafe_view _has_compatible_shallow_copy_type bernoulli normal uniform rand randn randint randperm "
    "random max_pool2d_with_indices_backward".split()
)
# Functions that a library approximates: good to some units in the last place, not to half of one.
APPROXIMATED = frozenset(
    "acos acosh asin asinh atan atan2 atanh cos cosh digamma erf erfc erfinv exp exp2 expm1 lgamma log log10 "
    "log1p log2 pow reciprocal rsqrt sigmoid sin sinh tan tanh".split()
)
APPROXIMATION = 4.0  # roundings that one of them counts as; libraries state at most 4 units in the last place
# Some of them subtract terms of size one and more near a zero of theirs: they err by the size of those.
SUBTRACTING = frozenset("lgamma digamma".split())
# They bend at -3 and 3, which other code finds at 0 and 6 of x + 3: a rounding of 6 is two of 3.
SHIFTED = frozenset("hardswish hardswish_backward hardsigmoid hardsigmoid_backward".split())
# Lanczos' series for lgamma, XLA's, adds up four terms as large as x + 6.5: 34 u off at 2.5, where lgamma is 0.28.
LANCZOS = 6.5
# Backward stable in norm: the result is right for a matrix that errs in every element by the size of the largest ones.
NORMWISE = ("linalg_", "_linalg_", "cholesky", "triangular_solve", "ormqr", "geqrf", "lu_solve")
# They reduce from both sides, n reflections each, and then rotate from both sides until they have converged.
SPECTRAL = ("svd", "eig")
# Roundings that a level of a Fourier transform may err by, in norm. It makes a + w b and a - w b of a and b, |w| = 1:
# sqrt(2) times a unitary map, so that what a level errs by, the later ones keep in proportion.
# - w, both of its parts rounded, is u off; in either result that is u |b|.
# - w b has parts such as ac - bd, of two products and a sum: 2 u (|ac| + |bd|) off. With those of the other,
#   |ad| + |bc|, the squares add up to |w b|^2 + 4 |ab| |cd|, at most 2 |w b|^2: together 2 sqrt(2) u |b|.
# - a + w b rounds by u of itself.
# The first two reach both results, sqrt(2) of them by the norm sqrt(2) |(a, b)|. Measured, libraries err by 0.5 to 0.8
# of these a level where the length is a power of two, by up to 1.6 where it is prime and they transform twice as long.
BUTTERFLY = 2.0 + 2.0 * math.sqrt(2.0)
MEAN_SIZE = math.sqrt(13.0 / 12.0)  # root mean square of a number between 0.5 and 1.5
LARGEST = 0.25  # A relative error beyond it is no rounding any more: long sums at bfloat16 would change sign.
ADDING = frozenset("sum mean nansum var".split())
MANY = 256  # terms; fewer differ too little for it to matter how many of them are equal
ALIKE = 2.0**-22  # a larger error would make equal terms differ in 18 bits
# They hand 0 and 1 on in floats, as their last result and last argument, and take no other.
FLAGS = ("multilabel_margin_loss_forward", "multilabel_margin_loss_backward")
ALONG_ROWS = frozenset("cumsum cumprod logcumsumexp".split())
LARGE_OPERAND = 1 << 20  # elements of a matrix that is not disturbed itself where the other one is a quarter of it
PIECE = 1 << 17  # elements of a large tensor that are disturbed at a time: what is drawn for them stays in the cache
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


class RoundingNoise(DispatchMode):
    """Multiplies what every operation gives by 1 + h xi, xi random of mean square 1, forwards and backwards.

    A sum of n terms errs by about sqrt(n) roundings of its result (by more where terms repeat: `_walk`), and where its
    terms cancel by sqrt(n) roundings of the terms; so a contraction's result and its inputs are both disturbed by
    sqrt(n) h, and so are those of a kernel that is neither elementwise nor known, since it may add up. Complex numbers
    err in both parts by the size of their modulus. With h a unit roundoff this is what honest arithmetic of that
    precision does, one sample of it at a time; with a smaller h it is the derivative of that. It cannot reach into
    other processes.

    Args:
        size: h, the relative size of one rounding.
        seed: Member of the ensemble; eight of them take all the `strata` of an error.
    """

    def __init__(self, size: float, seed: int) -> None:
        super().__init__()
        self.size = size
        self.seed = seed
        self._generators: dict[torch.device, tuple[torch.Generator, torch.Generator]] = {}
        self._steps = _reference_formulas()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self._steps:
            with self, without_compiler():
                return self._steps[func](*args, **kwargs)
        stem = _stem(func.overloadpacket.__name__)
        if func.is_view or _exact(stem, args):
            return func(*args, **kwargs)
        mutable = func._schema.is_mutable  # a copy of an argument that is written would lose what is written
        terms, given = _terms(stem, args), args
        flags = args[-1:] if stem == FLAGS[1] else ()
        if not mutable and terms == 0 and stem.startswith(NORMWISE):
            passes = 4.0 if any(word in stem for word in SPECTRAL) else 1.0
            args = tree_map(self._disturbed_in_norm(passes), args)
        elif not mutable and stem in SHIFTED:
            args = tree_map(self._disturbed(2.0), args)
        elif not mutable and stem in ("mm", "addmm") and (large := _left_alone(args)):
            one = self._disturbed(math.sqrt(2.0 * max(terms, 1.0)))
            args = tuple(a if a is large[0] else one(a) for a in args)
        elif not mutable and (terms > 1 or (terms == 0 and torch.Tag.pointwise not in func.tags)):
            args = tree_map(self._disturbed(math.sqrt(max(terms, 1.0))), args)
        if flags:
            args = (*args[:-1], *flags)
        # A primitive's own kernel: to call the primitive would import torch's compiler, which takes two seconds.
        result = getattr(func, "impl_aten", func)(*args, **kwargs)
        if terms == 0:
            terms = _terms_of_reduction(args, result)
        scale: Any = math.sqrt(max(terms, 1.0)) * (APPROXIMATION if stem in APPROXIMATED else 1.0)
        if stem in ADDING and terms >= MANY and self.size <= ALIKE and given[0].dtype == torch.float64:
            scale = _walk(stem, given, self.seed).reshape(result.shape).abs_().clamp_(min=scale)
        written = _written(func, args, kwargs)
        kept = {id(leaf) for leaf in (*written, *(result[1:] if stem == FLAGS[0] else ()))}
        for leaf in (*written, *(r for r in tree_leaves(result) if id(r) not in kept)):
            if _is_inexact(leaf):
                self._multiply(leaf, scale, leaf)
                if stem in SUBTRACTING:
                    size = given[0].abs().add_(LANCZOS).mul_(2.0) if stem == "lgamma" else scale
                    leaf.add_(self._draws(leaf).mul_(self.size).mul_(size))
                if stem.startswith("_fft_"):
                    leaf.add_(self._draws(leaf) * _size_along(leaf, args[1]).mul_(self.size))
        return result

    def _draws(self, like: torch.Tensor) -> torch.Tensor:
        """Errors xi of mean 0 and mean square 1, of the shape and the dtype; for complex numbers in both parts.

        Signs of one size would cancel exactly in a sum of two, in all of eight members for one element in 256.
        """
        if like.is_complex():
            return torch.complex(self._draws(like.real), self._draws(like.real))
        octets, drawn = self._octets(like)
        return _rows(octets, drawn, like)

    def _octets(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Eight errors for each byte, of shape (256, 8), and a byte for each eight elements."""
        if like.device not in self._generators:
            seeds = self.seed // STRATA, self.seed
            one, other = (torch.Generator(like.device).manual_seed(n) for n in seeds)
            self._generators[like.device] = one, other
        common, own = self._generators[like.device]
        # Eight errors to a random byte: five times as fast as a random number for each. A byte and its complement have
        # the same sizes with other signs, so that no sum over many is off by the mean of the table. All members draw
        # the same bytes, so that an element's errors lie in different strata.
        count = -(-like.numel() // 8)
        drawn = torch.randint(0, 256, (count,), generator=common, device=like.device)
        least, sign = _strata(like.device, like.dtype, self.seed % STRATA)
        half = torch.rand((128, 8), generator=own, device=like.device, dtype=like.dtype)
        half = half.div_(STRATA // 2).add_(least).mul_(sign).div_(MEAN_SIZE)
        return torch.cat([half, -half.flip(0)]), drawn

    def _factor(self, like: torch.Tensor, scale: float | torch.Tensor) -> torch.Tensor:
        size = self.size * scale
        if isinstance(size, torch.Tensor) or like.is_complex():
            most = size.clamp(max=LARGEST) if isinstance(size, torch.Tensor) else min(size, LARGEST)
            return self._draws(like).mul_(most).add_(1.0)
        octets, drawn = self._octets(like)
        return _rows(octets.mul_(min(size, LARGEST)).add_(1.0), drawn, like)  # the table, not all that is drawn from it

    def _multiply(self, leaf: torch.Tensor, scale: float | torch.Tensor, into: torch.Tensor) -> torch.Tensor:
        """`leaf` with its errors, written to `into`; a large one piece by piece, whose factors stay in the cache."""
        pieces = leaf.numel() > PIECE and leaf.is_contiguous() and into.is_contiguous() and leaf.device.type == "cpu"
        if not pieces or leaf.is_complex() or isinstance(scale, torch.Tensor):
            return torch.mul(leaf, self._factor(leaf, scale), out=into)
        octets, drawn = self._octets(leaf)
        octets.mul_(min(self.size * scale, LARGEST)).add_(1.0)
        factors = octets.new_empty(PIECE // 8, 8)
        given, written = leaf.view(-1), into.view(-1)
        for at, rows in enumerate(drawn.split(len(factors))):
            part = slice(at * PIECE, (at + 1) * PIECE)
            some = torch.index_select(octets, 0, rows, out=factors[: len(rows)]).view(-1)
            torch.mul(given[part], some[: given[part].numel()], out=written[part])
        return into

    def _disturbed(self, scale: float) -> Callable[[Any], Any]:
        def disturbed(leaf: Any) -> Any:
            if not _is_inexact(leaf):
                return leaf
            if leaf.numel() > PIECE and leaf.is_contiguous():
                return self._multiply(leaf, scale, torch.empty_like(leaf))
            return leaf * self._factor(leaf, scale)

        return disturbed

    def _disturbed_in_norm(self, passes: float) -> Callable[[Any], Any]:
        """Disturbs a matrix in every direction as that many passes of n steps may, each erring by h |A|.

        Steps, reflections or eliminations, err along few directions each; n of them add up to LAPACK's n u |A|. As they
        are independent, one direction, as that which turns near singular vectors, receives sqrt(n) of them.
        """

        def disturbed(leaf: Any) -> Any:
            if not _is_inexact(leaf) or leaf.ndim < 2:
                return self._disturbed(1.0)(leaf)
            return leaf + self._draws(leaf) * _stretch(leaf) * (self.size * math.sqrt(passes * max(leaf.shape[-2:])))

        return disturbed


def _rows(octets: torch.Tensor, drawn: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return octets.index_select(0, drawn).reshape(-1)[: like.numel()].reshape(like.shape)


def _stretch(matrix: torch.Tensor) -> torch.Tensor:
    """|A|, the largest singular value, from above: (sum of sigma^16)^(1/16), at most n^(1/16) times as large.

    Computed from products alone, which bear infinities and NaN; of shape (..., 1, 1).
    """
    size = matrix.abs().amax((-2, -1), keepdim=True).clamp_min(torch.finfo(matrix.dtype).tiny)
    scaled = matrix / size
    power = scaled.mH @ scaled if matrix.shape[-2] >= matrix.shape[-1] else scaled @ scaled.mH
    for _ in range(2):
        power = power @ power
    return size * power.abs().square().sum((-2, -1), keepdim=True).pow(1.0 / 16.0)


@functools.cache
def _reference_formulas() -> dict[Any, Callable[..., Any]]:
    return get_decompositions([getattr(torch.ops.aten, n) for n in COMPOSITE if hasattr(torch.ops.aten, n)])


@functools.cache
def _strata(device: torch.device, dtype: torch.dtype, member: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Least size and sign of the errors of one member, of shape (128, 8): for half of the bytes."""
    stratum = torch.from_numpy(strata()[member]).to(device).reshape(128, 8)
    least = 0.5 + (stratum // 2).to(dtype) / (STRATA // 2)
    return least, 1.0 - 2.0 * (stratum % 2).to(dtype)


def _walk(stem: str, args: tuple[Any, ...], seed: int) -> torch.Tensor:
    """Sum of xi over the terms that a reduction adds up, where terms that are equal to 18 bits have one xi.

    The rounding of s + t depends on t's last bits, so equal terms err alike as long as s has one exponent: a sum of n
    terms of V values, each as often, errs by n / sqrt(V) roundings, not by sqrt(n). Inputs of bfloat16 have some
    thousand values: 250,000 squares of them, added one after the other, were 8,500 roundings off where sqrt(n) is 500.
    What a disturbance of 2^-22 and less moved stays within 18 bits, mostly. A zero adds no rounding.
    """
    terms = args[0]
    axes = next((tuple(a) for a in args[1:] if isinstance(a, (list, tuple)) and a), tuple(range(terms.ndim)))
    if stem == "var":
        terms = (terms - terms.mean(axes, keepdim=True)).square_()
    mixed = ((terms.contiguous().view(torch.int64) + (1 << 33)) >> 34) * (0x9E3779B97F4A7C1 + 2 * seed)
    mixed ^= mixed >> 29  # modulo 2^64 the upper bits of a product are as good as random
    mixed *= 0x3F58476D1CE4E5B9
    return mixed.to(terms.dtype).mul_(math.sqrt(3.0) / 2.0**63).sum(axes)


def _size_along(leaf: torch.Tensor, axes: Any) -> torch.Tensor:
    """What a fast Fourier transform's result errs by: log n levels of `BUTTERFLY`, of the size of all that it adds."""
    along = [axis for axis in axes if leaf.shape[axis] > 1] or [0]
    levels = math.log2(max(math.prod(leaf.shape[axis] for axis in along), 2))
    return leaf.abs().square().mean(dim=along, keepdim=True).sqrt().mul_(BUTTERFLY * math.sqrt(levels))


def _left_alone(args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
    """The operand of a matrix product that is not disturbed itself, if there is one: a large one beside a small one.

    Each term of a sum is a product, and errs as much whether both of its factors err or one by sqrt(2) as much. To
    disturb a matrix of a million weights costs more than to multiply it with a batch of rows, which is the smaller.
    """
    one, other = [a for a in args if isinstance(a, torch.Tensor)][-2:]
    small, large = (one, other) if one.numel() < other.numel() else (other, one)
    return (large,) if large.numel() >= LARGE_OPERAND and large.numel() >= 4 * small.numel() else ()


def _stem(name: str) -> str:
    """An operation's name without what says that it works in place or on a list."""
    bare = name.removeprefix("_foreach_")
    return bare.removesuffix("_") if not bare.startswith("_") else bare


def _exact(stem: str, args: tuple[Any, ...]) -> bool:
    if stem not in EXACT:
        return False
    if stem in ("abs", "sgn"):
        return not (isinstance(args[0], torch.Tensor) and args[0].is_complex())
    if "index_put" in stem:
        return not (len(args) > 3 and args[3])  # it adds up where it accumulates
    return True


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that the operation writes in place."""
    if not func._schema.is_mutable:
        return []
    written = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            written += [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    return written


def _is_inexact(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and (leaf.is_floating_point() or leaf.is_complex()) and leaf.numel() > 0


def _terms(name: str, args: tuple[Any, ...]) -> float:
    """Number of terms that the operation adds up for one element of its result; 0 where the result must tell."""
    tensors = [a for a in tree_leaves(args) if isinstance(a, torch.Tensor)]
    if name in ("mm", "bmm", "mv", "dot", "vdot"):
        return tensors[0].shape[-1]
    if name in ("addmm", "addmv", "baddbmm"):
        return tensors[1].shape[-1]
    if name == "convolution":
        return tensors[1].numel() / max(tensors[1].shape[0], 1)
    if name == "convolution_backward":
        output_gradient, _, kernel = tensors[:3]
        return max(kernel.numel() / max(kernel.shape[1], 1), output_gradient.numel() / max(output_gradient.shape[1], 1))
    if name == "_trilinear":
        return _summed(args)
    if name.startswith("_scaled_dot_product"):
        # Fused attention adds up over the width and over the positions; backwards too, where it gets its own output and
        # takes the sum in the softmax's gradient over the width: at a first row of a mask, zero but for that rounding.
        return max(*tensors[1].shape[-2:], *tensors[2].shape[-2:])
    if name.startswith("_weight_norm_interface"):
        weight, size = tensors[-3:-1] if name.endswith("backward") else tensors[:2]
        return weight.numel() / max(size.numel(), 1)  # each row is divided by a sum over it; so is its gradient
    if name in ALONG_ROWS and tensors[0].ndim:
        return tensors[0].shape[-1]
    if name in ("sum", "mean", "prod", "norm", "linalg_vector_norm", "nansum"):
        return math.prod(_reduced(max(tensors, key=torch.Tensor.numel), args))
    return 0


def _summed(args: tuple[Any, ...]) -> float:
    """Terms of `_trilinear`: the lengths of the axes that it sums over, after axes of 1 are put into its operands."""
    shapes = []
    for operand, added in zip(args[:3], args[3:6], strict=True):
        shape = list(operand.shape)
        for axis in sorted(added):
            shape.insert(axis, 1)
        shapes.append(shape)
    whole = [max(lengths) for lengths in zip(*shapes, strict=True)]
    return float(math.prod(whole[axis] for axis in args[6]))


def _reduced(tensor: torch.Tensor, args: tuple[Any, ...]) -> list[int]:
    """Lengths of the axes that a reduction adds up: all of them unless its arguments name some; a scalar has none."""
    axes = next((a for a in args[1:] if isinstance(a, (list, tuple))), None)
    return [tensor.shape[axis] for axis in axes] if axes and tensor.ndim else list(tensor.shape)


def _terms_of_reduction(args: tuple[Any, ...], result: Any) -> float:
    """For an operation that is not known by name: how much smaller the result is than the largest input."""
    largest = max((a.numel() for a in args if _is_inexact(a)), default=0)
    results = result if isinstance(result, (tuple, list)) else (result,)
    produced = max((r.numel() for r in results if _is_inexact(r)), default=0)
    return largest / produced if produced else 1.0
