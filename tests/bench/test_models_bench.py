"""`parity bench models`: both sides are one model, the check agrees, all that is told is there; no time is judged."""

import dataclasses
import json

import pytest
from rich.console import Console

import parity
from parity.bench import check_parts, gpt2_pair
from parity.bench import models as bench
from parity.sides.mapped import MappedSide

SMALL = gpt2_pair.Size(width=24, heads=2, length=8, vocabulary=32)


@pytest.fixture(scope="module")
def table():
    seen = []
    table = bench.measure((1,), SMALL, lambda *step: seen.append(step), apart=False)
    assert seen == [("1 layers: bare", 0, 2), ("1 layers: checked", 1, 2)]
    return table


def test_the_check_of_the_two_agrees_and_a_norm_of_another_epsilon_does_not(table, monkeypatch):
    (row,) = table.rows
    assert row.check.verdict == "AGREE"
    torch_model, jax_model, tokens = gpt2_pair.both(1, SMALL)
    weights = gpt2_pair.weight_map(torch_model, jax_model)
    jax_model.norm.epsilon = 1e-3
    monkeypatch.setattr("parity.checking.models.with_layers", lambda result, *_, **__: result)  # whether, not where
    assert not parity.check(torch_model, jax_model, tokens, weights=weights, gradient=False)


def test_every_bare_run_is_counted_and_the_ratios_are_of_four_and_of_five(table):
    (row,) = table.rows
    assert tuple(row.bare) == bench.BARE
    assert row.needed == pytest.approx(sum(cost.processor for cost in row.bare.values()))
    assert row.ratio == pytest.approx(row.check.processor / row.needed)
    assert row.ratio_of_five == pytest.approx(row.check.processor / (row.needed + row.again.processor))
    assert row.parameters == sum(p.numel() for p in gpt2_pair.both(1, SMALL)[0].parameters())
    assert all(0 < cost.peak < 2**40 for cost in (*row.bare.values(), row.again, row.check))


def test_all_of_a_check_is_told_apart_and_nothing_of_that_stays(table):
    (row,) = table.rows
    assert tuple(row.check.parts) == check_parts.PARTS
    assert all(seconds > 0.0 for seconds in row.check.parts.values())
    assert sum(row.check.parts.values()) == pytest.approx(row.check.processor, abs=0.02)
    assert MappedSide.translated.__name__ == "translated"
    assert row.check.parts[check_parts.RUNS] > row.check.parts[check_parts.CARRIED]


def test_the_table_has_a_column_a_depth_and_the_mapping_where_it_was_measured(table):
    (row,) = table.rows
    deeper = dataclasses.replace(row, layers=2, mapping=bench.Cost(12.34, 13.0, 1))
    both = dataclasses.replace(table, rows=(row, deeper))
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as captured:
        bench.print_table(both, console)
    lines = captured.get().splitlines()
    assert any("1 layers" in line and "2 layers" in line for line in lines)
    assert any(line.split()[:1] == ["parity.map_weights"] and line.split()[-1] == "12.3" for line in lines)
    for count in ("four", "five"):  # each ratio stands in the table, and what it counts below it
        ratio = row.ratio if count == "four" else row.ratio_of_five
        assert any(line.split()[:4] == ["times", "the", count, f"{ratio:.2f}"] for line in lines)
        assert f"The {count}: " in " ".join(lines)
    told = json.loads(both.to_json())["rows"]
    assert [row["layers"] for row in told] == [1, 2]
    assert (told[0]["ratio"], told[0]["ratio_of_five"]) == (row.ratio, row.ratio_of_five)
