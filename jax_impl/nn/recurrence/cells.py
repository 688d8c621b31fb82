"""Recurrent cells: a single step in time."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.module import Module
from jax_impl.nn.recurrence._reset import reset

__all__ = ["RNNCell", "LSTMCell", "GRUCell"]


class _Cell(Module):
    def __init__(self, input_size: int, hidden_size: int, bias: bool, gates: int, dtype: Any, rngs: nnx.Rngs) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.weight_ih = self._empty(gates * hidden_size, input_size, dtype=dtype)
        self.weight_hh = self._empty(gates * hidden_size, hidden_size, dtype=dtype)
        self.bias_ih = self._empty(gates * hidden_size, dtype=dtype) if bias else None
        self.bias_hh = self._empty(gates * hidden_size, dtype=dtype) if bias else None
        self.reset_parameters(rngs=rngs)

    def reset_parameters(self, *, rngs: nnx.Rngs) -> None:
        """Draw the parameters anew."""
        reset(self, self.hidden_size, rngs)

    def _weights(self) -> tuple[Any, ...]:
        return self._values("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def _state(self, input: Array, hx: Array | None, name: str) -> Array:
        """The state that goes with this input, zeros where none is given."""
        kind = type(self).__name__
        for what, value in (("input", input), (name, hx)):
            if value is not None and value.ndim not in (1, 2):
                raise ValueError(f"{kind}: {what} has {value.ndim} axes, wanted 1 or 2: (size,) or (N, size)")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"{kind}: input has {input.shape[-1]} features, wanted input_size {self.input_size}")
        wanted = (*input.shape[:-1], self.hidden_size)
        if hx is None:
            return jnp.zeros(wanted, input.dtype)
        if hx.shape != wanted:
            raise RuntimeError(f"{kind}: {name} has shape {tuple(hx.shape)}, wanted {wanted}")
        return hx

    def extra_repr(self) -> str:
        """The arguments."""
        said = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return said if nonlinearity == "tanh" else f"{said}, nonlinearity={nonlinearity}"


class RNNCell(_Cell):
    """One step of a plain recurrent net: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with ReLU.

    Args:
        input_size: the length of x.
        hidden_size: the length of h.
        bias: whether there are b_ih and b_hh.
        nonlinearity: "tanh" or "relu".
        dtype: of the parameters; None for float32.

    Examples:
        >>> tuple(RNNCell(3, 2, **rngs)(array([[1.0, 2.0, 3.0]])).shape)
        (1, 2)

    References:
        PyTorch, torch.nn.RNNCell.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, dtype, rngs)
        self.nonlinearity = nonlinearity

    def __call__(self, input: Float[Array, "*N I"], hx: Float[Array, "*N H"] | None = None) -> Float[Array, "*N H"]:
        """The next h, from x and h, which is zero where none is given.

        Raises:
            ValueError: where input or hx has not one or two axes.
            RuntimeError: where sizes do not fit, or the nonlinearity is unknown.
        """
        cells = {"tanh": F.rnn_tanh_cell, "relu": F.rnn_relu_cell}
        hx = self._state(input, hx, "hidden")
        if self.nonlinearity not in cells:
            raise RuntimeError(f"RNNCell: nonlinearity is {self.nonlinearity!r}, wanted 'tanh' or 'relu'")
        return cells[self.nonlinearity](input, hx, *self._weights())


class LSTMCell(_Cell):
    """One step of an LSTM.

    Args:
        input_size: the length of x.
        hidden_size: the length of h and of c.
        bias: whether there are b_ih and b_hh.
        dtype: of the parameters; None for float32.

    Examples:
        >>> h, c = LSTMCell(3, 2, **rngs)(array([[1.0, 2.0, 3.0]]))
        >>> tuple(h.shape), tuple(c.shape)
        ((1, 2), (1, 2))

    References:
        PyTorch, torch.nn.LSTMCell.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None, rngs: nnx.Rngs
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, dtype, rngs)

    def __call__(
        self, input: Float[Array, "*N I"], hx: tuple[Float[Array, "*N H"], Float[Array, "*N H"]] | None = None
    ) -> tuple[Float[Array, "*N H"], Float[Array, "*N H"]]:
        """The next (h, c), from x and (h, c), which are zero where none are given.

        Raises:
            ValueError: where input or a state has not one or two axes.
            RuntimeError: where sizes do not fit.
        """
        h, c = (self._state(input, None if hx is None else hx[i], f"hx[{i}]") for i in (0, 1))
        return F.lstm_cell(input, (h, c), *self._weights())


class GRUCell(_Cell):
    """One step of a GRU.

    Args:
        input_size: the length of x.
        hidden_size: the length of h.
        bias: whether there are b_ih and b_hh.
        dtype: of the parameters; None for float32.

    Examples:
        >>> tuple(GRUCell(3, 2, **rngs)(array([[1.0, 2.0, 3.0]])).shape)
        (1, 2)

    References:
        PyTorch, torch.nn.GRUCell.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None, rngs: nnx.Rngs
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, dtype, rngs)

    def __call__(self, input: Float[Array, "*N I"], hx: Float[Array, "*N H"] | None = None) -> Float[Array, "*N H"]:
        """The next h, from x and h, which is zero where none is given.

        Raises:
            ValueError: where input or hx has not one or two axes.
            RuntimeError: where sizes do not fit.
        """
        return F.gru_cell(input, self._state(input, hx, "hidden"), *self._weights())
