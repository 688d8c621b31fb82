"""Layers of tables whose rows are looked up by number, one each or in bags."""

from typing import Any, Self

from flax import nnx
from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl.nn import init
from jax_impl.nn.module import Buffer, Module, Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both share: the table, its row of padding, and rows that are cut to a greatest length."""

    weight: Any
    padding_idx: int | None
    max_norm: float | None
    norm_type: float

    def _hold(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        given: Float[Array, "V D"] | None,
        freeze: bool,
        dtype: Any,
        rngs: nnx.Rngs | None,
    ) -> None:
        name = type(self).__name__
        if num_embeddings < 0 or embedding_dim < 0:
            raise RuntimeError(
                f"{name}: num_embeddings is {num_embeddings} and embedding_dim {embedding_dim}, wanted 0 or more"
            )
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise AssertionError(f"{name}: padding_idx is {padding_idx} for a table of {num_embeddings} rows")
        if given is not None and given.shape != (num_embeddings, embedding_dim):
            raise AssertionError(
                f"{name}: weight has shape {tuple(given.shape)}, wanted ({num_embeddings}, {embedding_dim})"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        if given is not None:
            # a frozen table is part of the state under the same name, and no parameter
            self.weight = Buffer(given) if freeze else Parameter(given)
            return
        self.weight = self._empty(num_embeddings, embedding_dim, dtype=dtype)
        self.reset_parameters(rngs=rngs)

    def reset_parameters(self, *, rngs: nnx.Rngs | None) -> None:
        """Draw the table anew from N(0, 1), and zeros for the row of padding."""
        init.normal_(self.weight, generator=rngs)
        if self.padding_idx is not None:
            self.weight[...] = self.weight[...].at[self.padding_idx].set(0)

    def _table(self, input: Int[Array, "..."]) -> Float[Array, "V D"]:
        """The weight, whose rows that the input names are first cut to max_norm, in place, as torch does."""
        weight: Float[Array, "V D"] = self.weight[...]
        if self.max_norm is None:
            return weight
        cut = F.embedding_renorm(weight, input, self.max_norm, self.norm_type)
        self.weight[...] = cut
        return F.straight_through(cut, weight)


class Embedding(_Table):
    """The rows of a table that the input names.

    Args:
        num_embeddings: V, the number of rows.
        embedding_dim: D, their length.
        padding_idx: a row that starts as zeros and gets no gradient, from the end where negative.
        max_norm: rows that are looked up and longer are cut to this length, in the table, at each call.
        norm_type: of the norm that measures length.
        scale_grad_by_freq: whether each row's gradient is divided by how often the input names it.
        sparse: no effect: JAX has no sparse gradients.
        dtype: of the table; None for float32.
        rngs: what the table is drawn from.

    Raises:
        AssertionError: where padding_idx is no row.
        RuntimeError: where a size is negative.

    Examples:
        >>> layer = Embedding.from_pretrained(array([[1.0, 2.0], [3.0, 4.0]]))
        >>> layer(array([1, 0])).tolist()
        [[3.0, 4.0], [1.0, 2.0]]

    References:
        PyTorch, torch.nn.Embedding.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Float[Array, "V D"] | None = None,
        _freeze: bool = False,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._hold(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, dtype, rngs)

    @classmethod
    def from_pretrained(cls, embeddings: Float[Array, "V D"], freeze: bool = True, **arguments: Any) -> Self:
        """A layer that holds this table.

        Args:
            embeddings: (V, D).
            freeze: whether it is not trained: the weight is then a Buffer.
            **arguments: padding_idx, max_norm, norm_type, scale_grad_by_freq or sparse.

        Raises:
            AssertionError: where embeddings has not two axes.
        """
        return cls(*_size(embeddings), _weight=embeddings, _freeze=freeze, **arguments)

    def __call__(self, input: Int[Array, "*S"]) -> Float[Array, "*S D"]:
        """The rows, input's shape with D behind."""
        weight = self._table(input)
        return F.embedding(input, weight, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.num_embeddings}, {self.embedding_dim}" + _said(self, "padding_idx max_norm norm_type")


class EmbeddingBag(_Table):
    """The sum, the mean or the largest elements of the rows in each bag.

    Args:
        num_embeddings: V, the number of rows.
        embedding_dim: D, their length.
        max_norm: as for Embedding.
        norm_type: as for Embedding.
        scale_grad_by_freq: as for Embedding; not for "max".
        mode: "sum", "mean" or "max".
        sparse: no effect: JAX has no sparse gradients.
        include_last_offset: whether the last offset is no bag's beginning but the last one's end.
        padding_idx: a row that belongs to no bag, from the end where negative.
        dtype: of the table; None for float32.
        rngs: what the table is drawn from.

    Raises:
        AssertionError: where padding_idx is no row.
        RuntimeError: where a size is negative.

    Examples:
        >>> layer = EmbeddingBag.from_pretrained(array([[1.0], [3.0]]))
        >>> layer(array([0, 1, 1]), array([0, 2])).tolist()
        [[2.0], [3.0]]

    References:
        PyTorch, torch.nn.EmbeddingBag.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Float[Array, "V D"] | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs | None = None,
        _freeze: bool = False,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self._hold(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, dtype, rngs)

    @classmethod
    def from_pretrained(cls, embeddings: Float[Array, "V D"], freeze: bool = True, **arguments: Any) -> Self:
        """A layer that holds this table.

        Args:
            embeddings: (V, D).
            freeze: whether it is not trained: the weight is then a Buffer.
            **arguments: those of the constructor.

        Raises:
            AssertionError: where embeddings has not two axes.
        """
        return cls(*_size(embeddings), _weight=embeddings, _freeze=freeze, **arguments)

    def __call__(
        self,
        input: Int[Array, "..."],
        offsets: Int[Array, " B"] | None = None,
        per_sample_weights: Float[Array, "..."] | None = None,
    ) -> Float[Array, "B D"]:
        """One row a bag; see functional.embedding_bag."""
        return F.embedding_bag(
            input,
            self._table(input),
            offsets,
            scale_grad_by_freq=self.scale_grad_by_freq,
            mode=self.mode,
            sparse=self.sparse,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        said = f"{self.num_embeddings}, {self.embedding_dim}" + _said(self, "max_norm norm_type")
        said += _said(self, "scale_grad_by_freq") + f", mode={self.mode!r}"
        return said + _said(self, "padding_idx")


DEFAULTS = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False}


def _said(layer: Any, names: str) -> str:
    """Arguments that are not as they are by default."""
    return "".join(f", {n}={getattr(layer, n)}" for n in names.split() if getattr(layer, n) != DEFAULTS[n])


def _size(embeddings: Float[Array, "V D"]) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise AssertionError(f"from_pretrained: embeddings has shape {tuple(embeddings.shape)}, wanted (V, D)")
    return embeddings.shape[0], embeddings.shape[1]
