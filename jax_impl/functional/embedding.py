"""Rows of a table by number, one each, or a bag of them added, averaged, or reduced to the largest."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int

from jax_impl.functional.arguments import check_indices
from jax_impl.functional.distance import vector_norm
from jax_impl.functional.gradients import scaled_gradient, straight_through

__all__ = ["embedding", "embedding_bag", "embedding_renorm"]


def embedding(
    input: Int[Array, "*S"],
    weight: Float[Array, "V D"],
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Float[Array, "*S D"]:
    """The rows of a table that the input names.

    Args:
        input: row numbers, any shape, integer, in [0, V).
        weight: the table (V, D), floating.
        padding_idx: a row that gets no gradient, from the end where negative.
        max_norm: rows that are longer come out at this length; the gradient is as if they had it.
        norm_type: of the norm that measures length.
        scale_grad_by_freq: whether each row's gradient is divided by how often the input names it.
        sparse: no effect: JAX has no sparse gradients.

    Returns:
        Input's shape with D behind; NaN for a number outside [0, V) that is being traced.

    Raises:
        AssertionError: where padding_idx is no row.
        RuntimeError: where input is not integer.
        IndexError: for a number outside [0, V) that is not being traced.

    Examples:
        >>> embedding(array([1, 0]), array([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[3.0, 4.0], [1.0, 2.0]]

    References:
        PyTorch, torch.nn.functional.embedding.
    """
    # torch writes the shortened rows into weight; here embedding_renorm returns the table that holds them
    padding_idx = _row("embedding", padding_idx, weight)
    check_indices("embedding", input, len(weight))
    if max_norm is not None:
        weight = straight_through(embedding_renorm(weight, input, max_norm, norm_type), weight)
    rows = _take(weight, input)
    factor = _factor(input, weight, padding_idx, scale_grad_by_freq)
    return rows if factor is None else scaled_gradient(rows, factor[..., None])


def embedding_bag(
    input: Int[Array, "..."],
    weight: Float[Array, "V D"],
    offsets: Int[Array, " B"] | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Float[Array, "..."] | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Float[Array, "B D"]:
    """The sum, the mean or the largest elements of the rows in each bag; zeros for an empty bag.

    Args:
        input: row numbers, (B, N): bags of N each; or (N,) with offsets. Integer, in [0, V).
        weight: the table (V, D), floating.
        offsets: where each bag begins in input, (B,), integer, ascending from 0.
        max_norm: as for embedding.
        norm_type: as for embedding.
        scale_grad_by_freq: as for embedding; not for "max". Torch's kernel for the CPU divides by the counts of other
            rows where the counts differ.
        mode: "sum", "mean" or "max".
        sparse: no effect: JAX has no sparse gradients; not for "max".
        per_sample_weights: factors of the rows, as input; for "sum" alone.
        include_last_offset: whether the last of offsets is no bag's beginning but the last one's end.
        padding_idx: a row that belongs to no bag, from the end where negative.

    Returns:
        (B, D).

    Raises:
        ValueError: where arguments do not go together.
        NotImplementedError: for weights with another mode.
        RuntimeError: where input is not integer, or padding_idx is no row.
        IndexError: for a number outside [0, V) that is not being traced.

    Examples:
        >>> embedding_bag(array([0, 1, 1]), array([[1.0], [3.0]]), array([0, 2])).tolist()
        [[2.0], [3.0]]

    References:
        PyTorch, torch.nn.functional.embedding_bag.
    """
    _check_bags(input, weight, offsets, per_sample_weights, mode, scale_grad_by_freq, sparse)
    if padding_idx is not None and not -len(weight) <= padding_idx < len(weight):
        raise RuntimeError(f"embedding_bag: padding_idx is {padding_idx} for a table of {len(weight)} rows")
    padding_idx = None if padding_idx is None else padding_idx % len(weight)
    check_indices("embedding_bag", input, len(weight))
    flat = input.reshape(-1)
    bag, bags = _bags(input, offsets, include_last_offset)
    if max_norm is not None:
        weight = straight_through(embedding_renorm(weight, flat, max_norm, norm_type), weight)
    rows = _take(weight, flat)  # (N, D)
    counted = jnp.ones(flat.shape, bool) if padding_idx is None else flat != padding_idx
    if mode == "max":
        return _largest(rows, bag, bags, counted)
    factor = _factor(flat, weight, padding_idx, scale_grad_by_freq)
    if factor is not None:
        rows = scaled_gradient(rows, factor[:, None])
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    total = jax.ops.segment_sum(jnp.where(counted[:, None], rows, 0), bag, bags)
    if mode == "sum":
        return total
    return total / jnp.maximum(jax.ops.segment_sum(counted.astype(rows.dtype), bag, bags), 1)[:, None]


def embedding_renorm(
    weight: Float[Array, "V D"], input: Int[Array, "*S"], max_norm: float, norm_type: float = 2.0
) -> Float[Array, "V D"]:
    """The table with the rows that the input names cut to a greatest length.

    Args:
        weight: the table (V, D), floating.
        input: row numbers, any shape, integer.
        max_norm: the greatest length.
        norm_type: of the norm that measures it.

    Returns:
        (V, D).

    Examples:
        >>> embedding_renorm(array([[3.0, 4.0], [3.0, 4.0]]), array([0]), 0.0).tolist()
        [[0.0, 0.0], [3.0, 4.0]]

    References:
        PyTorch, torch.embedding_renorm_.
    """
    length = vector_norm(weight, norm_type, -1)
    named = jnp.zeros(len(weight), bool).at[input.reshape(-1)].set(True, mode="drop", wrap_negative_indices=False)
    scale = jnp.where(named & (length > max_norm), max_norm / (length + 1e-7), 1)  # torch's 1e-7
    return weight * scale[:, None]


def _take(weight: Float[Array, "V D"], index: Int[Array, "*S"]) -> Float[Array, "*S D"]:
    return weight.at[index].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


def _factor(
    index: Int[Array, "*S"], weight: Float[Array, "V D"], padding_idx: int | None, by_frequency: bool
) -> Float[Array, "*S"] | None:
    """What each row's gradient is multiplied by, or None for 1."""
    if padding_idx is None and not by_frequency:
        return None
    factor = jnp.ones(index.shape, weight.dtype)
    if by_frequency:
        factor = factor / jnp.zeros(len(weight), weight.dtype).at[index].add(1)[index]
    return factor if padding_idx is None else jnp.where(index == padding_idx, 0, factor)


def _row(name: str, padding_idx: int | None, weight: Float[Array, "V D"]) -> int | None:
    if padding_idx is None:
        return None
    if not -len(weight) <= padding_idx < len(weight):
        raise AssertionError(f"{name}: padding_idx is {padding_idx} for a table of {len(weight)} rows")
    return padding_idx % len(weight)


def _bags(
    input: Int[Array, "..."], offsets: Int[Array, " B"] | None, include_last_offset: bool
) -> tuple[Int[Array, " N"], int]:
    """Which bag each number is in, and how many bags there are."""
    if input.ndim == 2 or offsets is None:
        return jnp.repeat(jnp.arange(input.shape[0]), input.shape[1]), input.shape[0]
    starts = offsets[:-1] if include_last_offset else offsets
    return jnp.searchsorted(starts, jnp.arange(len(input)), side="right") - 1, len(starts)


def _largest(
    rows: Float[Array, "N D"], bag: Int[Array, " N"], bags: int, counted: Bool[Array, " N"]
) -> Float[Array, "B D"]:
    """The largest of each column in each bag; the gradient goes to the first of equals, as in torch."""
    held = jax.lax.stop_gradient(jnp.where(counted[:, None], rows, -jnp.inf))
    top = jax.ops.segment_max(held, bag, bags)  # (B, D)
    places = jnp.where((held == top[bag]) & counted[:, None], jnp.arange(len(rows))[:, None], len(rows))
    first = jax.ops.segment_min(places, bag, bags)  # (B, D)
    return jnp.where(first < len(rows), jnp.take_along_axis(rows, jnp.clip(first, 0, max(0, len(rows) - 1)), 0), 0)


def _check_bags(
    input: Int[Array, "..."],
    weight: Float[Array, "V D"],
    offsets: Int[Array, " B"] | None,
    per_sample_weights: Float[Array, "..."] | None,
    mode: str,
    scale_grad_by_freq: bool,
    sparse: bool,
) -> None:
    name = "embedding_bag"
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"{name}: per_sample_weights has shape {tuple(per_sample_weights.shape)}, wanted "
            f"input's {tuple(input.shape)}"
        )
    if weight.ndim != 2:
        raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}, wanted (V, D)")
    if input.ndim not in (1, 2):
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, wanted (B, N), or (N,) with offsets")
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            f"{name}: offsets are given for input {tuple(input.shape)}, whose rows are the bags; wanted none"
        )
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, wanted offsets (B,) with it")
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{name}: mode is {mode!r}, wanted 'sum', 'mean' or 'max'")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError(f"{name}: mode 'max' goes with neither scale_grad_by_freq nor sparse")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f"{name}: per_sample_weights with mode {mode!r}, wanted 'sum'")
