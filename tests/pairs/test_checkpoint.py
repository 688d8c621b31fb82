"""Checkpoints: torch's names and layout on both sides, pure application, files that either side loads bit for bit."""

import contextlib
import os
import pickle

import numpy as np
import pytest
import safetensors.numpy

from parity.cases.lenet import lenet_state, mlp_state
from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)

SIZES = (3, 4, 2)


@pytest.fixture
def checkpoint(pair):
    return pair.module("checkpoint")


def arrays(pair, state):
    return {name: pair.array(value) for name, value in state.items()}


def bits(pair, array):
    """The bytes of an array of any dtype, and its dtype's and shape's names."""
    if pair.name == "torch":
        import torch

        whole = array.detach().contiguous()
        content = bytes(whole.reshape(-1).view(torch.uint8).tolist())
    else:
        content = np.asarray(array).tobytes()
    return str(array.dtype).removeprefix("torch."), tuple(array.shape), content


def contents(pair, model):
    return {name: bits(pair, value) for name, value in pair.module("checkpoint").state_dict(model).items()}


def mlp(pair, seed=0, sizes=SIZES):
    return pair.module("lenet").MLP.from_state(arrays(pair, mlp_state(np.random.default_rng(seed), *sizes)))


def several_kinds(pair):
    """A model of every kind of layer that both frameworks have, nested, listed, shared, with a weight of its own."""
    if pair.name == "torch":
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Conv1d(2, 3, 5, dtype=torch.float64)
                self.blocks = nn.ModuleList(
                    nn.Sequential(nn.Conv2d(4, 6, (1, 3), groups=2), nn.BatchNorm2d(6)) for _ in range(2)
                )
                self.embedding = nn.Embedding(7, 4)
                self.norm = nn.LayerNorm(4)
                self.groups = nn.GroupNorm(2, 6)
                self.head = nn.Linear(4, 4, bias=False)
                self.shared = self.head
                self.scale = nn.Parameter(torch.arange(3.0))

        return Model()
    import jax
    import jax.numpy as jnp
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.stem = nnx.Conv(2, 3, 5, param_dtype=jnp.float64, rngs=rngs)
            self.blocks = nnx.List(
                nnx.Sequential(nnx.Conv(4, 6, (1, 3), feature_group_count=2, rngs=rngs), nnx.BatchNorm(6, rngs=rngs))
                for _ in range(2)
            )
            self.embedding = nnx.Embed(7, 4, rngs=rngs)
            self.norm = nnx.LayerNorm(4, rngs=rngs)
            self.groups = nnx.GroupNorm(6, num_groups=2, rngs=rngs)
            self.head = nnx.Linear(4, 4, use_bias=False, rngs=rngs)
            self.shared = self.head
            self.scale = nnx.Param(jnp.arange(3, dtype=jnp.float32))
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

    return Model(nnx.Rngs(jax.random.key(0, impl="rbg")))  # the generator that compiles fastest


NORMED = {"weight": (6,), "bias": (6,), "running_mean": (6,), "running_var": (6,)}
EVERY_KIND = {
    "stem.weight": (3, 2, 5),
    "stem.bias": (3,),
    **{f"blocks.{i}.0.weight": (6, 2, 1, 3) for i in range(2)},
    **{f"blocks.{i}.0.bias": (6,) for i in range(2)},
    **{f"blocks.{i}.1.{name}": shape for i in range(2) for name, shape in NORMED.items()},
    "embedding.weight": (7, 4),
    "norm.weight": (4,),
    "norm.bias": (4,),
    "groups.weight": (6,),
    "groups.bias": (6,),
    "head.weight": (4, 4),
    "shared.weight": (4, 4),
    "scale": (3,),
}


