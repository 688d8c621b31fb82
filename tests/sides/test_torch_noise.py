"""The noise that measures a sensitivity: it errs where arithmetic does, by its size, and changes nothing else."""

import contextlib
import math
import sys
import zlib

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from parity.checking import Task, examine
from parity.numerics import confidence_factor, round_to
from parity.sides import side, torch_modes, torch_noise
from parity.sides.torch_noise import RoundingNoise, _stretch

pytestmark = pytest.mark.part(3)

H = 2.0**-24
X = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 6)))


def changes(function, *inputs, size=H, members=8):
    """(f_h - f) / h for each member."""
    plain = function(*(x.clone() for x in inputs))
    noisy = []
    for seed in range(members):
        with RoundingNoise(size, seed):
            noisy.append(function(*(x.clone() for x in inputs)))
    return torch.stack([(y - plain) / size for y in noisy])


def rms(tensor):
    return float(tensor.abs().square().mean().sqrt())


def halved_in_place(x):
    torch._foreach_mul_([x], 0.5)
    return x


def marked(x):
    sign = x.sign()
    sign[sign.gt(0)] = 1.2  # Rprop's code, which compares what it has written
    sign[sign.eq(1.2)] = 3.0
    return sign * x


SMOOTH = {
    "product": lambda x: x * 2,
    "a list in place": halved_in_place,
    "written and compared": marked,
    "matrix product": lambda x: x @ x,
    "inverse": torch.linalg.inv,
    "transform": lambda x: torch.view_as_real(torch.fft.fft(x)),
    "interpolation": lambda x: F.interpolate(x[None, None], scale_factor=2, mode="bilinear"),
    "bilinear": lambda x: F.bilinear(x, x, torch.ones(2, 6, 6, dtype=x.dtype)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_response_of_a_smooth_function_does_not_depend_on_the_step(name):
    large, small = (rms(changes(SMOOTH[name], X, size=h)) for h in (2.0**-20, 2.0**-30))
    assert 0.9 < large / small < 1.1, "what is in place, or compared, would change by O(1) and not by O(h)"


def test_what_moves_values_does_not_err():
    assert not changes(lambda x: x.T.flip(0).reshape(-1).roll(3).clone().relu(), X).any()


def test_a_sum_that_cancels_errs_by_the_size_of_its_terms():
    x = torch.tensor([[1e6, 1.0, -1e6]], dtype=torch.float64)
    assert rms(changes(lambda x: x.sum(1), x)) > 1e5


def test_terms_that_repeat_err_alike():
    rng = np.random.default_rng(0)
    n = 50_000
    many = torch.from_numpy(rng.uniform(1, 2, n))
    few = torch.from_numpy(round_to(many.numpy(), "bfloat16"))
    of_many, of_few, of_one = (
        rms(changes(lambda x: x.sum(), x)) / float(x.sum()) for x in (many, few, many[:1].expand(n))
    )
    assert 0.5 * math.sqrt(n) < of_many < 3 * math.sqrt(n)
    assert 0.3 * n / math.sqrt(128) < of_few < 3 * n / math.sqrt(128), "128 numbers of bfloat16 lie between 1 and 2"
    assert 0.3 * n < of_one < 3 * n
    rectified = torch.where(many < 1.01, many, 0.0)
    assert rms(changes(lambda x: x.sum(), rectified)) / float(rectified.sum()) < 3 * math.sqrt(n), "zeros add none"


def test_squares_of_few_values_added_one_by_one_stay_within_the_bound():
    # The variance of 250,632 numbers of bfloat16, seed 0 of the proof: 8,500 roundings off where sqrt(n) is 500.
    rng = np.random.default_rng((zlib.crc32(b"batch norm"), 1_000_000, 0))
    x = round_to(rng.normal(size=(2, 4, 354, 354)) + 0.1, "bfloat16")[:, 2].ravel()
    squares = (x - x.mean()) ** 2
    error = abs(np.cumsum(squares)[-1] - math.fsum(squares)) / x.size / 2**-53
    s = rms(changes(lambda x: torch.var(x, correction=0), torch.from_numpy(x)))
    assert 5000 < error < 2 * confidence_factor(1) * s


def test_a_kink_within_a_rounding_is_crossed_in_some_member_by_every_element():
    x = torch.full((20_000,), 1.0 + 1.1 * H, dtype=torch.float64)
    crossed = changes(lambda x: (x * 1.0 < 1.0).to(x.dtype), x) != 0
    assert bool(crossed.any(0).all())
    assert not bool(crossed.all(0).any())


def test_a_kink_that_other_code_finds_after_a_shift_is_reached_by_the_rounding_of_that():
    x = torch.full((5_000,), 3.0 - 3.5 * H, dtype=torch.float64)  # x + 3 rounds to 6 or nearly, 3 x does not
    gradient = torch.func.grad(lambda x: torch.nn.functional.hardsigmoid(x).sum())
    assert bool((changes(torch.enable_grad()(gradient), x).abs().amax(0) > 1e5).all())


def test_the_norm_of_a_vector_is_a_sum_and_no_matrix():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 10_000)))
    moved = changes(lambda x: torch.linalg.vector_norm(x, dim=1) / 100, x)
    assert 20 < rms(moved) < 300, "sqrt(n) = 100 roundings; n = 10,000 of each element would swamp it"


