"""One step of a recurrent net in time: the plain cell, the LSTM and the GRU.

Weights are those of torch: all gates of a cell in one matrix, and a bias for the input and one for the past.
"""

from jax import Array
from jaxtyping import Float

from jax_impl.functional import _gates
from jax_impl.functional._gates import affine

__all__ = ["rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell"]


def rnn_tanh_cell(
    input: Float[Array, "*N I"],
    hx: Float[Array, "*N H"],
    w_ih: Float[Array, "H I"],
    w_hh: Float[Array, "H H"],
    b_ih: Float[Array, " H"] | None = None,
    b_hh: Float[Array, " H"] | None = None,
) -> Float[Array, "*N H"]:
    """The plain cell: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input: x, (*, input_size).
        hx: h, (*, hidden_size).
        w_ih, w_hh, b_ih, b_hh: the weights.

    Returns:
        h', (*, hidden_size).

    Examples:
        >>> w = array([[1.0]])
        >>> rnn_tanh_cell(array([[1.0]]), array([[-1.0]]), w, w).tolist()
        [[0.0]]

    References:
        PyTorch, torch.nn.RNNCell.
    """
    return _gates.ACTIVATIONS["tanh"](affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))


def rnn_relu_cell(
    input: Float[Array, "*N I"],
    hx: Float[Array, "*N H"],
    w_ih: Float[Array, "H I"],
    w_hh: Float[Array, "H H"],
    b_ih: Float[Array, " H"] | None = None,
    b_hh: Float[Array, " H"] | None = None,
) -> Float[Array, "*N H"]:
    """The plain cell with ReLU: h' = max(0, W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input: x, (*, input_size).
        hx: h, (*, hidden_size).
        w_ih, w_hh, b_ih, b_hh: the weights.

    Returns:
        h', (*, hidden_size).

    Examples:
        >>> w = array([[1.0]])
        >>> rnn_relu_cell(array([[1.0]]), array([[2.0]]), w, w).tolist()
        [[3.0]]

    References:
        PyTorch, torch.nn.RNNCell.
    """
    return _gates.ACTIVATIONS["relu"](affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))


def lstm_cell(
    input: Float[Array, "*N I"],
    hx: tuple[Float[Array, "*N H"], Float[Array, "*N H"]],
    w_ih: Float[Array, "4H I"],
    w_hh: Float[Array, "4H H"],
    b_ih: Float[Array, " 4H"] | None = None,
    b_hh: Float[Array, " 4H"] | None = None,
) -> tuple[Float[Array, "*N H"], Float[Array, "*N H"]]:
    """The LSTM: c' = sigma(f) c + sigma(i) tanh(g), h' = sigma(o) tanh(c'); i, f, g, o from x and h.

    Args:
        input: x, (*, input_size).
        hx: h and c, each (*, hidden_size).
        w_ih, w_hh, b_ih, b_hh: the weights of i, f, g and o, in this order.

    Returns:
        h' and c', each (*, hidden_size).

    Examples:
        >>> zero = array([[0.0], [0.0], [0.0], [0.0]])
        >>> h, c = lstm_cell(array([[1.0]]), (array([[1.0]]), array([[2.0]])), zero, zero)
        >>> c.tolist()
        [[1.0]]

    References:
        PyTorch, torch.nn.LSTMCell; Hochreiter and Schmidhuber (1997).
    """
    h, c = hx
    return _gates.lstm(affine(input, w_ih, b_ih) + affine(h, w_hh, b_hh), c)


def gru_cell(
    input: Float[Array, "*N I"],
    hx: Float[Array, "*N H"],
    w_ih: Float[Array, "3H I"],
    w_hh: Float[Array, "3H H"],
    b_ih: Float[Array, " 3H"] | None = None,
    b_hh: Float[Array, " 3H"] | None = None,
) -> Float[Array, "*N H"]:
    """The GRU: n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h; r and z are sigmoids of x and h.

    Args:
        input: x, (*, input_size).
        hx: h, (*, hidden_size).
        w_ih, w_hh, b_ih, b_hh: the weights of r, z and n, in this order.

    Returns:
        h', (*, hidden_size).

    Examples:
        >>> zero = array([[0.0], [0.0], [0.0]])
        >>> gru_cell(array([[1.0]]), array([[2.0]]), zero, zero).tolist()
        [[1.0]]

    References:
        PyTorch, torch.nn.GRUCell; Cho et al. (2014), with the reset behind the product.
    """
    return _gates.gru(affine(input, w_ih, b_ih), affine(hx, w_hh, b_hh), hx)