def test_every_kind_of_layer_has_torchs_names_and_layout(pair, checkpoint):
    model = several_kinds(pair)
    assert {name: tuple(value.shape) for name, value in checkpoint.state_dict(model).items()} == EVERY_KIND
    statistics = {name for name in EVERY_KIND if "running" in name}
    assert set(checkpoint.parameter_names(model)) == set(EVERY_KIND) - statistics
    # stem is float64, the rest float32: nothing is rounded on its way into the state
    assert {name for name, (dtype, _, _) in contents(pair, model).items() if dtype == "float64"} == {
        "stem.weight",
        "stem.bias",
    }


def test_a_state_comes_back_as_it_was_loaded(pair, checkpoint):
    rng = np.random.default_rng(0)
    state = arrays(pair, {name: rng.normal(size=shape) for name, shape in EVERY_KIND.items()})
    state["shared.weight"] = state["head.weight"]
    model = several_kinds(pair)
    checkpoint.load_state_dict(model, state)
    assert contents(pair, model) == {name: bits(pair, value) for name, value in state.items()}


def test_a_square_weight_is_turned_too(pair, checkpoint):
    model = mlp(pair, sizes=(2, 2))
    weight = [[1.0, 2.0], [3.0, 4.0]]
    state = {"layers.0.weight": pair.array(weight), "layers.0.bias": pair.array([0.0, 0.0])}
    output = checkpoint.apply(model, state, pair.array([[1.0, 10.0]])).tolist()
    assert output == [[21.0, 43.0]]
    assert output != (np.array([[1.0, 10.0]]) @ weight).tolist()  # what the planted fault, no transpose, would give


def test_a_state_is_a_snapshot(pair, checkpoint):
    model = mlp(pair)
    state = checkpoint.state_dict(model)
    before = {name: bits(pair, value) for name, value in state.items()}
    checkpoint.load_state_dict(model, checkpoint.state_dict(mlp(pair, seed=1)))
    assert contents(pair, model) != before
    assert {name: bits(pair, value) for name, value in state.items()} == before


def test_loading_copies_so_that_training_the_model_leaves_the_state(pair, checkpoint):
    if pair.name == "torch":
        import torch

        model, state = mlp(pair), arrays(pair, mlp_state(np.random.default_rng(1), *SIZES))
        weight = model.layers[0].weight
        checkpoint.load_state_dict(model, state)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert bool(state["layers.0.weight"].all())
        assert model.layers[0].weight is weight, "an optimizer that holds the parameter has lost it"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("layers.1.bias"), r"the state lacks \['layers.1.bias'\], and has \[\]"),
        (
            lambda s: s.update(gate=s["layers.0.bias"]),
            r"the state lacks \[\], and has \['gate'\], which the model has not",
        ),
        (
            lambda s: s.update({"layers.0.weight": s["layers.1.weight"]}),
            r"layers.0.weight has shape \(2, 4\), the model wants \(4, 3\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_of_it_is_written(pair, checkpoint, change, complaint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    change(state)
    before = contents(pair, model)
    with pytest.raises(ValueError, match=complaint):
        checkpoint.load_state_dict(model, state)
    assert contents(pair, model) == before
    with pytest.raises(ValueError, match=complaint):
        checkpoint.apply(model, state, pair.array(np.zeros((1, 3))))


def test_a_file_with_torchs_count_of_batches_is_let_pass(pair, checkpoint, tmp_path):
    values = {name: np.full(shape, 2.0, "float32") for name, shape in NORMED.items()}
    safetensors.numpy.save_file(values | {"num_batches_tracked": np.array(7)}, tmp_path / "norm")
    if pair.name == "torch":
        import torch

        norm, width = torch.nn.BatchNorm1d(6), contextlib.nullcontext()
    else:
        import jax
        from flax import nnx

        norm, width = nnx.BatchNorm(6, rngs=nnx.Rngs(0)), jax.enable_x64(False)
    with width:  # an int64, which JAX cannot hold here, and need not
        checkpoint.load(norm, tmp_path / "norm")
    assert {name: value.tolist() for name, value in checkpoint.state_dict(norm).items()} == {
        name: [2.0] * 6 for name in NORMED
    }


def test_apply_uses_the_state_and_leaves_model_and_state_alone(pair, checkpoint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    before, given = contents(pair, model), {name: bits(pair, value) for name, value in state.items()}
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)))
    assert bits(pair, checkpoint.apply(model, state, x)) == bits(pair, mlp(pair, seed=1)(x))
    assert bits(pair, checkpoint.apply(model, state, x)) != bits(pair, model(x))
    assert contents(pair, model) == before
    assert {name: bits(pair, value) for name, value in state.items()} == given


