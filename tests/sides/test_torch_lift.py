"""Torch code that casts to less inside has a float64 run all the same: equal to the code without its casts."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from parity.sides import side
from parity.sides.torch_lift import PATIENCE

pytestmark = pytest.mark.part(3)

RNG = np.random.default_rng(6)
X = RNG.normal(size=(6, 8))
F32, BF16, FULL = torch.float32, torch.bfloat16, torch.float64


def attention_softmax(x, d):
    return F.softmax(x @ x.T / 8**0.5, dim=-1, dtype=d).to(x.dtype) @ x


def rms_norm(x, d):
    y = x.to(d)
    return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x)


def methods(x, d):
    y = {F32: x.float, BF16: x.bfloat16, FULL: x.double}[d]()
    return torch.exp(y).type(x.dtype) + x.type(d).sin()


def rotary(x, d):
    inverse = 1.0 / (10000.0 ** (torch.arange(0, 8, 2, dtype=torch.int64).to(d) / 8))
    angles = torch.outer(torch.arange(6, dtype=d), inverse)
    left, right = x[:, :4], x[:, 4:]
    return torch.cat([left * angles.cos() - right * angles.sin(), right * angles.cos() + left * angles.sin()], 1)


def factories(x, d):
    scale = torch.full((8,), 0.1, dtype=d) + torch.tensor(1e-3, dtype=d) + torch.linspace(0, 1, 8, dtype=d)
    return x * scale + torch.zeros(8).add(0.3) + x.new_tensor([0.7]) + x.sum(0, dtype=d)


def multihead_attention(x, d):
    layer = nn.MultiheadAttention(8, 2, batch_first=True, dtype=d)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.sin(torch.arange(p.numel(), dtype=FULL)).view(p.shape) * 0.5)
    return layer(x[None].to(d), x[None].to(d), x[None].to(d))[0]


def in_place(x, d):
    y = torch.zeros(6, 8, dtype=d)
    y += x.to(d)
    y[0].mul_(0.1)
    return torch.tanh(y)


class Rounded(torch.autograd.Function):
    """A way back of one's own, with casts in it; it is not the derivative, and stays what it is."""

    @staticmethod
    def forward(ctx, x, d):
        ctx.save_for_backward(x)
        ctx.d = d
        return x.to(d).sin().to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (3 * g.to(ctx.d) * x.to(ctx.d) * 0.1).to(x.dtype), None


def own_backward(x, d):
    return Rounded.apply(x, d)


CASTS = [attention_softmax, rms_norm, methods, rotary, factories, multihead_attention, in_place, own_backward]


def run(function, dtype, *, lifting=True):
    probed = side("torch", lambda x: function(x, dtype))
    inputs = {"x": X}
    if lifting:
        return probed.run(inputs, dtype="float64", wrt=None)
    return probed._run(inputs, "float64", "cpu", None, "forward", None, None)


def distance(left, right):
    names = right.tensors
    return max(float(np.abs(left.tensors[n] - names[n]).max() / np.abs(names[n]).max()) for n in names)


@pytest.mark.parametrize("function", CASTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [F32, BF16], ids=["float32", "bfloat16"])
def test_casts_are_lifted_forward_and_back(function, dtype):
    truth = run(function, FULL)
    lifted = run(function, dtype)
    assert set(lifted.dtypes.values()) == {"float64"}
    assert distance(lifted, truth) <= 2e-15
    assert lifted.narrow == {}
    try:
        plain = run(function, dtype, lifting=False)
    except RuntimeError:  # a cotangent of one dtype, an output of another
        return
    assert distance(plain, truth) > 1e-10


def test_a_captured_table_is_widened_exactly_and_recorded():
    table = torch.linspace(0.1, 0.9, 8)
    trace = side("torch", lambda x: (x * table) @ table[:, None]).run({"x": X}, dtype="float64")
    wide = table.double().numpy()
    # eight terms of at most 3 in size, added up in two orders
    assert np.allclose(trace.tensors["forward/output"], (X * wide) @ wide[:, None], rtol=0, atol=4e-15)
    assert list(trace.constants) == ["constant.0"]
    assert np.array_equal(trace.constants["constant.0"], wide)


