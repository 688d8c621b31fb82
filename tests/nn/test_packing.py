"""Packed sequences against torch's: how they are packed and padded, and what recurrent nets make of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch.nn.utils import rnn

import jax_impl.nn as J
import parity
from jax_impl.nn.recurrence import _stack

X = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
LENGTHS = [2, 5, 1, 5]


def sequences(of):
    return [of(X[:length, i]) for i, length in enumerate(LENGTHS)]


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding_are_torch_s(batch_first):
    x = X.swapaxes(0, 1) if batch_first else X
    theirs = rnn.pack_padded_sequence(torch.tensor(x), torch.tensor(LENGTHS), batch_first, enforce_sorted=False)
    ours = J.pack_padded_sequence(jnp.asarray(x), LENGTHS, batch_first, enforce_sorted=False)
    assert np.array_equal(ours.data, theirs.data.numpy())
    for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        assert list(getattr(ours, name)) == getattr(theirs, name).tolist()
    wanted = rnn.pad_packed_sequence(theirs, batch_first, -1.0, 7)
    found = J.pad_packed_sequence(ours, batch_first, -1.0, 7)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(found, wanted, strict=True))
    for side in ("left", "right"):
        padded = J.pad_sequence(sequences(jnp.asarray), batch_first, 2.0, side)
        assert np.array_equal(padded, rnn.pad_sequence(sequences(torch.tensor), batch_first, 2.0, side).numpy())
    unpadded = J.unpad_sequence(jnp.asarray(x), np.array(LENGTHS), batch_first)
    assert all(np.array_equal(a, b) for a, b in zip(unpadded, sequences(np.asarray), strict=True))
    again = J.unpack_sequence(J.pack_sequence(sequences(jnp.asarray), enforce_sorted=False))
    assert all(np.array_equal(a, b) for a, b in zip(again, sequences(np.asarray), strict=True))


@pytest.mark.parametrize("lengths", [[5, 4, 3], [5, 4, 3, 0], [2, 5, 1, 5]])
def test_lengths_that_torch_refuses_are_refused(lengths):
    with pytest.raises(RuntimeError):
        rnn.pack_padded_sequence(torch.tensor(X), torch.tensor(lengths))
    with pytest.raises(RuntimeError):
        J.pack_padded_sequence(jnp.asarray(X), lengths)


def test_a_length_beyond_the_padded_one_is_refused_which_torch_reads_on_for():
    with pytest.raises(RuntimeError, match="from 1 to 5"):
        J.pack_padded_sequence(jnp.asarray(X), [6, 5, 4, 3])


def test_padding_to_less_than_the_longest_is_refused():
    with pytest.raises(ValueError):
        J.pad_packed_sequence(J.pack_sequence(sequences(jnp.asarray), enforce_sorted=False), total_length=4)


NETS = {
    "LSTM": {"bidirectional": True, "proj_size": 2},
    "GRU": {"num_layers": 2},
    "RNN": {"bidirectional": True},
}


def checked(kind, **options):
    """Torch's net and ours on the same packed sequences, states given."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(3, 4, **NETS[kind])
    ours = nnx.eval_shape(lambda: getattr(J, kind)(3, 4, **NETS[kind], rngs=nnx.Rngs(0)))
    rows = theirs.num_layers * (1 + theirs.bidirectional)
    rng = np.random.default_rng(1)
    sizes = (theirs.proj_size or 4, 4)[: 1 + (kind == "LSTM")]
    states = [rng.normal(size=(rows, 4, size)) for size in sizes]

    def told(packed, states):
        return {"packed": packed.data, "states": list(states) if isinstance(states, tuple) else states}

    def torch_side(weights, x, states):
        packed = rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        given = tuple(states) if len(states) == 2 else states[0]
        return told(*torch.func.functional_call(theirs, weights, (packed, given)))

    def jax_side(weights, x, states):
        module = nnx.clone(ours)
        for name, variable in module.named_parameters():
            variable.set_value(weights[name])
        packed = J.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        return told(*jax.jit(lambda p: module(p, tuple(states) if len(states) == 2 else states[0]))(packed))

    weights = {name: value.detach().numpy().astype(float) for name, value in theirs.named_parameters()}
    return parity.check(torch_side, jax_side, weights, X, states, **options)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.part(1)
@pytest.mark.parametrize("kind", NETS)
def test_a_recurrent_net_over_packed_sequences_is_torch_s(kind):
    report = checked(kind)
    assert report, str(report)


def test_a_net_that_runs_on_over_the_padding_is_told(monkeypatch):
    on = lambda step: lambda state, given: step(state, given[0])
    monkeypatch.setattr(_stack, "_while_alive", on)
    assert not checked("GRU", gradient=False)


def test_packed_sequences_and_padded_ones_of_full_length_are_one():
    net = J.GRU(3, 4, bidirectional=True, rngs=nnx.Rngs(0))
    plain, last = net(jnp.asarray(X))
    packed, ended = net(J.pack_padded_sequence(jnp.asarray(X), [5] * 4))
    # one function compiled twice: the last digits of numbers below 1
    assert np.abs(J.pad_packed_sequence(packed)[0] - plain).max() < 4 * np.finfo(np.float32).eps
    assert np.abs(ended - last).max() < 4 * np.finfo(np.float32).eps
    with pytest.raises(RuntimeError, match="input_size"):
        net(J.pack_padded_sequence(jnp.zeros((5, 4, 2)), [5] * 4))
