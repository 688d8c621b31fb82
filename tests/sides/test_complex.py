"""Complex numbers: inputs of both sides, gradients in torch's convention, disturbed by the size of their modulus."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from parity.sides import side
from parity.sides.inputs import cotangent, perturbed, rounded

pytestmark = pytest.mark.part(3)

RNG = np.random.default_rng(7)
Z = RNG.normal(size=(4, 3)) + 1j * RNG.normal(size=(4, 3))
X = RNG.normal(size=(3,))

PAIRS = {
    "holomorphic": (lambda z, x: torch.exp(z) * z * x, lambda z, x: jnp.exp(z) * z * x),
    "conjugate": (lambda z, x: z.conj() * x + z, lambda z, x: z.conj() * x + z),
    "modulus": (lambda z, x: z.abs() + z.real * x, lambda z, x: jnp.abs(z) + z.real * x),
    "to complex": (lambda z, x: torch.fft.fft(x) + z, lambda z, x: jnp.fft.fft(x) + z),
    "product": (lambda z, x: z @ z.conj().T, lambda z, x: z @ z.conj().T),
}


def values(trace, name):
    pairs = trace.tensors[name]
    return pairs[..., 0] + 1j * pairs[..., 1]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("dtype", "limit"), [("float64", 1e-14), ("float32", 1e-5)])
def test_outputs_and_gradients_agree_in_torchs_convention(name, dtype, limit):
    one, other = (
        side(framework, function).run({"z": Z, "x": X}, dtype=dtype, wrt=None)
        for framework, function in zip(("torch", "jax"), PAIRS[name], strict=True)
    )
    assert one.dtypes == other.dtypes
    assert one.dtypes["gradient/z"] == {"float64": "complex128", "float32": "complex64"}[dtype]
    assert one.unreached == other.unreached == (("x",) if name == "product" else ())
    for tensor in one.tensors:
        assert np.allclose(one.tensors[tensor], other.tensors[tensor], rtol=limit, atol=limit), tensor


def test_the_gradient_of_a_holomorphic_function_is_the_conjugate_derivative_times_the_cotangent():
    wanted = np.conj(2 * Z) * cotangent("", Z.shape, "float64", pairs=True)
    for framework in ("torch", "jax"):
        trace = side(framework, lambda z: z * z).run({"z": Z}, dtype="float64", wrt=None)
        # products of complex numbers: some roundings of float64
        assert np.allclose(values(trace, "gradient/z"), wanted, rtol=1e-14)


def test_both_parts_are_rounded_and_disturbed_by_the_modulus():
    low = rounded({"z": Z}, "bfloat16")["z"]
    assert np.array_equal(low.real, rounded({"z": Z.real}, "bfloat16")["z"])
    assert np.array_equal(low.imag, rounded({"z": Z.imag}, "bfloat16")["z"])
    moved = perturbed({"z": Z}, 2.0**-10, 0)["z"]
    errors = (moved - Z) / Z / 2.0**-10
    for part in (errors.real, errors.imag):
        assert np.all((np.abs(part) > 0.48) & (np.abs(part) < 1.45)), "between 0.5 and 1.5, by their root mean square"


@pytest.mark.parametrize("function", [lambda z: z + 1j, lambda z: torch.exp(z)], ids=["sum", "exp"])
def test_the_noise_of_a_part_is_of_the_size_of_the_modulus(function):
    inputs = {"z": np.full(16, 1e-6 + 1.0j)}
    probed, h = side("torch", function), 2.0**-24
    base = probed.run(inputs, dtype="float64").tensors["forward/output"]
    runs = [probed.disturbed(inputs, h, seed).tensors["forward/output"] for seed in range(40)]
    spread = np.sqrt(np.mean([((r - base) / h) ** 2 for r in runs], axis=0))
    assert (spread > 0.5).all()  # in both parts, though one of them may be all but zero
