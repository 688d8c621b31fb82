"""A map is a table and a file; what a file says is not trusted, and a map that loses an element is none."""

import json
import re

import ml_dtypes
import numpy as np
import pytest
import torch

from parity.convert import Layout, MappingError, Rule, WeightMap

pytestmark = pytest.mark.part(2)


def example() -> WeightMap:
    """A fused weight with two parts, a stack of two layers, and a bias that is a sum."""
    rules = (
        Rule("qkv.weight[0:4]", "q.kernel", Layout.parse("(h d) i -> i h d", h=2)),
        Rule("qkv.weight[4:8]", "k.kernel", Layout.parse("(h d) i -> i h d", h=2)),
        Rule("layers.0.bias", "stack.bias[0]", Layout.parse("o -> o")),
        Rule("layers.1.bias", "stack.bias[1]", Layout.parse("o -> o")),
        Rule("b_ih", "b", Layout.parse("o -> o"), plus="b_hh", note="a sum"),
        Rule("scale", "scale", Layout.parse("->")),
    )
    torch_shapes = {"qkv.weight": (8, 3), "layers.0.bias": (2,), "layers.1.bias": (2,), "b_ih": (3,), "b_hh": (3,)}
    jax_shapes = {"q.kernel": (3, 2, 2), "k.kernel": (3, 2, 2), "stack.bias": (2, 2), "b": (3,)}
    paths = {name: tuple(name.split(".")) for name in (*jax_shapes, "scale")}
    return WeightMap(
        rules, torch_shapes | {"scale": ()}, jax_shapes | {"scale": ()}, paths, {"tied.weight": "qkv.weight"}
    )


def state(dtype: str = "float32") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {n: np.asarray(rng.standard_normal(s)).astype(dtype) for n, s in example().torch_shapes.items()}
    return found | {"tied.weight": found["qkv.weight"]}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_both_ways_bit_for_bit(dtype):
    given = state(dtype)
    there = example().to_jax(given)
    back = example().to_torch(there)
    assert there["q"]["kernel"].dtype == dtype
    for name in ("qkv.weight", "layers.0.bias", "layers.1.bias", "scale", "tied.weight"):
        assert back[name].numpy().tobytes() == given[name].tobytes()
    assert (there["b"] == given["b_ih"] + given["b_hh"]).all()
    assert not back["b_hh"].any()


def test_arrays_that_nobody_needs_any_more_are_taken_out_as_they_are_read():
    arrays = {n: np.random.default_rng(1).standard_normal(s) for n, s in example().jax_shapes.items()}
    wanted = example().to_torch_arrays(arrays)
    assert list(arrays) == list(example().jax_shapes)
    given = arrays | {"alone": np.ones(1)}
    found = example().to_torch_arrays_of(given)
    assert list(given) == ["alone"]
    assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in wanted.items()}


def test_bfloat16_goes_by_its_bits():
    given = {n: torch.from_numpy(np.array(a)).to(torch.bfloat16) for n, a in state().items()}
    there = example().to_jax(given)
    assert there["q"]["kernel"].dtype == ml_dtypes.bfloat16
    assert torch.equal(example().to_torch(there)["qkv.weight"], given["qkv.weight"])


def test_a_notebook_shows_both_names_and_both_shapes_and_every_name_is_text():
    told = example()._repr_html_()
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", told)]
    assert rows[1] == ["qkv.weight[0:4]", "(8, 3)", "(h d) i -&gt; i h d", "q.kernel", "(3, 2, 2)", ""]
    assert rows[5] == ["b_ih + b_hh", "(3,)", "o -&gt; o", "b", "(3,)", "a sum"]
    assert "<p>tied.weight is tied to qkv.weight</p><p>not proven: edited, or read from a file</p>" in told
    assert ">note</th>" in told
    silent = WeightMap((Rule("w", "w", Layout.parse("o -> o")),), {"w": (2,)}, {"w": (2,)}, {})._repr_html_()
    assert ">note</th>" not in silent
    assert silent.count("<td>") == silent.count("<th ") == 5
    name = "<script>alert(1)</script>"
    rule = Rule(name, name, Layout.parse("o -> o"), note=name)
    planted = WeightMap((rule,), {name: (2,)}, {name: (2,)}, {name: (name,)}, proof=name)._repr_html_()
    assert planted.count("&lt;script&gt;") == 4
    assert not re.search("<script|http|src=", planted)


