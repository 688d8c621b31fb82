"""A batch split over devices: who gets how many rows, and the gradient that results, on each framework's own engine.

Both engines use two CPU devices, on a machine with a GPU too. The parallel gradients take seconds: torch starts
processes for them.
"""

import itertools

import numpy as np

from parity.cases.case import Case, Published

TUTORIAL = "PyTorch tutorials, Data Parallelism"
ROWS, BATCH = 100, 30
SPLITS = {  # devices -> rows of each for a batch of 30, and for the last one of 10
    2: ((15, 15), (5, 5)),
    3: ((10, 10, 10), (4, 4, 2)),
    8: ((4, 4, 4, 4, 4, 4, 4, 2), (2, 2, 2, 2, 2)),
}


def _model(rng, *sizes):
    """Parameters so small that no tanh saturates: 1 - tanh^2 would amplify rounding, unmeasured in other processes."""
    return {
        "weights": [rng.normal(size=(outputs, inputs)) / inputs for inputs, outputs in itertools.pairwise(sizes)],
        "biases": [rng.normal(size=outputs) / 4 for outputs in sizes[1:]],
    }


def _job(rng, rows, *sizes):
    return (_model(rng, *sizes), rng.normal(size=(rows, sizes[0])), rng.normal(size=(rows, sizes[-1])))


def _one(rng):
    return dict(zip(("params", "X", "Y"), _job(rng, 10, 5, 7, 2), strict=True))


def _jobs(rng):
    """The tutorial's batches through its one layer, and uneven ones through two layers."""
    batches = [(rows, 5, 2) for rows in (30, 10)] + [(rows, 5, 7, 2) for rows in (7, 1)]
    return {"jobs": [_job(rng, *batch) for batch in batches]}


def _split(devices, last):
    rows = ROWS % BATCH if last else BATCH
    return Case(
        f"parallel.{rows}_rows_over_{devices}",
        lambda rng: {"rows": rows, "devices": devices},
        call=lambda impl, rows, devices: {"sizes": np.array(impl.chunk_sizes(rows, devices))},
        covers=("chunk_sizes",),
        wrt=(),
        jit=False,
        published=(Published("sizes", SPLITS[devices][last], 0, f"{TUTORIAL}, {devices} GPUs"),),
    )


CASES = (
    *(_split(devices, last) for devices in SPLITS for last in (False, True)),
    Case(
        "parallel.batch_sizes",
        lambda rng: {"rows": ROWS, "batch": BATCH},
        call=lambda impl, rows, batch: {"sizes": np.array(impl.batch_sizes(rows, batch))},
        wrt=(),
        jit=False,
        published=(Published("sizes", (30, 30, 30, 10), 0, f"{TUTORIAL}, 100 samples in batches of 30"),),
    ),
    Case("parallel.predict", lambda rng: {name: value for name, value in _one(rng).items() if name != "Y"}),
    Case("parallel.loss", _one),
    Case("parallel.loss_and_gradients", _one, wrt=(), stage="gradient"),
    Case(
        "parallel.two_devices",
        _jobs,
        call=lambda impl, jobs: impl.parallel_loss_and_gradients(jobs, devices=2),
        covers=("parallel_loss_and_gradients",),
        wrt=(),
        stage="gradient",
        jit=False,
    ),
)