def test_apply_in_training_moves_no_running_statistics(pair, checkpoint):
    if pair.name == "torch":
        import torch

        norm = torch.nn.BatchNorm1d(3)
    else:
        from flax import nnx

        norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
    state = checkpoint.state_dict(norm)
    given = {name: bits(pair, value) for name, value in state.items()}
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)), "float32")  # NNX keeps float32 statistics
    checkpoint.apply(norm, state, x)
    assert {name: bits(pair, value) for name, value in state.items()} == given
    assert contents(pair, norm) == given
    norm(x)
    assert contents(pair, norm) != given, "the layer was not training, and the test had no power"


def test_apply_is_differentiable_in_every_parameter(pair, checkpoint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)))
    if pair.name == "torch":
        import torch

        gradients = torch.func.grad(lambda state: checkpoint.apply(model, state, x).sum())(state)
    else:
        import jax

        gradients = jax.jit(jax.grad(lambda state: checkpoint.apply(model, state, x).sum()))(state)
    assert gradients["layers.1.bias"].tolist() == [5.0, 5.0]
    assert all(bool((gradients[name] != 0).any()) for name in state)


def narrowed(pair, model, dtype):
    """The model, its parameters in another dtype."""
    state = pair.module("checkpoint").state_dict(model)
    if pair.name == "torch":
        import torch

        state = {name: value.to(getattr(torch, dtype)) for name, value in state.items()}
    else:
        state = {name: value.astype(dtype) for name, value in state.items()}
    pair.module("checkpoint").load_state_dict(model, state)
    return model


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_file_gives_back_every_bit(pair, checkpoint, tmp_path, dtype):
    model, other = narrowed(pair, mlp(pair), dtype), mlp(pair, seed=1)
    checkpoint.save(model, tmp_path / "net.safetensors")
    checkpoint.load(other, tmp_path / "net.safetensors")
    assert contents(pair, other) == contents(pair, model)
    assert {kind for kind, _, _ in contents(pair, other).values()} == {dtype}


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_both_sides_write_the_same_file_and_load_each_others(tmp_path, dtype):
    import jax.numpy as jnp
    import torch

    import jax_impl.checkpoint
    import jax_impl.lenet
    import torch_impl.checkpoint
    import torch_impl.lenet

    state = lenet_state(np.random.default_rng(0), channels=3, width=5)
    # the corners of a format: a signed zero, a subnormal, infinities, a NaN
    state["conv1.bias"] = np.array([-0.0, 1e-40, np.inf, -np.inf, np.nan])
    with jax_backend.start().enable_x64(True):
        left = torch_impl.lenet.LeNet.from_state(
            {name: torch.tensor(value).to(getattr(torch, dtype)) for name, value in state.items()}
        )
        torch_impl.checkpoint.save(left, tmp_path / "torch")
        right = jax_impl.lenet.LeNet.from_state(
            {name: jnp.zeros(value.shape, dtype) for name, value in state.items()},
        )
        jax_impl.checkpoint.load(right, tmp_path / "torch")
        jax_impl.checkpoint.save(right, tmp_path / "jax")
        assert (tmp_path / "jax").read_bytes() == (tmp_path / "torch").read_bytes()
        blank = torch_impl.lenet.LeNet.from_state({name: torch.zeros(value.shape) for name, value in state.items()})
        torch_impl.checkpoint.load(blank, tmp_path / "jax")
        torch_impl.checkpoint.save(blank, tmp_path / "torch again")
        assert (tmp_path / "torch again").read_bytes() == (tmp_path / "torch").read_bytes()
        # the planted fault: one bit of one weight
        blank.conv2.weight.data[0, 0, 0, 0] *= -1
        torch_impl.checkpoint.save(blank, tmp_path / "flipped")
        assert (tmp_path / "flipped").read_bytes() != (tmp_path / "torch").read_bytes()


