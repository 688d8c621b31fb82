"""One gradient four ways: backpropagation, autograd, finite differences, and the sum over paths.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 2.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.backprop.equations import bias_gradient, hidden_error, output_error, weight_gradient
from torch_impl.backprop.layers import SIGMOID, Activations, Parameters, cost, cost_gradient, feedforward

__all__ = [
    "backprop",
    "autograd",
    "finite_differences",
    "finite_difference_errors",
    "Paths",
    "path_sum",
    "passes",
]


def backprop(
    params: Parameters, x: Float[Tensor, "inputs m"], y: Float[Tensor, "outputs m"], *, activations: Activations = None
) -> Parameters:
    """Take the gradient in the algorithm's five steps, all examples of a mini-batch at once.

    1 input a^1;  2 feedforward;  3 output error, BP1;  4 backpropagate, BP2;  5 gradients, BP3 and BP4

    Args:
        params: weights and biases, floating point.
        x: (inputs, m), one column an example.
        y: (outputs, m), what the outputs should be.
        activations: a tuple, one a layer; None: sigmoid everywhere.

    Returns:
        The gradient of `cost`. Of one example, the gradient of a layer's biases is its error delta^l.

    Examples:
        >>> params = Parameters([array([[2.0]])], [array([[-2.0]])])
        >>> backprop(params, array([[1.0]]), array([[0.0]])).weights[0].tolist()
        [[0.125]]

    References:
        Nielsen, chapter 2, "The backpropagation algorithm" and "Fully matrix-based approach".
    """
    layers = feedforward(params, x, activations=activations)
    activations = activations or (SIGMOID,) * len(layers.z)
    errors = [output_error(cost_gradient(layers.a[-1], y), layers.z[-1], activation=activations[-1])]
    for w, z, activation in zip(params.weights[:0:-1], layers.z[-2::-1], activations[-2::-1], strict=True):
        errors.insert(0, hidden_error(w, errors[0], z, activation=activation))
    return Parameters(
        tuple(weight_gradient(a, error) for a, error in zip(layers.a[:-1], errors, strict=True)),
        tuple(bias_gradient(error) for error in errors),
    )


def autograd(
    params: Parameters, x: Float[Tensor, "inputs m"], y: Float[Tensor, "outputs m"], *, activations: Activations = None
) -> Parameters:
    """Take the same gradient by the framework's own reverse mode.

    Args:
        params, x, y, activations: as in backprop.

    Returns:
        The gradient of `cost`.

    Examples:
        >>> params = Parameters([array([[2.0]])], [array([[-2.0]])])
        >>> autograd(params, array([[1.0]]), array([[0.0]])).weights[0].tolist()
        [[0.125]]

    References:
        Nielsen, chapter 2, eq. 26.
    """
    leaves = Parameters(*([p.detach().requires_grad_() for p in group] for group in params))
    loss = cost(leaves, x, y, activations=activations)
    # backward() would also add to what the caller's x and y hold in .grad
    gradients = torch.autograd.grad(loss, [*leaves.weights, *leaves.biases])
    return Parameters(gradients[: len(leaves.weights)], gradients[len(leaves.weights) :])


def finite_differences(
    params: Parameters,
    x: Float[Tensor, "inputs m"],
    y: Float[Tensor, "outputs m"],
    *,
    step: float | Float[Tensor, ""],
    activations: Activations = None,
) -> Parameters:
    """Estimate the same gradient with one more forward pass for every parameter.

    dC/dw_j ~ (C(w + epsilon e_j) - C(w)) / epsilon

    Args:
        params, x, y, activations: as in backprop.
        step: epsilon, positive. The error falls with it until rounding, about u C / epsilon, takes over.

    Returns:
        The estimates.

    Examples:
        >>> params = Parameters([array([[2.0]])], [array([[-2.0]])])
        >>> gradient = finite_differences(params, array([[1.0]]), array([[0.0]]), step=0.01)
        >>> round(float(gradient.weights[0][0, 0]), 3)
        0.125

    References:
        Nielsen, chapter 2, eq. 46.
    """
    rows = torch.contiguous_format
    nudged = Parameters(*([p.detach().clone(memory_format=rows) for p in group] for group in params))
    estimates = Parameters(*(tuple(torch.empty_like(p, memory_format=rows) for p in group) for group in params))
    with torch.no_grad():
        base = cost(nudged, x, y, activations=activations)
        pairs = zip([*nudged.weights, *nudged.biases], [*estimates.weights, *estimates.biases], strict=True)
        for values, slopes in pairs:
            for entry, slope in zip(values.view(-1), slopes.view(-1), strict=True):  # views of one number each
                kept = entry.clone()
                entry += step
                slope.copy_((cost(nudged, x, y, activations=activations) - base) / step)
                entry.copy_(kept)  # to subtract the step again would leave rounding behind
    return estimates


def finite_difference_errors(
    params: Parameters,
    x: Float[Tensor, "inputs m"],
    y: Float[Tensor, "outputs m"],
    steps: Float[Tensor, " S"],
    *,
    activations: Activations = None,
) -> Float[Tensor, " S"]:
    """Measure how far finite differences are from autograd, for each of several steps.

    Args:
        params, x, y, activations: as in backprop.
        steps: (S,), the epsilons, positive.

    Returns:
        (S,), the largest absolute error over all parameters.

    Examples:
        >>> params = Parameters([array([[2.0]])], [array([[-2.0]])])
        >>> errors = finite_difference_errors(params, array([[1.0]]), array([[0.0]]), array([0.5, 0.25]))
        >>> [round(error, 3) for error in errors.tolist()]
        [0.012, 0.007]

    References:
        Nielsen, chapter 2, eq. 46.
    """
    exact = autograd(params, x, y, activations=activations)
    exact_vector = torch.cat([gradient.flatten() for gradient in (*exact.weights, *exact.biases)])  # (P,)
    errors = torch.empty_like(steps)
    for i, step in enumerate(steps):
        estimate = finite_differences(params, x, y, step=step, activations=activations)
        estimate_vector = torch.cat([slope.flatten() for slope in (*estimate.weights, *estimate.biases)])
        errors[i] = (estimate_vector - exact_vector).abs().max()
    return errors


class Paths(NamedTuple):
    """A weight's gradient, the rate along each path from it to the cost, and the neurons that each path visits.

    Examples:
        >>> params = Parameters([array([[0.0]])], [array([[0.0]])])
        >>> path_sum(params, array([[2.0]]), array([[1.0]]), layer=0, j=0, k=0).rates.tolist()
        [-0.25]
    """

    gradient: Float[Tensor, ""]
    rates: Float[Tensor, " P"]
    neurons: Int[Tensor, "P layers"]


def path_sum(
    params: Parameters,
    x: Float[Tensor, "inputs 1"],
    y: Float[Tensor, "outputs 1"],
    *,
    layer: int,
    j: int,
    k: int,
    activations: Activations = None,
) -> Paths:
    """Sum a weight's effect over every path from it to the cost; backpropagation never has to list them.

    dC/dw^l_jk = sum_{m n p ... q} dC/da^L_m da^L_m/da^{L-1}_n ... da^{l+1}_q/da^l_j da^l_j/dw^l_jk

    Args:
        params, activations: as in backprop.
        x: (inputs, 1), one example.
        y: (outputs, 1), what the outputs should be.
        layer: the weight's layer, from 0 for the first after the input.
        j: the neuron that the weight leads to.
        k: the neuron that it comes from.

    Returns:
        The gradient of w_jk, the P rates that add up to it (P: the product of the widths after `layer`), and each
        path's neurons from `layer` on.

    Raises:
        ValueError: no such weight, or more examples than one.

    Examples:
        >>> params = Parameters([array([[0.0]]), array([[2.0], [4.0]])], [array([[0.0]]), array([[-1.0], [-2.0]])])
        >>> paths = path_sum(params, array([[3.0]]), array([[0.0], [1.0]]), layer=0, j=0, k=0)
        >>> float(paths.gradient), paths.rates.tolist(), paths.neurons.tolist()
        (-0.1875, [0.1875, -0.375], [[0, 0], [0, 1]])

    References:
        Nielsen, chapter 2, eq. 47-53.
    """
    layers = feedforward(params, x, activations=activations)
    if not 0 <= layer < len(layers.z) or not (0 <= j < len(layers.z[layer]) and 0 <= k < len(layers.a[layer])):
        widths = [len(a) for a in layers.a]
        raise ValueError(f"path_sum: got layer {layer}, j {j}, k {k}; wanted a weight between the layers {widths}")
    if x.shape[1] != 1:
        raise ValueError(f"path_sum: got {x.shape[1]} examples, wanted 1; pass one column of x and of y")
    activations = activations or (SIGMOID,) * len(layers.z)
    after = zip(activations[layer:], layers.z[layer:], strict=True)
    slopes = [activation.derivative(z)[:, 0] for activation, z in after]  # (n,) each
    grids = [torch.arange(len(slope), device=x.device) for slope in slopes]
    neurons = torch.cartesian_prod(grids[0][j : j + 1], *grids[1:]).reshape(-1, len(grids))  # (P, layers)
    errors = cost_gradient(layers.a[-1], y)[:, 0]
    rates = errors[neurons[:, -1]] * (slopes[0][j] * layers.a[layer][k, 0])  # the two ends of every path
    for i, w in enumerate(params.weights[layer + 1 :], start=1):
        jacobian = slopes[i][:, None] * w  # (n, n before): da^l / da^{l-1}
        rates = rates * jacobian[neurons[:, i], neurons[:, i - 1]]
    return Paths(rates.sum(), rates, neurons)


def passes(parameters: int) -> dict[str, int]:
    """Count the passes through the network that one gradient costs.

    Args:
        parameters: how many weights there are.

    Returns:
        Forward passes by finite differences; forward and backward passes, about equal in cost, by backpropagation.

    Raises:
        ValueError: parameters is negative.

    Examples:
        >>> passes(1_000_000)
        {'finite_differences': 1000001, 'backpropagation': 2}

    References:
        Nielsen, chapter 2, "In what sense is backpropagation a fast algorithm?".
    """
    if parameters < 0:
        raise ValueError(f"passes: got {parameters} parameters, wanted 0 or more; count the weights and biases")
    return {"finite_differences": parameters + 1, "backpropagation": 2}