def test_it_prints_as_a_table_and_comes_back_from_a_file(tmp_path):
    example().to_json(tmp_path / "map.json")
    read = WeightMap.from_json(tmp_path / "map.json")
    assert read == example()
    assert "b_ih + b_hh" in str(read)
    assert "tied.weight is tied to qkv.weight" in str(read)
    assert "not proven" in str(read)
    assert len(str(read).splitlines()) == 1 + len(read) + 1 + 1


def edited(**changes):
    def change(content):
        content.update(changes)

    return change


HOSTILE = {
    "no rules": lambda c: c.pop("rules"),
    "another format": edited(format="parity weight map 99"),
    "a rule is missing": lambda c: c["rules"].pop(),
    "a rule stands twice": lambda c: c["rules"].append(c["rules"][0]),
    "an unknown leaf": lambda c: c["rules"][0].update(torch="nothing"),
    "a pattern that loses an axis": lambda c: c["rules"][0].update(layout="o i -> o"),
    "an index outside": lambda c: c["rules"][2].update(jax="stack.bias[7]"),
    "an index that is none": lambda c: c["rules"][2].update(jax="stack.bias[__import__]"),
    "a shape of a million million": lambda c: c["torch"].update(scale=[10**6, 10**6]),
    "a negative shape": lambda c: c["torch"].update(scale=[-1]),
    "a shape of texts": lambda c: c["torch"].update(scale=["1"]),
    "a path that is another": lambda c: c["jax"]["b"].update(path=["c"]),
    "an alias of nothing": edited(aliases={"x": "y"}),
    "rules that are a text": edited(rules="all"),
    "sizes that are a list": lambda c: c["rules"][0].update(sizes=[2]),
    "a size of nothing": lambda c: c["rules"][0].update(sizes={"h": 0}),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_file_is_not_trusted(fault, tmp_path):
    path = tmp_path / "map.json"
    example().to_json(path)
    content = json.loads(path.read_text())
    HOSTILE[fault](content)
    path.write_text(json.dumps(content))
    with pytest.raises(MappingError, match="no weight map"):
        WeightMap.from_json(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "3", "\x00"])
def test_what_is_no_json_is_told(text, tmp_path):
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(MappingError, match="no weight map"):
        WeightMap.from_json(tmp_path / "map.json")


def test_weights_of_another_model_are_refused():
    given = state()
    with pytest.raises(MappingError, match="missing: b_ih"):
        example().to_jax({n: a for n, a in given.items() if n != "b_ih"})
    with pytest.raises(MappingError, match="without a rule: more"):
        example().to_jax({**given, "more": np.ones(1)})
    with pytest.raises(MappingError, match="has shape"):
        example().to_jax({**given, "b_ih": np.ones(4)})
    with pytest.raises(MappingError, match="no rule of the map"):
        example().edited(Rule("b_ih", "other", Layout.parse("o -> o")))


def test_what_lies_backwards_or_in_another_order_is_told_apart_from_what_lies_plainly():
    layouts = {"a": "o i -> i o", "b": "-o i -> o i", "c": "o (h d) -> (d h) o", "d": "(h d) i -> i h d"}
    shapes = {"a": (4, 4), "b": (4, 4), "c": (4, 4), "d": (4, 2, 2)}
    rules = tuple(Rule(n, n, Layout.parse(text, **({"h": 2} if "h" in text else {}))) for n, text in layouts.items())
    found = WeightMap(rules, dict.fromkeys("abcd", (4, 4)), shapes, {n: (n,) for n in "abcd"})
    assert [rule.jax for rule in found.laid_otherwise()] == ["b", "c"]
