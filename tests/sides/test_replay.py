"""Random draws replayed into both sides: the same masks, noise and shuffles, and a sentence where the sides part."""

import functools
import random

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from flax import nnx
from jax.random import normal as imported_by_name
from torch import nn

from parity.checking import Task, examine
from parity.numerics import Verdict
from parity.sides import side
from parity.sides.replay import Replay, ReplayedSide, active, replayable
from parity.sides.tape import Draw, Unreplayable

pytestmark = pytest.mark.part(3)

RNG = np.random.default_rng(0)
X, Q = RNG.normal(size=(4, 8)), RNG.normal(size=(2, 3, 5, 4))
KEY = jax.random.PRNGKey(0)
bound_early = functools.partial(jax.random.normal, shape=(4, 8))


def traces(torch_function, jax_function, x=X, *, dtype="float64", jit=True, seed=3, wrt=None):
    replay = Replay(seed)
    with replay.on("torch"):
        left = side("torch", torch_function).run({"x": x}, dtype=dtype, wrt=wrt)
    with replay.on("jax"):
        right = side("jax", replayable("jax", jax_function), jit=jit).run({"x": x}, dtype=dtype, wrt=wrt)
    return replay, left.tensors, right.tensors


def same(torch_function, jax_function, x=X, **options):
    replay, left, right = traces(torch_function, jax_function, x, **options)
    assert replay.parted() is None
    for name, array in left.items():
        # float64 in two orders; a mask that is not shared differs by the numbers themselves
        np.testing.assert_allclose(array, right[name], rtol=1e-12, atol=1e-14)
    return replay


def linen_dropout(x, rate=0.1, **options):
    return linen.Dropout(rate, deterministic=False, **options).apply({}, x, rngs={"dropout": KEY})


def keep(key, x, probability=0.7):
    return jnp.where(jax.random.bernoulli(key, probability, x.shape), x / probability, 0)


def attention(x):
    weights = jax.nn.softmax(jnp.einsum("nhqd,nhkd->nhqk", x, x) / 2)
    return jnp.einsum("nhqk,nhkd->nhqd", keep(KEY, weights, 0.8), x)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    ("torch_function", "jax_function"),
    [
        (lambda x: F.dropout(x, 0.1), lambda x: nnx.Dropout(0.1, rngs=nnx.Rngs(0))(x)),
        (lambda x: nn.Dropout(0.1)(x), linen_dropout),
        (lambda x: nn.AlphaDropout(0.1)(x) * 0, lambda x: linen_dropout(x) * 0),
        (lambda x: x[torch.randperm(4)], lambda x: jax.random.permutation(KEY, x)),
        (lambda x: x[:, torch.randperm(8)], lambda x: x[:, jax.random.permutation(KEY, 8)]),
        (lambda x: x + torch.randn_like(x), lambda x: x + jax.random.normal(KEY, x.shape)),
        (lambda x: x + torch.zeros_like(x).normal_(1, 2), lambda x: x + 1 + 2 * jax.random.normal(KEY, x.shape)),
        (
            lambda x: x + torch.normal(x, 2.0),
            lambda x: x + jax.lax.stop_gradient(x) + 2 * jax.random.normal(KEY, x.shape),
        ),
        (
            lambda x: x * torch.zeros_like(x).uniform_(-1, 2),
            lambda x: x * jax.random.uniform(KEY, x.shape, minval=-1, maxval=2),
        ),
        (lambda x: x * torch.rand_like(x), lambda x: x * jax.random.uniform(KEY, x.shape, x.dtype)),
        (lambda x: F.gumbel_softmax(x), lambda x: jax.nn.softmax(x + jax.random.gumbel(KEY, x.shape))),
        (
            lambda x: x * torch.zeros_like(x).exponential_(2.0),
            lambda x: x * jax.random.exponential(KEY, x.shape) / 2,
        ),
        (
            lambda x: x[:, 0] * torch.distributions.Categorical(logits=x).sample(),
            lambda x: x[:, 0] * jax.random.categorical(KEY, x),
        ),
        (lambda x: x * torch.randint(2, 7, (4, 8)), lambda x: x * jax.random.randint(KEY, (4, 8), 2, 7)),
        (
            lambda x: x * torch.bernoulli(x.detach().sigmoid()),
            lambda x: x * jax.random.bernoulli(KEY, jax.nn.sigmoid(x)),
        ),
        (
            lambda x: F.dropout2d(x.reshape(4, 2, 2, 2), 0.5),
            lambda x: linen_dropout(x.reshape(4, 2, 2, 2), 0.5, broadcast_dims=(2, 3)),
        ),
        (lambda x: x * torch.randn(4, 8, dtype=x.dtype), lambda x: x * imported_by_name(KEY, (4, 8))),
        (lambda x: x * torch.randn(4, 8, dtype=x.dtype), lambda x: x * bound_early(KEY)),
        (lambda x: x[np.random.permutation(4)], lambda x: x[np.random.permutation(4)]),  # noqa: NPY002
        (lambda x: x[random.randrange(4)], lambda x: x[random.randrange(4)]),
    ],
)
def test_both_sides_draw_the_same(torch_function, jax_function, jit):
    same(torch_function, jax_function, jit=jit)


