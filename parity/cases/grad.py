"""Autograd: the cases."""

import numpy as np

from parity.cases.case import Case, Inputs, Published

BLITZ = "PyTorch 60 minute blitz, Autograd"
GENTLE = "PyTorch 60 minute blitz, A gentle introduction to torch.autograd"


def _ones(rng: np.random.Generator) -> Inputs:
    return {"x": np.ones((2, 2))}


def _vectors(rng: np.random.Generator) -> Inputs:
    return {name: rng.normal(size=6) for name in ("a", "b")}


def _published_vectors(rng: np.random.Generator) -> Inputs:
    return {"a": np.array([2.0, 3.0]), "b": np.array([6.0, 4.0])}


def _fine_tuning(rng: np.random.Generator, **options: object) -> Inputs:
    """A backbone that has learnt something, a new head, empty momentum buffers and a batch."""
    params = {
        "backbone": {"weight": rng.normal(size=(12, 8)) / 3, "bias": rng.normal(size=8)},
        "fc": {"weight": rng.uniform(-0.35, 0.35, size=(8, 10)), "bias": rng.uniform(-0.35, 0.35, size=10)},
    }
    buffers = {layer: {name: np.zeros_like(p) for name, p in tensors.items()} for layer, tensors in params.items()}
    return {
        "state": {"params": params, "momentum": buffers},
        "x": rng.normal(size=(16, 12)),
        "labels": rng.uniform(size=(16, 10)),
        **options,
    }


def _midway(rng: np.random.Generator) -> Inputs:
    """The same with nothing frozen and the buffers full, as they are in the middle of a run."""
    inputs = _fine_tuning(rng, trainable=("backbone", "fc"))
    buffers = inputs["state"]["momentum"]
    full = {
        layer: {name: rng.normal(size=b.shape) for name, b in tensors.items()} for layer, tensors in buffers.items()
    }
    return inputs | {"state": inputs["state"] | {"momentum": full}}


CASES = (
    Case(name="grad.chain", inputs=lambda rng: {"x": rng.normal(size=(3, 4))}),
    Case(
        name="grad.chain_of_ones",
        inputs=_ones,
        call=lambda impl, x: impl.chain(x),
        covers=("chain",),
        published=(
            Published("z", (27, 27, 27, 27), 0, f"{BLITZ} (old), z = y * y * 3"),
            Published("out", (27,), 0, f"{BLITZ} (old), out = z.mean()"),
        ),
    ),
    Case(
        name="grad.chain_gradient",
        inputs=_ones,
        stage="gradient",
        wrt=(),
        published=(Published("output", (4.5, 4.5, 4.5, 4.5), 4, f"{BLITZ} (old), x.grad"),),
    ),
    Case(name="grad.accumulate", inputs=lambda rng: {"x": rng.normal(size=(3, 4))}, stage="gradient", wrt=()),
    Case(name="grad.detached_gradient", inputs=lambda rng: {"x": rng.normal(size=7)}, stage="gradient", wrt=()),
    Case(name="grad.cubic", inputs=_vectors),
    Case(
        name="grad.cubic_vjp",
        inputs=lambda rng: _published_vectors(rng) | {"v": np.ones(2)},
        call=lambda impl, a, b, v: dict(zip(("a", "b"), impl.cubic_vjp(a, b, v), strict=True)),
        stage="gradient",
        wrt=(),
        published=(
            Published("a", (36, 81), 0, f"{GENTLE}, 9 a^2 == a.grad"),
            Published("b", (-12, -8), 0, f"{GENTLE}, -2 b == b.grad"),
        ),
    ),
    Case(
        name="grad.cubic_vjp_random",
        inputs=lambda rng: _vectors(rng) | {"v": rng.normal(size=6)},
        call=lambda impl, a, b, v: dict(zip(("a", "b"), impl.cubic_vjp(a, b, v), strict=True)),
        covers=("cubic_vjp",),
        stage="gradient",
        wrt=(),
    ),
    Case(
        name="grad.cubic_sum_gradient",
        inputs=_published_vectors,
        call=lambda impl, a, b: dict(zip(("a", "b"), impl.cubic_sum_gradient(a, b), strict=True)),
        stage="gradient",
        wrt=(),
        published=(
            Published("a", (36, 81), 0, f"{GENTLE}, Q.sum().backward()"),
            Published("b", (-12, -8), 0, f"{GENTLE}, Q.sum().backward()"),
        ),
    ),
    Case(name="grad.jacobian", inputs=_vectors, stage="gradient", wrt=()),
    Case(name="grad.hessian", inputs=_vectors, stage="gradient", wrt=()),
    Case(name="grad.doubling", inputs=lambda rng: {"x": np.array([0.3, -0.2, 0.5])}),
    Case(
        name="grad.doubling_vjp",
        inputs=lambda rng: {"x": np.array([0.3, -0.2, 0.5]), "v": np.array([0.1, 1.0, 0.0001])},
        stage="gradient",
        wrt=(),
        published=(Published("output", (204.8, 2048.0, 0.2048), 4, f"{BLITZ} (old), x.grad after 11 doublings"),),
    ),
    Case(
        name="grad.tracked",
        inputs=lambda rng: {name: rng.uniform(size=(5, 5)) for name in ("x", "y", "z")},
        jit=False,
        wrt=(),
        published=(
            Published("x + y", (0,), 0, f"{GENTLE}, a = x + y: does a require gradients?"),
            Published("x + z", (1,), 0, f"{GENTLE}, b = x + z: does b require gradients?"),
            Published("z", (1,), 0, f"{BLITZ} (old), x.requires_grad"),
            Published("z^2", (1,), 0, f"{BLITZ} (old), (x ** 2).requires_grad"),
            Published("z^2 under no_grad", (0,), 0, f"{BLITZ} (old), the same under no_grad"),
            Published("z detached", (0,), 0, f"{BLITZ} (old), x.detach().requires_grad"),
        ),
    ),
    Case(
        name="grad.operations",
        inputs=lambda rng: _ones(rng) | _published_vectors(rng),
        call=lambda impl, x, a, b: {
            "chain": impl.operations(lambda x: impl.chain(x)["out"], x),
            "cubic": impl.operations(impl.cubic, a, b),
            "sum": impl.operations(lambda a, b: impl.cubic(a, b).sum(), a, b),
        },
        jit=False,
        wrt=(),
    ),
    Case(name="grad.softplus", inputs=lambda rng: {"x": np.array([-30.0, -1.0, -1e-3, 0.0, 0.5, 30.0, 1000.0])}),
    Case(
        name="grad.parameter_counts",
        inputs=lambda rng: {
            "params": {
                "backbone": {"weight": np.zeros((64, 3, 7, 7))},
                "fc": {"weight": np.zeros((512, 10)), "bias": np.zeros(10)},
            },
            "trainable": ("fc",),
        },
        wrt=(),
        jit=False,
    ),
    Case(
        name="grad.one_step",
        inputs=_midway,
        call=lambda impl, state, x, labels, **options: dict(
            zip(("state", "losses"), impl.fine_tune(state, x, labels, **options), strict=True)
        ),
        covers=("fine_tune",),
        stage="update",
        carry=("state",),
    ),
    Case(
        name="grad.fine_tune",
        inputs=lambda rng: _fine_tuning(rng, trainable=("fc",), steps=100),
        call=lambda impl, state, x, labels, **options: dict(
            zip(("state", "losses"), impl.fine_tune(state, x, labels, **options), strict=True)
        ),
        stage="curve",
        carry=("state",),
    ),
)
