"""Layers of recurrent cells over a sequence, in one direction or in both.

What an input adds to the gates is one product for all of time; the rest is a scan.
"""

from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl.functional import _gates
from jax_impl.functional._gates import affine
from jax_impl.nn.packing import PackedSequence
from jax_impl.nn.recurrence._stack import Stack, Step

__all__ = ["RNN", "LSTM", "GRU"]

Sequences = Float[Array, "..."] | PackedSequence


class RNN(Stack):
    """Layers of plain recurrent cells over a sequence: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or ReLU.

    Sequences of different lengths in one batch are packed (`pack_sequence`), or padded.

    Args:
        input_size: the length of each x_t.
        hidden_size: the length of h.
        num_layers: each after the first takes the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether there are b_ih and b_hh.
        batch_first: whether batches are (N, T, ...) and not (T, N, ...); states are (layers, N, ...) in any case.
        dropout: the probability of dropout on the outputs of all layers but the last, in training.
        bidirectional: whether a second set of layers runs from the end; outputs are joined.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where a size is not positive, dropout is no probability, or the nonlinearity is unknown.
        TypeError: where a size is no whole number, or a flag no bool.

    Examples:
        >>> output, h = RNN(3, 2, num_layers=2, **rngs)(array([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]))
        >>> tuple(output.shape), tuple(h.shape)
        ((2, 1, 2), (2, 1, 2))

    References:
        PyTorch, torch.nn.RNN.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        if nonlinearity not in _gates.ACTIVATIONS:
            raise ValueError(f"RNN: nonlinearity is {nonlinearity!r}, wanted 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype, rngs)
        self.nonlinearity = nonlinearity

    def _cell(self, x: Array, weights: Any) -> tuple[Step, Array]:
        w_ih, w_hh, b_ih, b_hh, _ = weights
        activation = _gates.ACTIVATIONS[self.nonlinearity]

        def step(state: tuple[Array, ...], own: Array) -> tuple[tuple[Array, ...], Array]:
            h = activation(own + affine(state[0], w_hh, None))
            return (h,), h

        own = affine(x, w_ih, None if b_ih is None else b_ih + b_hh)
        return step, own

    def __call__(self, input: Sequences, hx: Float[Array, "..."] | None = None) -> tuple[Any, Array]:
        """Every h of the last layer (T, N, directions * hidden_size), and the last h of each (layers, N, hidden_size).

        Args:
            input: (T, N, input_size), (N, T, input_size) where batch_first, or (T, input_size); of a PackedSequence the
                output is one too.
            hx: the first h of each layer and direction; zeros where none is given.

        Raises:
            RuntimeError: where sizes do not fit.
            ValueError: where the input has not two or three axes, or another dtype than the weights.
        """
        output, (h,) = self._run(input, (hx,))
        return output, h


class LSTM(Stack):
    """Layers of LSTM cells over a sequence.

    Sequences of different lengths in one batch are packed (`pack_sequence`), or padded.

    Args:
        input_size: the length of each x_t.
        hidden_size: the length of c, and of h where it is not projected.
        num_layers: each after the first takes the outputs of the one before.
        bias: whether there are b_ih and b_hh.
        batch_first: whether batches are (N, T, ...) and not (T, N, ...); states are (layers, N, ...) in any case.
        dropout: the probability of dropout on the outputs of all layers but the last, in training.
        bidirectional: whether a second set of layers runs from the end; outputs are joined.
        proj_size: where positive, h is projected to this length: h = W_hr (sigma(o) tanh(c)).
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where a size is not positive, dropout is no probability, or proj_size is not below hidden_size.
        TypeError: where a size is no whole number, or a flag no bool.

    Examples:
        >>> output, (h, c) = LSTM(3, 2, bidirectional=True, **rngs)(array([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]))
        >>> tuple(output.shape), tuple(h.shape), tuple(c.shape)
        ((2, 1, 4), (2, 1, 2), (2, 1, 2))

    References:
        PyTorch, torch.nn.LSTM; Sak et al. (2014), on projections.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, dtype, rngs
        )

    def _cell(self, x: Array, weights: Any) -> tuple[Step, Array]:
        w_ih, w_hh, b_ih, b_hh, w_hr = weights

        def step(state: tuple[Array, ...], own: Array) -> tuple[tuple[Array, ...], Array]:
            h, c = _gates.lstm(own + affine(state[0], w_hh, None), state[1])
            h = h if w_hr is None else affine(h, w_hr, None)
            return (h, c), h

        own = affine(x, w_ih, None if b_ih is None else b_ih + b_hh)
        return step, own

    def __call__(
        self,
        input: Float[Array, "..."] | PackedSequence,
        hx: tuple[Float[Array, "..."], Float[Array, "..."]] | None = None,
    ) -> tuple[Any, tuple[Array, Array]]:
        """Every h of the last layer (T, N, directions * out), and the last (h, c) of each, (layers, N, out or hidden).

        Args:
            input: (T, N, input_size), (N, T, input_size) where batch_first, or (T, input_size); of a PackedSequence the
                output is one too.
            hx: the first h and c of each layer and direction; zeros where none are given.

        Raises:
            RuntimeError: where sizes do not fit.
            ValueError: where the input has not two or three axes, or another dtype than the weights.
        """
        output, (h, c) = self._run(input, (None, None) if hx is None else hx)
        return output, (h, c)


class GRU(Stack):
    """Layers of GRU cells over a sequence.

    Sequences of different lengths in one batch are packed (`pack_sequence`), or padded.

    Args:
        input_size: the length of each x_t.
        hidden_size: the length of h.
        num_layers: each after the first takes the outputs of the one before.
        bias: whether there are b_ih and b_hh.
        batch_first: whether batches are (N, T, ...) and not (T, N, ...); states are (layers, N, ...) in any case.
        dropout: the probability of dropout on the outputs of all layers but the last, in training.
        bidirectional: whether a second set of layers runs from the end; outputs are joined.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where a size is not positive, or dropout is no probability.
        TypeError: where a size is no whole number, or a flag no bool.

    Examples:
        >>> output, h = GRU(3, 2, batch_first=True, **rngs)(array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]))
        >>> tuple(output.shape), tuple(h.shape)
        ((1, 2, 2), (1, 1, 2))

    References:
        PyTorch, torch.nn.GRU.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype, rngs)

    def _cell(self, x: Array, weights: Any) -> tuple[Step, Array]:
        w_ih, w_hh, b_ih, b_hh, _ = weights

        def step(state: tuple[Array, ...], own: Array) -> tuple[tuple[Array, ...], Array]:
            h = _gates.gru(own, affine(state[0], w_hh, b_hh), state[0])
            return (h,), h

        return step, affine(x, w_ih, b_ih)

    def __call__(self, input: Sequences, hx: Float[Array, "..."] | None = None) -> tuple[Any, Array]:
        """Every h of the last layer (T, N, directions * hidden_size), and the last h of each (layers, N, hidden_size).

        Args:
            input: (T, N, input_size), (N, T, input_size) where batch_first, or (T, input_size); of a PackedSequence the
                output is one too.
            hx: the first h of each layer and direction; zeros where none is given.

        Raises:
            RuntimeError: where sizes do not fit.
            ValueError: where the input has not two or three axes, or another dtype than the weights.
        """
        output, (h,) = self._run(input, (hx,))
        return output, h