def test_without_replay_they_do_not():
    left = side("torch", lambda x: F.dropout(x, 0.5)).run({"x": X}, dtype="float64")
    right = side("jax", lambda x: linen_dropout(x, 0.5)).run({"x": X}, dtype="float64")
    assert not np.allclose(left.tensors["forward/output"], right.tensors["forward/output"])


def test_dropout_inside_fused_attention_is_the_same():
    same(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.2), attention, Q)


def test_the_kernel_that_a_gpu_takes_for_dropout_gets_the_same_mask():
    kept = []
    for drop in (lambda x: F.dropout(x, 0.3), lambda x: torch.native_dropout(x, 0.3, True)[0]):
        with Replay(0).on("torch"):
            kept.append(drop(torch.tensor(X)))
    # x / (1 - p) or x times its reciprocal: two roundings
    torch.testing.assert_close(*kept, rtol=1e-15, atol=0)
    assert (kept[0] == 0).any()


def torch_attention_layer(x):
    layer = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True).to(x.dtype)
    return layer(x, x, x)[0] * 0


def nnx_attention_layer(x, *, broadcast):
    options = {"dropout_rate": 0.1, "broadcast_dropout": broadcast, "deterministic": False, "decode": False}
    return nnx.MultiHeadAttention(2, 8, rngs=nnx.Rngs(0), **options)(x) * 0


def test_what_initialises_a_layer_is_not_counted_and_a_mask_shared_by_all_heads_is_told():
    x = RNG.normal(size=(2, 5, 8))
    replay = same(torch_attention_layer, functools.partial(nnx_attention_layer, broadcast=False), x)
    assert [d.shape for d in replay.draws["torch"]] == [(4, 5, 5)]
    assert [d.shape for d in replay.draws["jax"]] == [(2, 2, 5, 5)]  # the same numbers in the same order
    replay, *_ = traces(torch_attention_layer, functools.partial(nnx_attention_layer, broadcast=True), x)
    assert "differs in its shape: torch draws bernoulli(0.9) of shape (4, 5, 5)" in replay.parted()


def test_dropout_between_the_layers_of_a_recurrent_net_is_served():
    layer = nn.LSTM(8, 8, num_layers=2, dropout=0.5).double()
    runs = []
    for seed in (1, 1, 2):
        replay = Replay(seed)
        with replay.on("torch"):
            runs.append(layer(torch.tensor(X)[:, None])[0].detach())
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert [str(d).partition(" at ")[0] for d in replay.draws["torch"]] == ["bernoulli(0.5) of shape (4, 1, 8)"]


def torch_turns(x):
    for _ in range(5):
        x = F.dropout(x, 0.3) * 1.1
    return x


def scanned(x):
    return jax.lax.scan(lambda x, key: (keep(key, x) * 1.1, None), x, jax.random.split(KEY, 5))[0]


def jitted(x):
    step = jax.jit(lambda x, key: keep(key, x) * 1.1)
    for key in jax.random.split(KEY, 5):
        x = step(x, key)
    return x