def spread(*singular_values):
    """Root mean square disturbance of a matrix with these singular values, by pairs of its singular vectors."""
    n = len(singular_values)
    left, _, right = np.linalg.svd(np.random.default_rng(n).normal(size=(n, n)))
    matrix = torch.from_numpy(left @ np.diag(singular_values) @ right)
    noises = [RoundingNoise(H, member)._disturbed_in_norm(4.0)(matrix) - matrix for member in range(64)]
    moved = torch.from_numpy(left.T) @ torch.stack(noises) @ torch.from_numpy(right.T) / H
    return moved.square().mean(0).sqrt()


@pytest.mark.parametrize("singular_values", [(1.0,) * 20, (1.0, *(1e-3,) * 19)])
def test_each_direction_of_a_matrix_errs_by_the_steps_that_lapack_takes(singular_values):
    # With sqrt(mean square) of the elements for |A| / sqrt(n) the second matrix would err by a fifth of that.
    directions = spread(*singular_values)
    assert 0.6 * math.sqrt(4 * 20) < float(directions.min()) <= float(directions.max()) < 1.6 * math.sqrt(4 * 20)


def test_near_singular_values_turn_into_one_another_by_more_than_the_mean_error_of_a_direction():
    # 5 x 5, the rarest of 150: with n of the elements' size for every step, torch and JAX were 1.24 bounds apart.
    n, rng = 5, np.random.default_rng(7)
    a = [2 * np.eye(n) + rng.normal(size=(1, n, n)) / n**0.5 / 2 for _ in range(70)][-1]
    sides = (
        side("torch", lambda a: torch.linalg.svdvals(a)),
        side("jax", lambda a: jnp.linalg.svd(a, compute_uv=False)),
    )
    assert all(examine(*sides, Task("singular values", {"a": a}), dtypes=("float32",)).findings)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (40, 5), (2, 6, 6)])
def test_the_stretch_of_a_matrix_is_its_largest_singular_value_from_above(shape):
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=shape)) * 1e200
    ratio = _stretch(matrix).squeeze((-2, -1)) / torch.linalg.matrix_norm(matrix, 2)
    assert bool(((ratio > 1 - 1e-12) & (ratio <= min(shape[-2:]) ** (1 / 16) + 1e-12)).all())


def test_the_stretch_of_what_no_factorisation_bears_is_a_number_or_none():
    assert float(_stretch(torch.zeros(2, 2, dtype=torch.float64))) < 1e-300
    assert bool(_stretch(torch.tensor([[math.inf, 1.0]], dtype=torch.float64)).isnan().all())


def test_a_transform_errs_by_what_each_of_its_levels_may():
    # Seed 4 of the proof's power spectrum: with one rounding a level an element whose eight samples were all small, one
    # in 1e5, had a bound of a seventh of the others' and torch and JAX were 1.006 of it apart.
    rng = np.random.default_rng((zlib.crc32(b"power spectrum"), 1_000_000, 4))
    inputs = {"x": rng.normal(size=(10, 10_000))}

    def spectrum(x):
        spectrum = jnp.fft.rfft(x)
        return (spectrum.real**2 + spectrum.imag**2).mean(0)

    sides = side("torch", lambda x: torch.fft.rfft(x).abs().square().mean(0)), side("jax", spectrum)
    findings = examine(*sides, Task("power spectrum", inputs), dtypes=("float64",)).findings
    assert all(findings)
    assert max(f.ratio64 for f in findings if f.stage == "gradient") < 0.3
    assert all(f.power < 1e-12 for f in findings if f.stage != "structure")


def test_two_equal_errors_never_cancel_in_every_member():
    ones = torch.ones(4096, 1, dtype=torch.float64)
    moved = changes(lambda x: x * 3 - x * 2, ones)  # signs of one size would cancel in 1 of 256 of them
    assert float(moved.abs().amax(0).min()) > 0.0


def test_many_errors_have_no_mean():
    moved = changes(lambda x: x * 1.5, torch.ones(200_000, dtype=torch.float64), members=2)
    assert abs(float(moved.mean())) < 6 * 1.5 / math.sqrt(400_000)


