"""GPT-2 on each side alone: what it sees, what it draws, what it refuses; and another epsilon in one norm is found."""

import numpy as np
import pytest

from parity.cases import cases_of
from parity.cases.gpt2 import HEADS, LENGTH, WORDS, drawn, masks, segment, sequences, trained, training
from parity.cases.runner import run_case
from parity.numerics import Verdict


def arrays(pair, nest):
    if isinstance(nest, dict):
        return {name: arrays(pair, value) for name, value in nest.items()}
    if isinstance(nest, list):
        return [arrays(pair, value) for value in nest]
    return pair.array(nest) if isinstance(nest, np.ndarray) else nest


def test_a_token_s_scores_do_not_depend_on_what_comes_after_it(pair):
    gpt2, rng = pair.module("gpt2"), np.random.default_rng(0)
    state, tokens = arrays(pair, drawn(rng)), sequences(rng)[:, 1:]
    other = tokens.copy()
    other[:, 4:] = (other[:, 4:] + 1) % WORDS
    one, two = (pair.numpy(gpt2.logits(state, pair.array(t), n_head=HEADS)) for t in (tokens, other))
    assert np.array_equal(one[:, :4], two[:, :4])
    assert not np.array_equal(one[:, 4:], two[:, 4:])


def test_what_does_not_fit_is_refused(pair):
    gpt2, state = pair.module("gpt2"), arrays(pair, drawn(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=f"wanted {LENGTH} positions at most"):
        gpt2.logits(state, pair.array(np.zeros((1, LENGTH + 1), int)), n_head=HEADS)
    with pytest.raises(ValueError, match="n_embd 8 is no multiple of 3 heads"):
        gpt2.logits(state, pair.array(np.zeros((1, LENGTH), int)), n_head=3)


@pytest.mark.part(0)
def test_each_mask_has_its_place(pair):
    gpt2, rng = pair.module("gpt2"), np.random.default_rng(0)
    state, tokens, given = arrays(pair, drawn(rng)), pair.array(sequences(rng)), masks(rng)

    def loss(masks):
        return float(gpt2.loss(state, tokens, arrays(pair, masks), n_head=HEADS))

    seen = {loss(given)}
    for mask in (given["drop"], *(mask for block in given["h"] for mask in block.values())):
        mask[0] = ~mask[0]
        seen.add(loss(given))
        mask[0] = ~mask[0]
    assert len(seen) == 8


@pytest.mark.part(0)
def test_a_run_stopped_and_resumed_is_the_run_in_one_go(pair):
    gpt2 = pair.module("gpt2")
    inputs = segment(training(np.random.default_rng(0)), 0, 6)
    whole = trained(gpt2, **arrays(pair, inputs))
    half = trained(gpt2, **arrays(pair, segment(inputs, 0, 3)))
    resumed = trained(gpt2, **(arrays(pair, segment(inputs, 3, 6)) | {"state": half["state"]}))
    assert np.array_equal(pair.numpy(resumed["losses"]), pair.numpy(whole["losses"])[3:])
    assert int(resumed["state"]["step"]) == 6
    for slot in ("params", "exp_avg", "exp_avg_sq"):
        left, right = resumed["state"][slot], whole["state"][slot]
        assert all(np.array_equal(pair.numpy(left[name]), pair.numpy(right[name])) for name in right)


@pytest.mark.part(0)
def test_flax_s_epsilon_in_the_last_norm_is_found(monkeypatch):
    from jax_impl.gpt2 import model

    right = model.GPT2.__init__

    def wrong(self, *arguments, **options):
        right(self, *arguments, **options)
        self.ln_f.eps = 1e-6

    monkeypatch.setattr(model.GPT2, "__init__", wrong)
    result = run_case(next(case for case in cases_of("gpt2") if case.name == "gpt2.logits"))
    assert (result.stages["forward"], result.stages["gradient"]) == (Verdict.SEMANTIC, Verdict.SEMANTIC)
