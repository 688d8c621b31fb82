"""Layers of dropout: of elements or of whole channels, to 0 or to the value at which selu saturates.

In training each call draws a mask from the layer's own stream, or takes the one that is given.
"""

from flax import nnx
from jax import Array
from jaxtyping import Bool, Float

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]


def _stream(rngs: nnx.Rngs | nnx.RngStream | None) -> nnx.RngStream | None:
    """The stream that a layer draws from in training, its own, as flax.nnx.Dropout takes it.

    Args:
        rngs: its stream "dropout" is forked, or "default" where it has none of that name; or a stream; or None.

    Returns:
        A stream, or None: then the layer cannot draw.

    References:
        Flax, nnx.Dropout.
    """
    if rngs is None:
        return None
    return (rngs.dropout if isinstance(rngs, nnx.Rngs) else rngs).fork()


class _Dropout(Module):
    """What the layers share: the probability, the stream, and when a key is drawn."""

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rngs: nnx.Rngs | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is {p}, wanted a probability")
        self.p, self.inplace = p, inplace
        self.rngs = nnx.data(_stream(rngs))

    def _key(self, mask: Bool[Array, "..."] | None) -> Array | None:
        wanted = self.training and mask is None and 0 < self.p < 1
        return self.rngs() if wanted and self.rngs is not None else None

    def extra_repr(self) -> str:
        """The arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, sets elements to 0 with probability p and divides the others by 1 - p.

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> Dropout()(array([1.0, 2.0]), array([True, False])).tolist()
        [2.0, 0.0]

    References:
        PyTorch, torch.nn.Dropout.
    """

    def __call__(self, input: Float[Array, "*S"], mask: Bool[Array, "..."] | None = None) -> Float[Array, "*S"]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.dropout(input, self.p, self.training, key=self._key(mask), mask=mask)


class Dropout1d(_Dropout):
    """Dropout of whole channels of (C, L) or (N, C, L).

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> Dropout1d()(array([[1.0, 2.0], [3.0, 4.0]]), array([[True], [False]])).tolist()
        [[2.0, 4.0], [0.0, 0.0]]

    References:
        PyTorch, torch.nn.Dropout1d.
    """

    def __call__(self, input: Float[Array, "*N C L"], mask: Bool[Array, "..."] | None = None) -> Float[Array, "*N C L"]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.dropout1d(input, self.p, self.training, key=self._key(mask), mask=mask)


class Dropout2d(_Dropout):
    """Dropout of whole channels of (N, C, H, W), or of (N, C, L), as torch takes three axes.

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> Dropout2d()(array([[[[1.0, 2.0]]]]), array([[[[True]]]])).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.Dropout2d.
    """

    def __call__(self, input: Float[Array, "..."], mask: Bool[Array, "..."] | None = None) -> Float[Array, "..."]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.dropout2d(input, self.p, self.training, key=self._key(mask), mask=mask)


class Dropout3d(_Dropout):
    """Dropout of whole channels of (C, D, H, W) or (N, C, D, H, W).

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> Dropout3d()(array([[[[1.0, 2.0]]]]), array([[[[True]]]])).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.Dropout3d.
    """

    def __call__(
        self, input: Float[Array, "*N C D H W"], mask: Bool[Array, "..."] | None = None
    ) -> Float[Array, "*N C D H W"]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.dropout3d(input, self.p, self.training, key=self._key(mask), mask=mask)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1, for use with SELU.

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> [round(y, 4) for y in AlphaDropout()(array([1.0, 2.0]), array([True, False])).tolist()]
        [1.6656, -0.7792]

    References:
        PyTorch, torch.nn.AlphaDropout.
    """

    def __call__(self, input: Float[Array, "*S"], mask: Bool[Array, "..."] | None = None) -> Float[Array, "*S"]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.alpha_dropout(input, self.p, self.training, key=self._key(mask), mask=mask)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of (N, C, ...).

    Args:
        p: the probability, in [0, 1].
        inplace: no effect: arrays do not change.
        rngs: where masks are drawn from, in training.

    Raises:
        ValueError: where p is no probability.

    Examples:
        >>> [round(y, 4) for y in FeatureAlphaDropout()(array([[1.0]]), array([[True]]))[0].tolist()]
        [1.6656]

    References:
        PyTorch, torch.nn.FeatureAlphaDropout.
    """

    def __call__(self, input: Float[Array, "N C *D"], mask: Bool[Array, "..."] | None = None) -> Float[Array, "N C *D"]:
        """With the mask given, True for what stays, or with one that is drawn."""
        return F.feature_alpha_dropout(input, self.p, self.training, key=self._key(mask), mask=mask)
