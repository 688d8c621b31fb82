"""Every normalization against torch.nn.functional."""

import pytest
from functional.calls import compared, normal, part

X = normal(2, 4, 3, 2) + 0.5
M, V, W, B = 0.1 * normal(4, seed=1), normal(4, seed=2) ** 2 + 0.5, normal(4, seed=3), normal(4, seed=4)
L = normal(3, 2, seed=5)

CALLS = {
    "batch, training": lambda F, x, m, v, w, b, s: F.batch_norm(x, None, None, w, b, True),
    "batch, evaluation": lambda F, x, m, v, w, b, s: F.batch_norm(x, m, v, w, b, False, 0.1, 1e-3),
    "batch, plain": lambda F, x, m, v, w, b, s: F.batch_norm(x[:, :, 0, 0], m, v),
    "instance": lambda F, x, m, v, w, b, s: F.instance_norm(x, None, None, w, b),
    "instance, evaluation": lambda F, x, m, v, w, b, s: F.instance_norm(x, m, v, w, b, use_input_stats=False),
    "layer": lambda F, x, m, v, w, b, s: F.layer_norm(x, (3, 2), s, s * s),
    "layer, plain": lambda F, x, m, v, w, b, s: F.layer_norm(x, (2,), eps=1e-2),
    "rms": lambda F, x, m, v, w, b, s: F.rms_norm(x, (3, 2), s),
    "rms, eps": lambda F, x, m, v, w, b, s: F.rms_norm(x, (2,), eps=1e-2),
    "group": lambda F, x, m, v, w, b, s: F.group_norm(x, 2, w, b),
    "group, one": lambda F, x, m, v, w, b, s: F.group_norm(x, 1),
    "local": lambda F, x, m, v, w, b, s: F.local_response_norm(x, 2, 0.5),
    "local, wide": lambda F, x, m, v, w, b, s: F.local_response_norm(x[..., 0], 3, 0.5, 0.5, 2.0),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_normalizations_agree_with_torch(dtype, whole):
    calls = part(CALLS, whole, every=2)
    if dtype == "bfloat16":  # torch has no kernel of the last for it
        calls = {name: call for name, call in calls.items() if not name.startswith("local")}
    report = compared(calls, X, M, V, W, B, L, dtypes=(dtype,), constant=(1, 2))
    assert report, str(report)


def slopes(planted=1.0):
    """A check of the slope of layer_norm, in JAX a closed form, and of its own gradient; a factor may be planted."""
    import torch

    import parity
    from parity.sides import jax_backend

    jax = jax_backend.start()
    from jax_impl.functional import layer_norm

    def torch_slope(x, s):
        return torch.func.grad(lambda x: torch.nn.functional.layer_norm(x, (3, 2), s).sin().sum())(x)

    def jax_slope(x, s):
        return planted * jax.grad(lambda x: jax.numpy.sin(layer_norm(x, (3, 2), s)).sum())(x)

    return parity.check(torch_slope, jax_slope, X, L)


def test_the_slope_of_a_layer_norm_has_a_slope_too_and_a_planted_factor_is_seen():
    report = slopes()
    assert report, str(report)
    assert {finding.stage for finding in report.findings} >= {"forward", "gradient"}
    assert not slopes(1 + 1e-9)