def test_a_captured_buffer_is_written_at_float64_and_left_as_it_was():
    running = torch.ones(8)

    def momentum(x):
        running.mul_(0.9).add_(x.mean(0) * 0.1)
        running[0] = x[0, 0]
        return running

    trace = side("torch", momentum).run({"x": X}, dtype="float64")
    wanted = 0.9 + 0.1 * X.mean(0)
    wanted[0] = X[0, 0]
    assert trace.dtypes["forward/output"] == "float64"
    # six terms added up in two orders, and a sum that may cancel
    assert np.allclose(trace.tensors["forward/output"], wanted, rtol=1e-15, atol=1e-15)
    assert running.tolist() == [1.0] * 8


def test_a_captured_scalar_gets_its_digits_back():
    eps = torch.tensor(1e-12)
    scale = np.float32(0.1)
    trace = side("torch", lambda x: (x + eps) * scale).run({"x": X}, dtype="float64")
    assert np.array_equal(trace.tensors["forward/output"], (X + 1e-12) * 0.1)
    assert trace.constants == {}


def test_quantising_to_integers_stays():
    def quantised(x):
        return torch.clamp(torch.round(x.float() * 10), -128, 127).to(torch.int8).to(torch.float32) / 10

    trace = side("torch", quantised).run({"x": X}, dtype="float64")
    assert np.array_equal(trace.tensors["forward/output"], np.round(X * 10) / 10)


def test_disturbed_runs_are_lifted_too():
    probed = side("torch", lambda x: attention_softmax(x, F32))
    base = probed.run({"x": X}, dtype="float64", wrt=None)
    moved = probed.disturbed({"x": X}, 2.0**-40, 0, wrt=None)
    assert 0 < distance(moved, base) < 2.0**-34


def test_nothing_of_a_lifted_run_stays_behind_not_even_after_an_error():
    def failing(x):
        assert torch.zeros(1).dtype == x.dtype
        raise KeyError("mine")

    for dtype in ("float64", "float32"):
        with pytest.raises(KeyError, match="mine"):
            side("torch", failing).run({"x": X}, dtype=dtype)
        assert torch.get_default_dtype() == torch.float32
        assert torch.zeros(1).dtype == torch.zeros(1, dtype=F32).float().dtype == torch.float32


def test_the_run_at_float32_is_the_users_own():
    seen = []
    side("torch", lambda x: seen.append((torch.zeros(3).dtype, x.half().dtype, x.dtype)) or x).run(
        {"x": X}, dtype="float32"
    )
    assert seen == [(torch.float32, torch.float16, torch.float32)]


def test_a_function_that_cannot_bear_it_runs_as_it_is_and_says_so():
    def particular(x):
        y = x.float()
        if y.dtype != torch.float32:
            raise TypeError("float32 only")
        return y

    trace = side("torch", particular).run({"x": X}, dtype="float64")
    assert "float32 only" in trace.narrow["forward/output"]


def test_what_needed_nothing_is_not_watched_again():
    probed = side("torch", lambda x: x * 2)
    for _ in range(2):
        probed.run({"x": X}, dtype="float64")
    (lifting,) = probed._lifting.values()
    assert (lifting.requests, lifting.kernels) == (False, False)


@pytest.mark.parametrize("casts", [False, True])
def test_a_training_run_is_watched_as_long_as_it_may_need_it(casts):
    def train(x):
        w, losses = torch.zeros(8), []
        for step in range(PATIENCE // 3 + 10):
            w = w * 0.999 + (x[step % 6].float() if casts else x[step % 6]) * 0.001
            losses.append(w.sum())
        return torch.stack(losses[-5:])

    probed = side("torch", train)
    lifted = probed.run({"x": X}, dtype="float64", stage="curve")
    (lifting,) = probed._lifting.values()
    assert (lifting.requests, lifting.kernels) == (casts, False)
    assert lifted.dtypes["curve/output"] == "float64"
    again = probed.run({"x": X}, dtype="float64", stage="curve")
    assert np.array_equal(again.tensors["curve/output"], lifted.tensors["curve/output"])
