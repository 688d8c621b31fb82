"""Layers of cross-entropy: of log-probabilities, of scores, and of scores that a linear layer makes."""

import math
from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float, Int, Num

from jax_impl import functional as F
from jax_impl.nn.linear import Linear
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "NLLLoss",
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
]


class NLLLoss(_Loss):
    """-w_y log p_y: the negative log-likelihood of the right class.

    Args:
        weight: of each class, (C,).
        size_average: deprecated.
        ignore_index: a class whose elements count for nothing.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(NLLLoss()(array([[-1.0, -2.0]]), array([1])))
        2.0

    References:
        PyTorch, torch.nn.NLLLoss.
    """

    def __init__(
        self,
        weight: Float[Array, " C"] | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)

    def __call__(self, input: Float[Array, "N C *D"], target: Int[Array, "N *D"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.nll_loss(
            input, target, self._values("weight")[0], ignore_index=self.ignore_index, reduction=self.reduction
        )


class CrossEntropyLoss(_Loss):
    """-sum_c q_c w_c log softmax(x)_c, q one-hot or given, smoothed where asked for.

    Args:
        weight: of each class, (C,).
        size_average: deprecated.
        ignore_index: a class whose elements count for nothing.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".
        label_smoothing: how much of q is spread evenly over the classes, in [0, 1].

    Examples:
        >>> round(float(CrossEntropyLoss()(array([[0.0, 0.0, 0.0]]), array([1]))), 4)
        1.0986

    References:
        PyTorch, torch.nn.CrossEntropyLoss.
    """

    def __init__(
        self,
        weight: Float[Array, " C"] | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self.register_buffer("weight", weight)

    def __call__(self, input: Float[Array, "N C *D"], target: Num[Array, "..."]) -> Float[Array, "..."]:
        """The loss of scores with classes, or with probabilities of their shape."""
        return F.cross_entropy(
            input,
            target,
            self._values("weight")[0],
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(_Loss):
    """CrossEntropyLoss of the scores that a linear layer of its own makes.

    Args:
        in_features: the length of the input's last axis.
        num_classes: C.
        out_features: the shape of the positions, each of which has a class; none by default.
        bias: whether the linear layer has a bias.
        dtype: of the parameters; None for float32.
        reduction: "none", "mean" or "sum".
        weight: of each class, (C,).
        ignore_index: a class whose elements count for nothing, -100 where None; None is needed with probabilities.
        label_smoothing: as for CrossEntropyLoss.
        options: with a batch_chunk_size, the scores of that many examples at a time are held.

    Raises:
        RuntimeError: where weight has another shape, or label_smoothing is out of range.

    Examples:
        >>> layer = LinearCrossEntropyLoss(2, 2, **rngs)
        >>> layer.load_state_dict({"linear.weight": array([[0.0, 0.0], [0.0, 0.0]])})
        <All keys matched successfully>
        >>> round(float(layer(array([[1.0, 2.0]]), array([1]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.LinearCrossEntropyLoss, new in 2.13.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Float[Array, " C"] | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(
                f"LinearCrossEntropyLoss: weight has shape {tuple(weight.shape)}, wanted ({num_classes},): one a class"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"LinearCrossEntropyLoss: label_smoothing is {label_smoothing}, wanted 0 to 1")
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, dtype=dtype, rngs=rngs)

    def __call__(self, input: Float[Array, "*N I"], target: Num[Array, "..."]) -> Float[Array, "..."]:
        """The loss of the scores of input with target."""
        shape = (self.num_classes, *self.out_features)
        weight, bias = self.linear._values("weight", "bias")
        return F.linear_cross_entropy(
            input,
            weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self._values("weight")[0],
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features},"
            f" bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index},"
            f" label_smoothing={self.label_smoothing}, options={self.options}"
        )
