"""One step of a recurrent net in time: the plain cell, the LSTM and the GRU.

Weights are those of torch: all gates of a cell in one matrix, and a bias for the input and one for the past.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.functional.linear import linear as affine

__all__ = ["rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell"]


def rnn_tanh_cell(
    input: Float[Tensor, "*N I"],
    hx: Float[Tensor, "*N H"],
    w_ih: Float[Tensor, "H I"],
    w_hh: Float[Tensor, "H H"],
    b_ih: Float[Tensor, " H"] | None = None,
    b_hh: Float[Tensor, " H"] | None = None,
) -> Float[Tensor, "*N H"]:
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
    return torch.tanh(affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))


def rnn_relu_cell(
    input: Float[Tensor, "*N I"],
    hx: Float[Tensor, "*N H"],
    w_ih: Float[Tensor, "H I"],
    w_hh: Float[Tensor, "H H"],
    b_ih: Float[Tensor, " H"] | None = None,
    b_hh: Float[Tensor, " H"] | None = None,
) -> Float[Tensor, "*N H"]:
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
    return torch.relu(affine(input, w_ih, b_ih) + affine(hx, w_hh, b_hh))


def lstm_cell(
    input: Float[Tensor, "*N I"],
    hx: tuple[Float[Tensor, "*N H"], Float[Tensor, "*N H"]],
    w_ih: Float[Tensor, "4H I"],
    w_hh: Float[Tensor, "4H H"],
    b_ih: Float[Tensor, " 4H"] | None = None,
    b_hh: Float[Tensor, " 4H"] | None = None,
) -> tuple[Float[Tensor, "*N H"], Float[Tensor, "*N H"]]:
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
    i, f, g, o = (affine(input, w_ih, b_ih) + affine(h, w_hh, b_hh)).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_cell(
    input: Float[Tensor, "*N I"],
    hx: Float[Tensor, "*N H"],
    w_ih: Float[Tensor, "3H I"],
    w_hh: Float[Tensor, "3H H"],
    b_ih: Float[Tensor, " 3H"] | None = None,
    b_hh: Float[Tensor, " 3H"] | None = None,
) -> Float[Tensor, "*N H"]:
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
    (r_i, z_i, n_i), (r_h, z_h, n_h) = (s.chunk(3, dim=-1) for s in (affine(input, w_ih, b_ih), affine(hx, w_hh, b_hh)))
    r, z = torch.sigmoid(r_i + r_h), torch.sigmoid(z_i + z_h)
    n = torch.tanh(n_i + r * n_h)
    return n + z * (hx - n)