def test_a_transform_errs_by_what_it_adds_up_where_its_result_is_zero():
    real = torch.ones(64, dtype=torch.float64)
    assert rms(changes(lambda x: torch.fft.fft(x)[1:].abs(), real)) > 1.0


def test_both_parts_of_a_complex_result_err():
    z = torch.full((64,), 1.0 + 0.0j, dtype=torch.complex128)
    assert rms(changes(lambda z: torch.view_as_real(z * 1.0), z)[..., 1]) > 0.5


def test_a_gradient_of_overlapping_windows_errs_by_its_terms():
    x = torch.zeros(1, 1, 5, 5, dtype=torch.float64)

    def gradient(x):
        x = x.requires_grad_()
        signs = torch.ones(1, 1, 9, 9, dtype=x.dtype)
        signs[..., ::2] = -1
        return torch.autograd.grad(F.interpolate(x, (9, 9), mode="bilinear", align_corners=True), x, signs)[0]

    with torch.no_grad():
        moved = changes(torch.enable_grad()(gradient), x)
    assert float(moved.square().mean(0).sqrt().min()) > 0.1, "its sums of +1 and -1 are near zero, their errors are not"


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_with_a_large_matrix_errs_as_much_though_that_is_not_disturbed(monkeypatch, turned):
    rows, weights = X[:2], torch.from_numpy(np.random.default_rng(1).normal(size=(6, 64)))

    def product(a, b):
        return (b.T @ a.T).T if turned else a @ b

    def size():
        return rms(changes(product, rows, weights))

    both = size()
    monkeypatch.setattr(torch_noise, "LARGE_OPERAND", 64)
    assert torch_noise._left_alone((rows, weights)) == (weights,)
    # 128 results and 8 members: their root mean square is within a tenth of its limit.
    assert size() == pytest.approx(both, rel=0.2)
    monkeypatch.setattr(torch_noise, "LARGE_OPERAND", 10**6)
    assert torch_noise._left_alone((rows, weights)) == ()


def test_random_draws_are_left_alone():
    torch.manual_seed(0)
    with RoundingNoise(H, 0):
        first = torch.rand(4)
    torch.manual_seed(0)
    assert torch.equal(first, torch.rand(4))


def attention(q, k, v):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1) @ v


def unit_rows_times(v, g):
    return v * (g / v.square().sum(1).sqrt())[:, None]


FUSED = {
    "attention": (F.scaled_dot_product_attention, attention, [(1, 1, 128, 32)] * 3),
    "weight norm": (lambda v, g: torch._weight_norm(v, g[:, None], 0), unit_rows_times, [(4, 4000), (4,)]),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_kernel_errs_by_all_that_it_adds_up(name):
    # Seen as one operation, honest attention over 512 positions was UNSTABLE, and weight norm grew with its rows.
    fused, plain, shapes = FUSED[name]
    rng = np.random.default_rng(0)
    inputs = {
        key: rng.normal(size=shape) for key, shape in zip("qkv" if len(shapes) == 3 else "vg", shapes, strict=True)
    }

    def response(function):
        probed = side("torch", lambda **named: function(*named.values()))
        runs = [probed.disturbed(inputs, H, seed).tensors["forward/output"] for seed in range(8)]
        return np.std(runs, axis=0).mean()

    # A kernel is disturbed in all that it reads and gives by its longest sum, the formula by that of each step.
    assert response(plain) / 2 < response(fused) < response(plain) * 4


def test_a_large_tensor_is_disturbed_piece_by_piece_as_it_is_whole():
    large = torch.from_numpy(np.random.default_rng(0).normal(size=(3, torch_noise.PIECE // 2 + 5)))
    whole = large * RoundingNoise(H, 3)._factor(large, 2.0)
    assert torch.equal(RoundingNoise(H, 3)._multiply(large, 2.0, torch.empty_like(large)), whole)
    assert torch.equal(RoundingNoise(H, 3)._multiply(large.clone(), 2.0, large), whole)
    assert torch.equal(large, whole)


class NoCompiler:
    """Lets nobody import torch's compiler."""

    def find_spec(self, name, path=None, target=None):
        if name == "torch._dynamo":
            raise ModuleNotFoundError(name)


def test_reference_formulas_are_disturbed_without_importing_a_compiler(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoCompiler(), *sys.meta_path])
    for function in torch_modes._formulas():
        monkeypatch.delattr(function, torch_modes.KEPT, raising=False)
    steps = lambda: F.gelu(F.layer_norm(X, (6,)))
    with RoundingNoise(H, 0):
        assert steps().isfinite().all()
    assert not any(hasattr(function, torch_modes.KEPT) for function in torch_modes._formulas())
    monkeypatch.setattr(torch_noise, "without_compiler", contextlib.nullcontext)
    with RoundingNoise(H, 0), pytest.raises(ModuleNotFoundError):
        steps()
