"""Adaptive softmax: frequent classes in a head, rare ones in clusters behind it, each with a smaller projection."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl.functional.arguments import check_indices
from jax_impl.nn.containers import ModuleList, Sequential
from jax_impl.nn.linear import Linear
from jax_impl.nn.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Float[Array, "*N"]
    loss: Float[Array, ""]


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probability of the right class, of many, most of them rare; and the mean of its negative.

    log p = log p_head(class), or log p_head(its cluster) + log p_cluster(class).

    Every cluster is computed for every example and what is not needed is masked, so that shapes do not hang on values.

    Args:
        in_features: the length of the input's last axis.
        n_classes: how many classes, the frequent ones first.
        cutoffs: where each cluster begins, ascending.
        div_value: by how much each cluster's projection is smaller than the one before.
        head_bias: whether the head has a bias.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where cutoffs are empty, not ascending, or out of range.

    Examples:
        >>> layer = AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4], div_value=2.0, **rngs)
        >>> tuple(layer.log_prob(array([[1.0, 2.0, 3.0, 4.0]])).shape)
        (1, 6)

    References:
        PyTorch, torch.nn.AdaptiveLogSoftmaxWithLoss; E. Grave et al., "Efficient softmax approximation" (2017).
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        ascending = cutoffs == sorted(set(cutoffs)) and all(int(c) == c for c in cutoffs)
        if not cutoffs or not ascending or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs are {cutoffs}, wanted ascending whole numbers, 1 to "
                f"{n_classes - 1}"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = (*cutoffs, n_classes)
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, dtype=dtype, rngs=rngs)
        self.tail = ModuleList(
            [
                Sequential(
                    Linear(in_features, int(in_features // div_value ** (i + 1)), False, dtype=dtype, rngs=rngs),
                    Linear(int(in_features // div_value ** (i + 1)), stop - start, False, dtype=dtype, rngs=rngs),
                )
                for i, (start, stop) in enumerate(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))
            ]
        )

    def reset_parameters(self, *, rngs: nnx.Rngs) -> None:
        """Draw the parameters anew."""
        self.head.reset_parameters(rngs=rngs)
        for cluster in self.tail:
            for projection in cluster:
                projection.reset_parameters(rngs=rngs)

    def __call__(self, input_: Float[Array, "*N I"], target_: Int[Array, "*N"]) -> _ASMoutput:
        """The log-probabilities of the targets, and the loss, for (N, I) with (N,) or (I,) with ().

        Raises:
            RuntimeError: where shapes do not fit, or a target that is not being traced is no class.
        """
        _check(input_, target_, self.n_classes)
        input, target = jnp.atleast_2d(input_), jnp.atleast_1d(target_)
        head = F.log_softmax(self.head(input), 1)  # (N, head_size)
        output = _chosen(head, jnp.clip(target, 0, self.shortlist_size - 1))
        for i, cluster in enumerate(self.tail):
            start, stop = self.cutoffs[i], self.cutoffs[i + 1]
            within = _chosen(F.log_softmax(cluster(input), 1), jnp.clip(target - start, 0, stop - start - 1))
            output = jnp.where(target >= start, head[:, self.shortlist_size + i] + within, output)
        return _ASMoutput(output if target_.ndim else output[0], -output.mean())

    def log_prob(self, input: Float[Array, "N I"]) -> Float[Array, "N C"]:
        """The log-probability of every class."""
        head = F.log_softmax(self.head(input), 1)
        clusters = [
            F.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + i, None]
            for i, cluster in enumerate(self.tail)
        ]
        return jnp.concatenate([head[:, : self.shortlist_size], *clusters], 1)

    def predict(self, input: Float[Array, "N I"]) -> Int[Array, " N"]:
        """The class of the largest log-probability; the head's own where that leads the head."""
        head = self.head(input).argmax(1)
        return jnp.where(head < self.shortlist_size, head, self.log_prob(input).argmax(1))


def _chosen(log_p: Float[Array, "N K"], index: Int[Array, " N"]) -> Float[Array, " N"]:
    return jnp.take_along_axis(log_p, index[:, None], 1)[:, 0]


def _check(input: Float[Array, "*N I"], target: Int[Array, "*N"], n_classes: int) -> None:
    name = "AdaptiveLogSoftmaxWithLoss"
    if target.ndim > 1 or input.ndim != target.ndim + 1 or input.shape[:-1] != target.shape:
        raise RuntimeError(
            f"{name}: input has shape {tuple(input.shape)} and target {tuple(target.shape)}, wanted (N, I) "
            "and (N,), or (I,) and ()"
        )
    try:
        check_indices(name, target, n_classes)
    except IndexError as error:
        raise RuntimeError(str(error)) from None
