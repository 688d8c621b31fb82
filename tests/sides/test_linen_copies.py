"""A Linen module is called without the dropout that is on, and it is told where that was."""

from typing import Any

import jax
import numpy as np
import pytest
from flax import linen

from parity.sides.given import JaxSide
from parity.sides.linen_copies import without_dropout

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


class Net(linen.Module):
    """Dropout that is told in the call, dropout that is told when it is made, and dropout within attention."""

    @linen.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = linen.Dropout(0.5)(linen.Dense(4)(x), deterministic=not train)
        x = linen.Dropout(0.25, deterministic=not train)(x)
        return linen.MultiHeadDotProductAttention(2, dropout_rate=0.125)(x, deterministic=not train)


@pytest.mark.part(1)
@pytest.mark.parametrize("by_call", [False, True])
def test_every_dropout_that_is_on_is_left_out_and_told(by_call: bool):
    variables = Net().init(jax.random.key(0), X)
    call = (lambda apply, x: apply(x, train=True)) if by_call else None
    copied, places = without_dropout(JaxSide(Net(), variables, call=call), True, (X,))
    assert places == {"Dropout_0": 0.5, "Dropout_1": 0.25, "MultiHeadDotProductAttention_0": 0.125}
    streams = {"dropout": jax.random.key(1)}
    found = copied.call(lambda *a, **k: Net().apply(variables, *a, rngs=streams, **k), X)
    np.testing.assert_array_equal(found, Net().apply(variables, X))
    on = Net().apply(variables, X, train=True, rngs=streams)
    assert not np.array_equal(found, on)


def test_dropout_that_is_off_is_not_told_of():
    assert without_dropout(JaxSide(Net(), Net().init(jax.random.key(0), X)), False, (X,))[1] == {}
