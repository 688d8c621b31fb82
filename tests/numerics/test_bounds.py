"""The compiled loop over all arrays of a reading gives the ratios and the power that NumPy's passes give."""

from dataclasses import replace

import numpy as np
import pytest

from parity.numerics import Reading, bounds

U64, U32 = 2.0**-53, 2.0**-24
SHAPE = (40, 50)
LAM = 7.0


def a_reading(**changed):
    """Numbers over twelve decades, honestly rounded, with sensitivities as eight runs would measure them."""
    rng = np.random.default_rng(0)
    r = rng.standard_normal(SHAPE) * 10.0 ** rng.uniform(-6, 6, SHAPE)
    torch, jax = ((r * (1 + U32 * rng.uniform(-1, 1, SHAPE))).astype(np.float32) for _ in range(2))
    sensitivity = np.abs(r) * np.sqrt(rng.chisquare(7, SHAPE) / 7)
    made = Reading(r, r * (1 + U64 * rng.uniform(-1, 1, SHAPE)), torch, jax, "float32", sensitivity)
    return replace(made, **changed)


def both_ways(monkeypatch, reading, piece=300):
    pytest.importorskip("numba", reason="the compiled loops need parity[fast]")
    monkeypatch.setattr(bounds, "COMPILED", 1)
    monkeypatch.setattr(bounds, "COPIED_PIECE", piece)
    loops = bounds.compiled_loops()
    called = []
    # Told by name: a reading that is not plain would go NumPy's way, and the two would agree without having met.
    monkeypatch.setattr(loops, "ratios", lambda *a, f=loops.ratios: called.append(1) or f(*a))
    compiled = bounds.in_bounds(reading, LAM)
    assert called
    monkeypatch.setattr(bounds, "compiled_loops", lambda: None)
    return compiled, bounds.in_bounds(reading, LAM)


def odd_numbers():
    made = a_reading()
    sensitivity, torch64, torch = (a.copy() for a in (made.sensitivity, made.torch64, made.torch))
    sensitivity[0, :4] = np.inf, np.nan, 0.0, 5e-324
    torch64[1, :4] = np.inf, np.nan, 0.0, 1e-310
    torch[2, :2] = np.inf, np.nan
    return replace(made, sensitivity=sensitivity, torch64=torch64, torch=torch)


def one_wrong(place, size):
    made = a_reading()
    wrong = made.jax64.copy()
    wrong[place] *= 1 + size
    return replace(made, jax64=wrong)


READINGS = {
    "honest": a_reading,
    "odd numbers": odd_numbers,
    "one wrong": lambda: one_wrong((17, 3), 1e-9),
    "transposed": lambda: replace(a_reading(), jax64=np.asfortranarray(a_reading().jax64)),
    "nothing moved": lambda: replace(a_reading(), sensitivity=np.zeros(SHAPE)),
    "all infinite": lambda: replace(a_reading(), torch=np.full(SHAPE, np.inf, np.float32)),
    "reference at float32": lambda: replace(a_reading(), reference="float32"),
}


@pytest.mark.parametrize("piece", [300, 1 << 16], ids=["part of a block", "two blocks"])
@pytest.mark.parametrize("kind", READINGS)
def test_the_compiled_loop_gives_the_same_ratios_places_and_power(monkeypatch, kind, piece):
    compiled, plain = both_ways(monkeypatch, READINGS[kind](), piece)
    assert compiled[1::2] == plain[1::2]
    assert [compiled[k] for k in (0, 2, 4)] == pytest.approx([plain[k] for k in (0, 2, 4)], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(("place", "size"), [((17, 3), 1e-13), ((17, 3), 1e-9), ((39, 49), 1e-9)])
def test_a_wrong_element_is_found_by_the_compiled_loop_where_it_stands(monkeypatch, place, size):
    monkeypatch.setattr(bounds, "COMPILED", 1)
    ratio64, at64, ratio, _, _ = bounds.in_bounds(one_wrong(place, size), LAM)
    assert at64 == place
    assert ratio64 > 1.0 > ratio
    assert bounds.in_bounds(a_reading(), LAM)[0] < 1.0