def counted(x):
    return jax.lax.fori_loop(0, 5, lambda i, x: keep(jax.random.fold_in(KEY, i), x) * 1.1, x)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("jax_function", [scanned, jitted, counted])
def test_every_turn_of_a_loop_draws_anew(jax_function, jit):
    assert len(same(torch_turns, jax_function, jit=jit).draws["jax"]) == 5


def test_noise_in_an_optimizer_is_the_same():
    def torch_step(x):
        return x - 0.1 * (x + torch.randn_like(x))

    def jax_step(x):
        optimizer = optax.chain(optax.add_noise(1.0, 0.0, 0), optax.sgd(0.1))
        updates, _ = optimizer.update(x, optimizer.init(x))
        return optax.apply_updates(x, updates)

    same(torch_step, jax_step)


def test_every_precision_and_every_later_run_sees_the_same_numbers():
    replay, runs = Replay(5), []
    noise = side("jax", replayable("jax", lambda x: x * 0 + jax.random.normal(KEY, x.shape)))
    for dtype in ("float64", "float32", "float64"):
        with replay.on("torch"):
            made = side("torch", lambda x: torch.randn_like(x)).run({"x": X}, dtype=dtype)
        with replay.on("jax"):
            runs += [made, noise.run({"x": X}, dtype=dtype)]
    assert all(np.array_equal(run.tensors["forward/output"], runs[0].tensors["forward/output"]) for run in runs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_uniform_numbers_are_never_zero_or_one_at_any_precision(dtype):
    with Replay(0).on("torch"):
        numbers = torch.rand(20_000, dtype=dtype)
    assert 0 < numbers.min() < 0.001
    assert 0.99 < numbers.max() < 1


@pytest.mark.parametrize(
    ("torch_function", "jax_function", "said"),
    [
        (
            lambda x: F.dropout(x, 0.1),
            lambda x: linen_dropout(x, 0.2),
            "draw 0 differs in its probability: torch draws",
        ),
        (lambda x: F.dropout(x, 0.1), lambda x: x * jax.random.uniform(KEY, x.shape), "differs in its kind: torch"),
        (lambda x: F.dropout(x, 0.1), lambda x: linen_dropout(x.T, 0.1).T, "differs in its shape: torch draws"),
        (lambda x: F.dropout(F.dropout(x, 0.1), 0.1), linen_dropout, "torch draws random numbers 2 times, jax 1 times"),
        (
            lambda x: x,
            linen_dropout,
            "without a partner is draw 0 of jax: bernoulli(0.9) of shape (4, 8) at test_replay",
        ),
        (
            lambda x: x * torch.randint(0, 7, (4, 8)),
            lambda x: x * jax.random.randint(KEY, (4, 8), 0, 8),
            "differs in its range: torch draws integers(0, 7)",
        ),
    ],
)
def test_draws_that_part_are_told_with_both_sides(torch_function, jax_function, said):
    replay, *_ = traces(torch_function, jax_function)
    assert said in replay.parted()


def checkpointed(x):
    return torch.utils.checkpoint.checkpoint(lambda x: F.dropout(x, 0.5).exp(), x, use_reentrant=False)


@pytest.mark.parametrize(
    ("framework", "function", "said"),
    [
        ("torch", checkpointed, "switch checkpointing off"),
        ("torch", lambda x: F.rrelu(x, training=True), "rrelu_with_noise draws random numbers that cannot"),
        ("torch", lambda x: x * torch.multinomial(x.detach().exp(), 2).sum(), "draws 2 classes at once"),
        ("torch", lambda x: x * torch.zeros_like(x).random_(), "over a whole dtype"),
        ("jax", lambda x: x * jax.random.gamma(KEY, 2.0, x.shape), "jax.random.gamma draws numbers that cannot"),
        ("jax", lambda x: jax.vmap(keep)(jax.random.split(KEY, 4), x), "in a vmap"),
        ("jax", lambda x: jax.checkpoint(keep)(KEY, x), "body is traced once"),
        ("jax", lambda x: jax.lax.cond(x[0, 0] > 0, lambda x: keep(KEY, x), jnp.sin, x), "body is traced once"),
        ("jax", lambda x: jax.random.permutation(KEY, x, independent=True), "independent=True"),
        ("jax", lambda x: x * jax.random.categorical(KEY, x, shape=(3, 4)).sum(), "several classes a row"),
        ("jax", lambda x: x * jax.random.normal(KEY, x.shape, complex).real, "wanted real floating ones"),
        ("jax", lambda x: x * jax.random.randint(KEY, (8,), 0, jnp.arange(1, 9)), "ends that are arrays"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_way_out(framework, function, said):
    with pytest.raises(Unreplayable, match=said), Replay(0).on(framework):
        side(framework, replayable(framework, function)).run({"x": X}, dtype="float64", wrt=None)


def test_a_function_that_is_not_made_replayable_is_refused_rather_than_given_one_mask_for_all_turns():
    with pytest.raises(Unreplayable, match="body is traced once"), Replay(0).on("jax"):
        side("jax", scanned).run({"x": X}, dtype="float64")


def test_kernels_that_could_drop_but_do_not_are_left_alone():
    replay = Replay(0)
    with replay.on("torch"):
        F.scaled_dot_product_attention(*[torch.tensor(Q)] * 3)
        nn.LSTM(8, 8, num_layers=2, dropout=0.5).eval()(torch.ones(1, 8))
        F.dropout(torch.ones(3), 0.5, training=False)
    assert replay.draws == {}


def test_all_is_put_back_also_after_an_error():
    before = jax.random.normal(KEY, (3,)), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    state = torch.get_rng_state()

    def failing():
        with Replay(0).on("jax"), Replay(1).on("torch"):
            jax.random.normal(KEY, (3,))
            torch.rand(3)
            np.random.rand(3)  # noqa: NPY002
            random.random()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert jnp.array_equal(jax.random.normal(KEY, (3,)), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert not jax.config.jax_disable_jit
    assert active() is None


def checked(torch_function, jax_function, *, seed=0):
    replay = Replay(seed)
    torch_side = ReplayedSide(side("torch", torch_function), replay)
    jax_side = ReplayedSide(side("jax", replayable("jax", jax_function)), replay)
    return examine(torch_side, jax_side, Task("dropout", {"x": X}), dtypes=("float64", "float32")), replay


def test_a_whole_check_of_a_net_with_dropout_agrees_and_sees_a_fault_behind_the_mask():
    def torch_net(x):
        return F.dropout(torch.tanh(F.dropout(x, 0.2)), 0.4).sum(1)

    def jax_net(x, slope=1.0):
        return linen_dropout(jnp.tanh(slope * linen_dropout(x, 0.2)), 0.4).sum(1)

    honest, replay = checked(torch_net, jax_net)
    assert honest, honest.findings
    assert replay.parted() is None
    faulty, replay = checked(torch_net, functools.partial(jax_net, slope=1 + 1e-9))
    assert faulty.stages["forward"] is Verdict.SEMANTIC
    assert replay.parted() is None
    forgotten, replay = checked(torch_net, lambda x: linen_dropout(jnp.tanh(x), 0.4).sum(1))
    assert not forgotten
    assert "differs in its probability: torch draws bernoulli(0.8)" in replay.parted()


def test_a_draw_that_cannot_be_replayed_is_what_the_check_reports():
    found, _ = checked(F.rrelu, lambda x: x * jax.random.gamma(KEY, 2.0, x.shape))
    assert "jax.random.gamma draws numbers that cannot be replayed" in found.error


def test_a_replay_that_is_on_has_a_number_of_its_own():
    one, other = Replay(0), Replay(0)
    with one.on("jax"):
        first = active()
    with other.on("jax"):
        assert active() not in (first, None)


def test_a_draw_names_its_place_and_a_negative_seed_is_refused():
    assert str(Draw("integers", (3,), (0, 7), "net.py:4")) == "integers(0, 7) of shape (3,) at net.py:4"
    with pytest.raises(ValueError, match="seed is -1"):
        Replay(-1)