@pytest.mark.parametrize("native", [False, True])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(pair, checkpoint, tmp_path, monkeypatch, native):
    save = checkpoint.save_native if native else checkpoint.save
    save(mlp(pair), tmp_path / "net")
    old = (tmp_path / "net").read_bytes()

    def full(descriptor):
        raise OSError("no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space left"):
            save(mlp(pair, seed=1), tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["net"]
    save(mlp(pair, seed=1), tmp_path / "net")
    assert (tmp_path / "net").read_bytes() != old
    assert [file.name for file in tmp_path.iterdir()] == ["net"]


def test_a_file_that_is_missing_cut_or_of_another_kind_is_told(pair, checkpoint, tmp_path):
    model = mlp(pair)
    before = contents(pair, model)
    with pytest.raises(FileNotFoundError):
        checkpoint.load(model, tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        checkpoint.save(model, tmp_path / "no folder" / "net")
    checkpoint.save(mlp(pair, seed=1), tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-1])
    (tmp_path / "text").write_text("weights, but not really")
    for name in ("cut", "text"):
        with pytest.raises(ValueError, match=rf"load: .*{name} is no whole safetensors file .*write it with save"):
            checkpoint.load(model, tmp_path / name)
    assert contents(pair, model) == before


def test_a_float64_file_is_not_rounded_in_silence(pair, checkpoint, tmp_path):
    checkpoint.save(mlp(pair), tmp_path / "net")
    if pair.name == "jax":
        import jax

        with jax.enable_x64(False):
            model = pair.module("lenet").MLP.from_state(
                {
                    name: pair.array(value, "float32")
                    for name, value in mlp_state(np.random.default_rng(1), *SIZES).items()
                }
            )
            before = contents(pair, model)
            with pytest.raises(ValueError, match=r"layers.0.weight is float64, which JAX would round; .*enable_x64"):
                checkpoint.load(model, tmp_path / "net")
            assert contents(pair, model) == before
    checkpoint.load(mlp(pair, seed=1), tmp_path / "net")


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_native_file_gives_back_every_bit(pair, checkpoint, tmp_path, dtype):
    model, other = narrowed(pair, mlp(pair), dtype), narrowed(pair, mlp(pair, seed=1), dtype)
    checkpoint.save_native(model, tmp_path / "net")
    checkpoint.load_native(other, tmp_path / "net")
    assert contents(pair, other) == contents(pair, model)
    with pytest.raises((ValueError, RuntimeError), match=r"layers"):
        checkpoint.load_native(mlp(pair, sizes=(3, 5, 2)), tmp_path / "net")


class Planted:
    """What a pickle may do when it is opened without care."""

    def __reduce__(self):
        return (print, ("opened",))


def test_a_native_file_runs_no_code(pair, checkpoint, tmp_path, capsys):
    if pair.name == "torch":
        import torch

        torch.save({"layers.0.weight": Planted()}, tmp_path / "net")
        refused = pickle.UnpicklingError
    else:
        (tmp_path / "net").write_bytes(pickle.dumps(Planted()))
        refused = Exception  # msgpack's reader has an error for each way of being no msgpack
    with pytest.raises(refused):
        checkpoint.load_native(mlp(pair), tmp_path / "net")
    assert capsys.readouterr().out == ""


def test_a_layer_whose_layout_is_not_known_is_refused(pair, checkpoint):
    if pair.name == "jax":
        from flax import nnx

        class Model(nnx.Module):
            def __init__(self):
                self.up = nnx.ConvTranspose(2, 3, 5, rngs=nnx.Rngs(0))

        with pytest.raises(
            TypeError, match=r"up.kernel belongs to a ConvTranspose, whose layout in torch is not known"
        ):
            checkpoint.state_dict(Model())
