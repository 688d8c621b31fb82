"""Checkpoints in files, which either side loads bit for bit, and which a failure leaves as they were."""

import contextlib
import os
import pickle

import numpy as np
import pytest
import safetensors.numpy
from checkpointed import NORMED, SIZES, contents, mlp, narrowed

from parity.cases.lenet import lenet_state, mlp_state
from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)


@pytest.fixture
def checkpoint(pair):
    return pair.module("checkpoint")


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
