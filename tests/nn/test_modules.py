"""Every sample of torch's own table of modules: torch's state loaded into jax_impl.nn, judged by the verdict rule."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nn.module_record import kept, lines, stale
from nn.module_summary import MODULES, PROPERTY, summarised
from nn.module_table import build, error_samples, judged, module_db, numpy, samples

import jax_impl.nn
from jax_impl.nn import Linear
from parity.numerics import Verdict
from parity.sides.inputs import rebuild


def chosen(name, whole):
    """The samples to run, and how many there are in each mode: all in both, or the smallest in train mode."""
    every = {training: samples(name, training=training) for training in (True, False)}
    picked = [*every[True], *every[False]] if whole else [min(every[True], key=lambda sample: sample.size)]
    return picked, [len(mode) for mode in every.values()]


# torch says of some samples that it will not take its fastest way
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")  # torch's, of KLDivLoss
@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0:UserWarning")  # torch's, of an empty LayerNorm
@pytest.mark.filterwarnings("ignore:.*Implicit dimension choice:UserWarning")
@pytest.mark.filterwarnings("ignore:.*dim is not given, which torch deprecates:UserWarning")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_with_torch_s_state_is_torch_s(name, whole, record_property):
    if not hasattr(jax_impl.nn, name):
        record_property(PROPERTY, json.dumps({"module": name, "missing": "not in jax_impl.nn yet"}))
        return
    ran, counts = chosen(name, whole)
    assert not stale(kept(), name, counts), stale(kept(), name, counts)
    results = {sample.name: judged(sample) for sample in ran}
    record_property(PROPERTY, json.dumps({"module": name, "ran": len(ran), "of": sum(counts)}))
    failed = [f"{name}: {result}" for name, result in results.items() if not result]
    assert not failed, "\n".join(failed)


def arrays(value):
    return rebuild(value, lambda _, leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf)


@pytest.mark.parametrize("name", MODULES)
def test_what_torch_refuses_is_refused_with_the_same_type_of_error(name, record_property):
    if not hasattr(jax_impl.nn, name):
        return  # told by the test above
    errors = error_samples(name)
    for error in errors:
        with jax.enable_x64(True), pytest.raises(error.error_type):
            use(name, error)
    record_property(PROPERTY, json.dumps({"refused": len(errors)}))


def use(name, error):
    """Build the module, and call it where torch's error comes of the call."""
    given = error.module_error_input
    module = build(name, given.constructor_input)
    if error.error_on.name == "FORWARD_ERROR":
        args, kwargs = arrays(numpy((list(given.forward_input.args), dict(given.forward_input.kwargs))))
        module(*args, **kwargs)


def test_the_table_is_torch_s():
    assert tuple(module_db()) == MODULES


class Faulty(Linear):
    """A linear layer that is off by one part in a billion."""

    def __call__(self, input):
        return super().__call__(input) * (1 + 1e-9)


def test_a_fault_of_one_part_in_a_billion_is_found(monkeypatch):
    sample = samples("Linear", training=True)[0]
    assert judged(sample)
    monkeypatch.setattr(jax_impl.nn, "Linear", Faulty)
    result = judged(sample)
    assert {f.verdict for f in result.findings if not f} == {Verdict.SEMANTIC}
    assert {f.torch_path for f in result.findings if not f} >= {"output", "parameters.weight"}


def test_a_record_that_no_longer_matches_the_table_is_told():
    def record(*verdicts):
        one = {"samples": [2, 2], "judged": 4, "verdicts": dict(verdicts), "differ": {"A 1 train": "UNSTABLE"}}
        return {"modules": {"A": one | {"date": "2026-11-28"}}}

    right = record(("AGREE", 3), ("UNSTABLE", 1))
    assert stale(right, "A", [2, 2]) == []
    assert stale(right, "B", [1, 1]) == []
    (told,) = stale(right, "A", [2, 3])
    assert told == "the record has [2, 2] samples of A, the table [2, 3]: run python tests/nn/module_record.py A"
    assert len(stale(record(("AGREE", 2), ("UNSTABLE", 1)), "A", [2, 2])) == 1
    assert len(stale(record(("AGREE", 2), ("UNSTABLE", 2)), "A", [2, 2])) == 1  # and one of them is not named
    assert lines(right, ("A", "B")) == [
        "on record, every sample in train and eval mode: 1 of 2 modules, 4 of 4 samples of theirs judged, 3 agree "
        "(2026-11-28 to 2026-11-28)",
        "  differs: A 1 train: UNSTABLE",
        "  not run whole yet (python tests/nn/module_record.py MODULE): B",
    ]


def test_the_record_has_no_sample_that_differs():
    """What differs is to be understood; a record of it would be an excuse."""
    assert not [sample for one in kept()["modules"].values() for sample in one["differ"]]


def test_the_summary_counts_and_names_what_is_missing():
    missing = [{"module": name, "missing": "none"} for name in "BC"]
    told = summarised([{"module": "A", "ran": 1, "of": 5}, *missing, {"refused": 2}, {"refused": 3}])
    assert told == [
        "torch's table of modules: 1 of 114 modules, 1 of 5 samples of theirs; --whole runs all",
        "  none: B C",
        "  5 of torch's error inputs are refused here too",
    ]
