"""A stream of gradients, and what torch.optim, torch_impl.optim and jax_impl.optim do with it.

The gradients are fixed, so that nothing feeds back but what the optimizer itself does. Beside ordinary ones there are
tiny ones (whose squares vanish), huge ones (which stay in the averages), exact zeros, rows of zeros, and a parameter
that has none at all in some of the steps.
"""

from functools import cache
from typing import Any

import numpy as np

STEPS = 50
SHAPES = {"matrix": (6, 3), "kernel": (2, 3, 2, 2), "missing": (5, 2), "scalar": (), "extremes": (6,), "phase": (3,)}
ABSENT = {3, 4, 17, 18, 19, 40}  # the steps in which "missing" has no gradient
REAL_ONLY = {"Adafactor", "Muon", "SparseAdam"}


def leaves(optimizer: str) -> list[str]:
    """What the optimizer can step at all."""
    if optimizer == "Muon":
        return [n for n, shape in SHAPES.items() if len(shape) == 2]
    # torch has no sparse gradient of a scalar
    banned = {"phase"} if optimizer in REAL_ONLY else set()
    return [n for n in SHAPES if n not in banned | ({"scalar"} if optimizer == "SparseAdam" else set())]


@cache
def stream(dtype: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The parameters before the first step, and their gradients (STEPS, *shape)."""
    rng = np.random.default_rng(0)
    huge, tiny = (1e100, 1e-200) if dtype == "float64" else (1e15, 1e-30)
    start = {n: rng.normal(size=shape) for n, shape in SHAPES.items()}
    g = {n: rng.normal(size=(STEPS, *shape)) for n, shape in SHAPES.items()}
    g["extremes"][:, 0] *= tiny
    g["extremes"][30, 1] = huge
    g["extremes"][:, 2] = 0
    g["extremes"][:10, 3] = 0
    g["extremes"][10:, 4] = 0
    g["extremes"][:, 5] *= 10.0 ** rng.uniform(-12, 3, size=STEPS)
    g["matrix"][rng.random((STEPS, 6)) < 0.4] = 0
    g["kernel"][25, 0, 0] *= 1e30 if dtype == "float64" else 1e12
    for part in (start, g):
        part["phase"] = part["phase"] + 1j * rng.normal(size=part["phase"].shape)
    widths = {n: ("complex128" if dtype == "float64" else "complex64") if n == "phase" else dtype for n in SHAPES}
    return tuple({n: value.astype(widths[n]) for n, value in part.items()} for part in (start, g))


def reference(
    optimizer: str, kwargs: dict[str, Any], dtype: str = "float64"
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What torch.optim does: every parameter after every step, and the slots after the last."""
    import torch

    torch.set_num_threads(1)
    start, g = stream(dtype)
    params = {n: torch.tensor(start[n], requires_grad=True) for n in leaves(optimizer)}
    stepper = getattr(torch.optim, optimizer)(list(params.values()), **kwargs)
    path: dict[str, list[np.ndarray]] = {n: [] for n in params}
    for t in range(STEPS):
        for n, p in params.items():
            gradient = torch.tensor(g[n][t])
            p.grad = gradient.to_sparse(1) if optimizer == "SparseAdam" else gradient
            if n == "missing" and t in ABSENT:
                p.grad = None
        stepper.step()
        for n, p in params.items():
            path[n].append(p.detach().numpy().copy())
    slots: dict[str, dict[str, Any]] = {}
    for n, p in params.items():
        for slot, value in stepper.state[p].items():
            slots.setdefault(slot, {})[n] = np.asarray(value)
    return {n: np.array(values) for n, values in path.items()}, slots


def in_torch(optimizer: Any, names: list[str], dtype: str) -> tuple[dict[str, np.ndarray], Any]:
    """The same by an optimizer of torch_impl."""
    import torch

    start, g = stream(dtype)
    params = {n: torch.tensor(start[n]) for n in names}
    state = optimizer.init(params)
    path: dict[str, list[np.ndarray]] = {n: [] for n in names}
    for t in range(STEPS):
        gradients = {n: None if n == "missing" and t in ABSENT else torch.tensor(g[n][t]) for n in names}
        updates, state = optimizer.update(gradients, state, params)
        params = {n: p + updates[n] for n, p in params.items()}
        for n, p in params.items():
            path[n].append(p.numpy().copy())
    return {n: np.array(values) for n, values in path.items()}, state


def in_jax(optimizer: Any, names: list[str], dtype: str) -> tuple[dict[str, np.ndarray], list[Any]]:
    """The same by an optax transformation, all steps compiled as one; the parameter that may lack a gradient apart."""
    import jax
    import optax

    start, g = stream(dtype)
    absent = np.isin(np.arange(STEPS), list(ABSENT))
    groups = [group for group in ([n for n in names if n != "missing"], ["missing"]) if set(group) <= set(names)]

    def take(carry, gradients):
        params, state = carry
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    def step(carries, now):
        gradients, lacking = now
        after = [take(carries[0], {n: gradients[n] for n in groups[0]})]
        if len(groups) == 2:
            given = {"missing": gradients["missing"]}
            after.append(
                jax.lax.cond(lacking, lambda: take(carries[1], {"missing": None}), lambda: take(carries[1], given))
            )
        return after, {n: p for params, _ in after for n, p in params.items()}

    @jax.jit
    def run(start, g):
        params = [{n: start[n] for n in group} for group in groups]
        return jax.lax.scan(step, [(p, optimizer.init(p)) for p in params], (g, absent))

    carries, path = run({n: start[n] for n in names}, {n: g[n] for n in names})
    return {n: np.asarray(values) for n, values in path.items()}, [state for _, state in carries]


def run(
    side: str, optimizer: str, kwargs: dict[str, Any], dtype: str = "float64"
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What one of the packages does, in reference()'s form."""
    names = leaves(optimizer)
    if side == "torch":
        import torch_impl.optim

        path, state = in_torch(getattr(torch_impl.optim, optimizer)(**kwargs), names, dtype)
        return path, columns([state])
    import jax_impl.optim
    from parity.sides import jax_backend

    with jax_backend.start().enable_x64(dtype == "float64"):
        path, states = in_jax(getattr(jax_impl.optim, optimizer)(**kwargs), names, dtype)
        return path, columns(states)


def columns(states: list[Any]) -> dict[str, dict[str, np.ndarray]]:
    """The slots that there are, by slot and parameter."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for state in states:
        for slot, column in state._asdict().items():
            kept = {n: np.asarray(value) for n, value in (column or {}).items() if value is not None}
            if kept:
                found.setdefault(slot, {}).update(kept)
    return found


def distance(ours: dict[str, np.ndarray], torch_s: dict[str, np.ndarray]) -> float:
    """The largest difference at any step, as a fraction of the parameter's size at that step; infinite for NaN."""
    worst = 0.0
    assert ours.keys() == torch_s.keys()
    for n, wanted in torch_s.items():
        a, b = ours[n].reshape(STEPS, -1), wanted.reshape(STEPS, -1)
        assert np.array_equal(np.isnan(a), np.isnan(b)), n
        gap = np.abs(np.nan_to_num(a - b)).max(axis=1) / np.abs(np.nan_to_num(b)).max(axis=1)
        worst = max(worst, float(gap.max()))
    return worst
