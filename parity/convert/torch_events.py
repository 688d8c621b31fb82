"""What a torch model does with its weights, in the order of execution: products, convolutions, scales and shifts."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from parity.convert import torch_norms
from parity.convert.affine import KNOWN, Affine
from parity.convert.torch_arithmetic import ARITHMETIC
from parity.convert.torch_memory import Seen, key, numpy_of, shared
from parity.convert.torch_record import Convolution, Product, Record, Scaling
from parity.sides.torch_modes import DispatchMode

ALTERNATIVES = 6
"""Weights kept of one element that holds several, such as x + b + c; the latest."""

MOVES = frozenset(
    "view _unsafe_view reshape t transpose permute expand unsqueeze squeeze slice select split split_with_sizes unbind "
    "chunk cat stack flip index_select index gather narrow unsafe_split unsafe_split_with_sizes unsafe_chunk roll "
    "diagonal repeat constant_pad_nd where as_strided unfold movedim flatten".split()
)
VIEWS = frozenset(
    "view _unsafe_view reshape t transpose permute unsqueeze squeeze slice select split split_with_sizes unbind chunk "
    "narrow unsafe_split unsafe_split_with_sizes unsafe_chunk movedim flatten".split()
)
"""Moves after which each element still is one of the one tensor given, once: whole weights stay whole weights."""

COPIES = frozenset("clone contiguous alias detach _to_copy lift_fresh".split())


class Recorder(DispatchMode):
    """Follows weights through the kernels of one run.

    Args:
        weights: Tensors, each with the identities of its elements.
        path: Tells the module that runs now.
    """

    def __init__(self, weights: Sequence[tuple[torch.Tensor, np.ndarray]], path: Callable[[], str]) -> None:
        super().__init__()
        self.record = Record()
        self._path = path
        self._held: dict[Any, tuple[torch.Tensor, Seen, list[Affine]]] = {}
        self._told: set[Any] = set()
        for tensor, ids in weights:
            self._set(tensor, [Affine.weights(ids)])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        held = [self.of(a) for a in args]
        nested = any(self.of(x) for a in args if isinstance(a, (list, tuple)) for x in a)
        kept = numpy_of if func._schema.is_mutable else shared  # what is about to be written over is copied first
        before = [kept(a) if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args]
        result = func(*args, **kwargs)
        if not nested and not any(held):
            return result
        plain = name.removesuffix("_") if name.endswith("_") and not name.startswith("__") else name
        if plain in MOVES or plain == "embedding":
            self._move(func, plain, args, kwargs, result)
        elif plain in COPIES:
            if held[0]:
                self._set(result, held[0])
        elif plain in ARITHMETIC:
            self._set(result, ARITHMETIC[plain](before, held, kwargs), emit=True)
        elif plain in ("mm", "bmm", "addmm", "baddbmm", "mv", "addmv"):
            self._product(plain, before, held, kwargs, result)
        elif plain == "convolution":
            self._convolution(args, held, result)
        elif plain in torch_norms.NORMS:
            steps = list(torch_norms.NORMS[plain](before, [h[0].ids if h else None for h in held]))
            for affine in steps:
                self._emit(affine)
            if steps and steps[-1].shape == tuple(result[0].shape):
                self._set(result[0], steps[-1:])
        elif plain == "_prelu_kernel" and held[1]:
            x = before[0]
            slope = Affine(
                np.where(x > 0, 0.0, x),
                np.where(x > 0, KNOWN, np.broadcast_to(held[1][0].ids, x.shape)),
                np.maximum(x, 0),
            )
            self._set(result, [slope], emit=True)
        return result

    def of(self, value: Any) -> list[Affine]:
        """What a tensor holds of weights; nothing once it has been written over."""
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.numel() == 0:
            return []
        found = self._held.get(key(value))
        if found is None or not found[1].still(value):
            return []
        return found[2]

    def _set(self, tensor: torch.Tensor, alternatives: list[Affine], *, emit: bool = False) -> None:
        alternatives = alternatives[-ALTERNATIVES:]
        if not alternatives or not isinstance(tensor, torch.Tensor):
            return
        self._held[key(tensor)] = (tensor, Seen(tensor), alternatives)
        for affine in alternatives:
            if emit or affine.uniform:
                self._emit(affine)

    def _emit(self, affine: Affine) -> None:
        if affine.uniform:
            ids = hashlib.blake2b(np.ascontiguousarray(affine.ids).data.cast("B")).digest()
            told = (affine.shape, ids, affine.coef.max(initial=0.0), affine.off.max(initial=0.0))
            if told in self._told:
                return  # weights moved the same way again, as at each step of a recurrence
            self._told.add(told)
        self.record.add(Scaling(self._path(), affine))

    def _move(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        found: list[list[Affine]] = []
        if name in VIEWS and all(a.alike for a in self.of(args[0])):
            found = [_viewed(func, a, args[1:], kwargs) for a in self.of(args[0])]
            self._set_all(result, found)
            return
        if name == "embedding" and all(a.alike for a in self.of(args[0])):
            self._set_all(result, [_viewed(lambda ids: ids[args[1]], a, (), {}) for a in self.of(args[0])])
            return
        count = max(len(self.of(x)) for x in _tensors(args))
        for k in range(count):

            def part(value: Any, which: int, k: int = k) -> Any:
                if isinstance(value, (list, tuple)):
                    return type(value)(part(v, which) for v in value)
                if not isinstance(value, torch.Tensor) or not value.is_floating_point():
                    return value
                own = self.of(value)
                affine = own[min(k, len(own) - 1)] if own else Affine.number(numpy_of(value))
                return torch.from_numpy(np.array((affine.coef, affine.ids, affine.off)[which]))

            parts = []
            for which in range(3):
                moved = [part(a, which) for a in args]
                if name == "embedding":
                    parts.append([moved[0][moved[1]]])
                else:
                    made = func(*moved, **kwargs)
                    parts.append(list(made) if isinstance(made, (tuple, list)) else [made])
            found.append([Affine(*(p.numpy().copy() for p in each)) for each in zip(*parts, strict=True)])
        self._set_all(result, found)

    def _set_all(self, result: Any, found: list[list[Affine]]) -> None:
        """What each of an operation's results holds, by each alternative of its argument."""
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        for index, tensor in enumerate(results):
            self._set(tensor, [alternative[index] for alternative in found])

    def _product(self, name: str, values: list[Any], held: list[Any], kwargs: dict[str, Any], result: Any) -> None:
        added = name.startswith(("add", "badd"))
        left, right = values[added:][:2]
        weights_left, weights_right = (_pure(h) for h in held[added:][:2])
        if weights_right is not None:
            scale, ids = weights_right
            self._rows(left * scale, ids if ids.ndim > 1 else ids[:, None])
        if weights_left is not None:  # both, where rows of an embedding are projected
            scale, ids = weights_left
            right = right[:, None] if right.ndim == 1 else right
            self._rows(np.swapaxes(right, -1, -2) * scale, np.swapaxes(ids, -1, -2))
        if added and held[0]:
            alpha, beta = kwargs.get("alpha", 1), kwargs.get("beta", 1)
            product = alpha * (values[1] @ values[2])
            self._set(result, [a.scaled(np.float64(beta)).shifted(product) for a in held[0]], emit=True)

    def _rows(self, inputs: np.ndarray, ids: np.ndarray) -> None:
        if ids.ndim == 2:
            self.record.add(Product(self._path(), inputs.reshape(-1, inputs.shape[-1]), ids))
            return
        if (ids == ids[:1]).all():
            self.record.add(Product(self._path(), inputs.reshape(-1, inputs.shape[-1]), ids[0]))
            return
        for rows, each in zip(inputs, ids, strict=True):
            self.record.add(Product(self._path(), rows, each))

    def _convolution(self, args: tuple[Any, ...], held: list[Any], result: torch.Tensor) -> None:
        x, _, _, stride, padding, _, transposed, _, groups = args
        pure = _pure(held[1])
        bare = torch.ops.aten.convolution.default(args[0], args[1], None, *args[3:])
        if pure is not None:
            ids = pure[1]
            if transposed:
                ids = np.flip(ids, tuple(range(2, ids.ndim)))
                grouped = ids.reshape(groups, ids.shape[0] // groups, *ids.shape[1:])
                ids = np.swapaxes(grouped, 1, 2).reshape(-1, grouped.shape[1], *ids.shape[2:])
            self.record.add(Convolution(self._path(), numpy_of(x) * pure[0], np.array(ids), shared(bare), groups))
            if not transposed and groups == 1 and not any(padding):
                self._patches(x, ids, stride, args[5], pure[0])
        if held[2]:
            shape = (1, -1, *(1,) * (result.dim() - 2))
            shifted = []
            for a in held[2]:
                column = Affine(a.coef.reshape(shape), a.ids.reshape(shape), a.off.reshape(shape))
                shifted.append(column.shifted(numpy_of(bare)))
            self._set(result, shifted, emit=True)

    def _patches(self, x: torch.Tensor, ids: np.ndarray, stride: Any, dilation: Any, scale: float) -> None:
        """The same as a product, for a port that cuts patches and multiplies."""
        if any(d != 1 for d in dilation):
            return
        patches = x
        kernel = ids.shape[2:]
        for axis, (size, step) in enumerate(zip(kernel, stride, strict=True)):
            patches = patches.unfold(2 + axis, size, step)  # (N, C, *space, *kernel)
        space = len(kernel)
        rows = patches.permute(0, *range(2, 2 + space), 1, *range(2 + space, 2 + 2 * space))
        flat = numpy_of(rows).reshape(-1, int(np.prod(ids.shape[1:]))) * scale
        self.record.add(Product(self._path(), flat, ids.reshape(ids.shape[0], -1).T))


def _pure(held: list[Affine]) -> tuple[float, np.ndarray] | None:
    """(factor, identities) of an array that is weights times one factor."""
    for affine in held:
        if affine.alike:
            if not affine.off.flat[0]:
                return float(affine.coef.flat[0]), affine.ids
        elif (affine.ids != KNOWN).all() and affine.uniform and not affine.off.any():
            return float(affine.coef.flat[0]), affine.ids
    return None


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _viewed(func: Any, affine: Affine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Affine]:
    """Whole weights after a move: only their identities move."""
    ids = torch.from_numpy(affine.ids)
    try:
        made = func(ids, *args, **kwargs)
    except RuntimeError:  # the tensor was made contiguous on the way, its identities were not
        made = func(ids.contiguous(), *args, **kwargs)
    return [affine.moved(p.numpy()) for p in (made if isinstance(made, (tuple, list)) else [made])]
