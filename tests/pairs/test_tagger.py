"""The tagger on each side alone: it reads from both ends and learns; and gates in another order are found."""

import numpy as np
import pytest

from parity.cases import cases_of
from parity.cases.runner import run_case
from parity.cases.tagger import drawn, segment, sentences, trained, training
from parity.numerics import Verdict


def arrays(pair, nest):
    if isinstance(nest, dict):
        return {name: arrays(pair, value) for name, value in nest.items()}
    return pair.array(nest) if isinstance(nest, np.ndarray) else nest


def test_every_word_is_read_with_those_before_and_those_after_it(pair):
    rng = np.random.default_rng(0)
    state, words = arrays(pair, drawn(rng)), sentences(rng, rows=1)["words"]
    scores = pair.module("tagger").logits
    plain = pair.numpy(scores(state, pair.array(words)))
    for place in (0, words.shape[1] - 1):
        other = words.copy()
        other[0, place] = (other[0, place] + 1) % 15
        assert (pair.numpy(scores(state, pair.array(other))) != plain).any(axis=-1).all()


@pytest.mark.part(0)
def test_fifty_steps_teach_it_and_a_run_resumed_is_the_run_in_one_go(pair):
    tagger, inputs = pair.module("tagger"), training(np.random.default_rng(0))
    whole = trained(tagger, **arrays(pair, inputs))
    half = trained(tagger, **arrays(pair, segment(inputs, 0, 25)))
    resumed = trained(tagger, **(arrays(pair, segment(inputs, 25, 50)) | {"state": half["state"]}))
    losses = pair.numpy(whole["losses"])
    assert np.array_equal(pair.numpy(resumed["losses"]), losses[25:])
    assert losses[-5:].mean() < losses[:5].mean()


@pytest.mark.part(0)
def test_forget_and_input_gates_exchanged_are_found(monkeypatch):
    import jax.numpy as jnp

    from jax_impl.functional import _gates

    right = _gates.lstm

    def wrong(gates, cell):
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        return right(jnp.concatenate([f, i, g, o], axis=-1), cell)

    monkeypatch.setattr(_gates, "lstm", wrong)
    result = run_case(next(case for case in cases_of("tagger") if case.name == "tagger.logits"))
    assert (result.stages["forward"], result.stages["gradient"]) == (Verdict.SEMANTIC, Verdict.SEMANTIC)
