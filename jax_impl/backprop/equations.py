"""The four equations of backpropagation, and their matrix form.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 2.
"""

from collections.abc import Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.backprop.layers import SIGMOID, Activation, Activations

__all__ = [
    "hadamard",
    "output_error",
    "hidden_error",
    "bias_gradient",
    "weight_gradient",
    "error_matrix",
]


def hadamard(s: Float[Array, "n m"], t: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """Multiply elementwise.

    (s o t)_j = s_j t_j

    Args:
        s: (n, m), floating point.
        t: the shape of s.

    Returns:
        (n, m).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> hadamard(array([[1.0], [2.0]]), array([[3.0], [4.0]])).tolist()
        [[3.0], [8.0]]

    References:
        Nielsen, chapter 2, eq. 28.
    """
    if s.shape != t.shape:
        raise ValueError(f"hadamard: got {tuple(s.shape)} and {tuple(t.shape)}, wanted one shape; transpose one?")
    return s * t


def output_error(
    cost_gradient: Float[Array, "n m"], z: Float[Array, "n m"], *, activation: Activation = SIGMOID
) -> Float[Array, "n m"]:
    """BP1: the error of the output layer; eq. 30 where the cost's gradient is a^L - y.

    delta^L = grad_a C o sigma'(z^L)

    Args:
        cost_gradient: (n, m), of each example's cost by its outputs.
        z: (n, m), the output layer's weighted inputs.
        activation: the output layer's.

    Returns:
        (n, m).

    Examples:
        >>> output_error(array([[0.5]]), array([[0.0]])).tolist()
        [[0.125]]

    References:
        Nielsen, chapter 2, BP1, eq. 29-30; the proof, eq. 36-39.
    """
    return hadamard(cost_gradient, activation.derivative(z))


def hidden_error(
    w_next: Float[Array, "k n"],
    error_next: Float[Array, "k m"],
    z: Float[Array, "n m"],
    *,
    activation: Activation = SIGMOID,
) -> Float[Array, "n m"]:
    """BP2: the error of a layer from the error of the next one.

    delta^l = ((w^{l+1})^T delta^{l+1}) o sigma'(z^l)

    Args:
        w_next: (k, n), the next layer's weights.
        error_next: (k, m), the next layer's error.
        z: (n, m), this layer's weighted inputs.
        activation: this layer's.

    Returns:
        (n, m).

    Examples:
        >>> hidden_error(array([[2.0, -4.0]]), array([[1.0]]), array([[0.0], [0.0]])).tolist()
        [[0.5], [-1.0]]

    References:
        Nielsen, chapter 2, BP2; the proof, eq. 40-45.
    """
    return hadamard(w_next.T @ error_next, activation.derivative(z))


def bias_gradient(error: Float[Array, "n m"]) -> Float[Array, "n 1"]:
    """BP3: the gradient of the biases is the error, averaged over the examples.

    dC/db^l_j = delta^l_j

    Args:
        error: (n, m).

    Returns:
        (n, 1).

    Examples:
        >>> bias_gradient(array([[1.0, 3.0]])).tolist()
        [[2.0]]

    References:
        Nielsen, chapter 2, BP3, eq. 31.
    """
    return jnp.mean(error, axis=1, keepdims=True)


def weight_gradient(a_before: Float[Array, "k m"], error: Float[Array, "n m"]) -> Float[Array, "n k"]:
    """BP4: the gradient of the weights is error times input activation, averaged over the examples.

    dC/dw^l_jk = a^{l-1}_k delta^l_j

    Args:
        a_before: (k, m), the activations that the layer reads.
        error: (n, m), the layer's.

    Returns:
        (n, k).

    Examples:
        >>> weight_gradient(array([[2.0], [5.0]]), array([[3.0]])).tolist()
        [[6.0, 15.0]]

    References:
        Nielsen, chapter 2, BP4, eq. 32.
    """
    return error @ a_before.T / error.shape[1]


@partial(jax.jit, static_argnames=("layer", "activations"))
def error_matrix(
    weights: Sequence[Float[Array, "_ _"]],
    zs: Sequence[Float[Array, "_ 1"]],
    *,
    layer: int,
    activations: Activations = None,
) -> Float[Array, "n outputs"]:
    """Write BP1 and BP2 without a Hadamard product: the matrix that takes the cost's gradient to a layer's error.

    delta^l = Sigma'(z^l) (w^{l+1})^T ... Sigma'(z^{L-1}) (w^L)^T Sigma'(z^L) grad_a C,  Sigma'(z) = diag(sigma'(z))

    Args:
        weights: a layer's (n, n before), floating point.
        zs: a layer's weighted inputs (n, 1), of one example.
        layer: which layer, from 0 for the first after the input.
        activations: a tuple, one a layer; None: sigmoid everywhere.

    Returns:
        (n, outputs): Sigma'(z^L) for the last layer, eq. 33; each layer before puts a Sigma' w^T in front, eq. 34.

    Raises:
        ValueError: no such layer.

    Examples:
        >>> weights, zs = [array([[9.0]]), array([[2.0]])], [array([[0.0]]), array([[0.0]])]
        >>> error_matrix(weights, zs, layer=1).tolist(), error_matrix(weights, zs, layer=0).tolist()
        ([[0.25]], [[0.125]])

    References:
        Nielsen, chapter 2, eq. 33-35.
    """
    if not 0 <= layer < len(weights):
        raise ValueError(f"error_matrix: got layer {layer}, wanted 0 to {len(weights) - 1}; 0 follows the input")
    activations = activations or (SIGMOID,) * len(zs)
    sigmas = [jnp.diag(g.derivative(z)[:, 0]) for g, z in zip(activations, zs, strict=True)]  # (n, n)
    factors = [sigmas[layer]]
    for w, sigma in zip(weights[layer + 1 :], sigmas[layer + 1 :], strict=True):
        factors += [w.T, sigma]
    return reduce(jnp.matmul, factors)
