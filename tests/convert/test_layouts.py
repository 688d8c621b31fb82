"""A pattern reads both ways, and one that has no way back is refused in words."""

import numpy as np
import pytest

from parity.convert import Layout, LayoutError

pytestmark = pytest.mark.part(2)

PATTERNS = [
    ("o i -> i o", (4, 3), (3, 4), {}),
    ("o i kh kw -> kh kw i o", (2, 3, 4, 5), (4, 5, 3, 2), {}),
    ("(h d) i -> i h d", (6, 4), (4, 2, 3), {}),
    ("o (c h w) -> (h w c) o", (2, 24), (24, 2), {"c": 2, "h": 3}),
    ("i o kh kw -> -kh -kw i o", (2, 3, 2, 2), (2, 2, 2, 3), {}),
    ("1 o -> o 1 1", (1, 4), (4, 1, 1), {}),
    (" -> ", (), (), {}),
]


@pytest.mark.parametrize(("text", "torch", "jax", "sizes"), PATTERNS)
def test_there_and_back_is_the_same_bit_for_bit(text, torch, jax, sizes):
    layout = Layout.parse(text, **sizes)
    weight = np.random.default_rng(0).standard_normal(torch).astype(np.float32)
    kernel = layout.to_jax(weight, np.empty(jax, np.float32))
    assert layout.to_torch(kernel, np.empty(torch, np.float32)).tobytes() == weight.tobytes()
    assert Layout.parse(str(layout), **sizes) == layout
    assert sorted(kernel.ravel()) == sorted(weight.ravel())
    seen = layout.seen_by_jax(weight, jax), layout.seen_by_torch(kernel, torch)
    if "-" in text.replace("->", ""):
        assert seen[0] is None  # it would have to be written backwards
    else:
        assert np.array_equal(seen[0], kernel)
        assert np.array_equal(seen[1], weight)
        assert np.shares_memory(seen[0], weight) or text.endswith(("o", "c)"))  # axes that become one are copied


def test_a_large_array_is_copied_in_strips_to_the_same_places():
    layout, weight = Layout.parse("o (h d) -> (h d) o", h=4), np.arange(300.0 * 260).reshape(300, 260)
    assert np.array_equal(layout.to_jax(weight, np.empty((260, 300))), weight.T)
    assert np.array_equal(layout.to_torch(weight.T, np.empty((300, 260))), weight)


def test_a_held_factor_takes_a_part_and_writes_to_a_part():
    fused = np.arange(12.0).reshape(6, 2)
    query = Layout.parse("(h 1/3 d) i -> i (h d)", h=2).to_jax(fused, np.zeros((2, 2)))
    assert query.tolist() == [[2.0, 8.0], [3.0, 9.0]]
    assert Layout.parse("o i -> 1/2 i o").seen_by_jax(np.ones((3, 2)), (2, 2, 3)) is None
    stack = Layout.parse("o i -> 1/2 i o").to_jax(np.ones((3, 2)), np.zeros((2, 2, 3)))
    assert stack.sum(axis=(1, 2)).tolist() == [0.0, 6.0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("o i", "one '->'"),
        ("o i -> i", "o stands on one side only"),
        ("o o -> o o", "stands twice"),
        ("(o i -> i o", "not closed"),
        ("o) i -> i o", "no partner"),
        ("o 3/3 -> o", "the last is 2"),
        ("o ? -> o", "cannot read"),
    ],
)
def test_what_is_no_pattern_is_refused(text, told):
    with pytest.raises(LayoutError, match=told):
        Layout.parse(text)


def test_what_does_not_fit_is_refused():
    layout = Layout.parse("(h d) i -> i (h d)")
    with pytest.raises(LayoutError, match="give a size"):
        layout.views(np.empty((6, 2)), np.empty((2, 6)))
    with pytest.raises(LayoutError, match="the pattern makes"):
        Layout.parse("o i -> i o").views(np.empty((6, 2)), np.empty((3, 6)))
    with pytest.raises(LayoutError, match="has shape"):
        Layout.parse("o i k -> k i o").views(np.empty((6, 2)), np.empty((3, 6, 1)))
    with pytest.raises(LayoutError, match="does not name"):
        Layout.parse("o -> o", h=2)
