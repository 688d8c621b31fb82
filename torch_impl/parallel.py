"""Data parallelism: a batch is split over devices, and its gradient must be the one that a single device gives.

The devices are CPU ones, wherever the arrays lie, so that two are always at hand. The mean is taken over rows, not over
devices: where the rows do not come out even, a mean of the devices' means weighs the rows of small parts too heavily.
"""

import datetime
import multiprocessing
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)
from torch.nn.parallel import DistributedDataParallel

__all__ = [
    "chunk_sizes",
    "batch_sizes",
    "predict",
    "loss",
    "loss_and_gradients",
    "parallel_loss_and_gradients",
]

Params = dict[str, list[Float[Tensor, "..."]]]
Job = tuple[Params, Float[Tensor, "N D"], Float[Tensor, "N K"]]

_TIME_LIMIT_S = 120.0


def chunk_sizes(rows: int, devices: int) -> tuple[int, ...]:
    """How many rows each device gets: equal parts, rounded up, until none are left.

    Args:
        rows: rows of the batch, 1 or more.
        devices: how many devices, 1 or more.

    Returns:
        The rows of each device that gets any, so there may be fewer parts than devices.

    Raises:
        ValueError: if there is not at least one row and one device.

    Examples:
        >>> chunk_sizes(30, 2), chunk_sizes(10, 3), chunk_sizes(10, 8)
        ((15, 15), (4, 4, 2), (2, 2, 2, 2, 2))

    References:
        PyTorch tutorials, "Optional: Data Parallelism", the sizes that it prints for 2, 3 and 8 devices.
    """
    _at_least_one(rows, devices)
    return tuple(len(chunk) for chunk in torch.arange(rows).chunk(devices))


def batch_sizes(rows: int, batch: int) -> tuple[int, ...]:
    """How many rows each batch of a data set gets: full batches, and one with what is left.

    Args:
        rows: rows of the data set, 1 or more.
        batch: rows of a full batch, 1 or more.

    Returns:
        The rows of each batch, in order.

    Raises:
        ValueError: if there is not at least one row, in the data set and in a batch.

    Examples:
        >>> batch_sizes(100, 30)
        (30, 30, 30, 10)

    References:
        PyTorch tutorials, "Optional: Data Parallelism": 100 samples in batches of 30.
    """
    _at_least_one(rows, batch)
    return tuple(len(part) for part in torch.arange(rows).split(batch))


def predict(params: Params, X: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
    """Outputs of linear layers with a tanh between them; of one layer, a linear map.

    Args:
        params: "weights", each (outputs, inputs), and "biases", each (outputs,), floating.
        X: rows (N, D), floating.

    Returns:
        Outputs (N, K).

    Examples:
        >>> predict({"weights": [array([[2.0, 3.0]])], "biases": [array([1.0])]}, array([[1.0, 1.0]])).tolist()
        [[6.0]]

    References:
        PyTorch tutorials, "Optional: Data Parallelism": a model of one linear layer, 5 to 2.
    """
    *hidden, (weight, bias) = zip(params["weights"], params["biases"], strict=True)
    for w, b in hidden:
        X = torch.tanh(X @ w.T + b)
    return X @ weight.T + bias


def loss(params: Params, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
    """Squared error of a row, averaged over the rows.

    L = 1/N sum_i |predict(x_i) - y_i|^2

    Args:
        params: as for `predict`.
        X: rows (N, D), floating.
        Y: wanted outputs (N, K), floating.

    Returns:
        The loss, a scalar.

    Examples:
        >>> params = {"weights": [array([[1.0]])], "biases": [array([0.0])]}
        >>> float(loss(params, array([[1.0], [3.0]]), array([[0.0], [0.0]])))
        5.0
    """
    return _row_losses(params, X, Y).mean()


def loss_and_gradients(
    params: Params, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]
) -> tuple[Float[Tensor, ""], Params]:
    """The loss and its gradients, on one device.

    Args:
        params: as for `predict`.
        X: rows (N, D), floating.
        Y: wanted outputs (N, K), floating.

    Returns:
        The loss, and a gradient for each of the parameters, at its place.

    Examples:
        >>> params = {"weights": [array([[1.0]])], "biases": [array([0.0])]}
        >>> value, gradients = loss_and_gradients(params, array([[1.0], [3.0]]), array([[0.0], [0.0]]))
        >>> float(value), gradients["weights"][0].tolist()
        (5.0, [[10.0]])
    """
    model = _Model(params)
    value = model(X, Y).mean()
    value.backward()
    return value.detach(), model.gradients()


def parallel_loss_and_gradients(jobs: list[Job], *, devices: int = 2) -> list[tuple[Float[Tensor, ""], Params]]:
    """The loss of each batch and its gradients, the rows split over devices that hold the same parameters.

    dL/dw = 1/N sum_d sum_{i on d} d|predict(x_i) - y_i|^2/dw, with N the rows of all devices together

    Args:
        jobs: for each batch its params, as for `predict`, rows (N, D) and wanted outputs (N, K), floating; N need not
            be a multiple of `devices`.
        devices: how many CPU devices.

    Returns:
        For each job what `loss_and_gradients` gives.

    Raises:
        ValueError: if a batch has no rows or not as many outputs, or `devices` is less than 1.
        RuntimeError: if so many devices cannot be had, or one of them fails.

    Examples:
        >>> params = {"weights": [array([[1.0]])], "biases": [array([0.0])]}
        >>> job = (params, array([[1.0], [2.0], [3.0]]), array([[0.0], [0.0], [0.0]]))
        >>> ((value, gradients),) = parallel_loss_and_gradients([job], devices=2)
        >>> round(float(value), 4), [[round(g, 4) for g in row] for row in gradients["weights"][0].tolist()]
        (4.6667, [[9.3333]])

    References:
        PyTorch tutorials, "Optional: Data Parallelism".
    """
    # differs: torch starts a process a device and fetches the results; JAX compiles one program and leaves them there
    for _, X, Y in jobs:
        _at_least_one(len(X), devices)
        if len(X) != len(Y):
            raise ValueError(
                f"parallel: got {len(X)} rows and {len(Y)} wanted outputs; wanted as many of both: "
                "cut them into batches alike"
            )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(jobs, folder / "jobs.pt")
        workers = start_processes(_work, (devices, folder), devices, join=False, start_method=_start_method())
        try:
            _wait(workers)
        finally:
            for worker in workers.processes:
                worker.kill()
                worker.join()
        results = torch.load(folder / "results.pt", weights_only=True)
    return [_to(job[1].device, result) for job, result in zip(jobs, results, strict=True)]


class _Model(nn.Module):
    def __init__(self, params: Params) -> None:
        super().__init__()
        self.weights = nn.ParameterList(w.detach().clone() for w in params["weights"])
        self.biases = nn.ParameterList(b.detach().clone() for b in params["biases"])

    def forward(self, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]) -> Float[Tensor, " N"]:
        return _row_losses({"weights": list(self.weights), "biases": list(self.biases)}, X, Y)

    def gradients(self) -> Params:
        return {"weights": [w.grad for w in self.weights], "biases": [b.grad for b in self.biases]}


def _row_losses(params: Params, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]) -> Float[Tensor, " N"]:
    return ((predict(params, X) - Y) ** 2).sum(dim=1)


def _at_least_one(rows: int, parts: int) -> None:
    if rows < 1 or parts < 1:
        raise ValueError(
            f"parallel: got {rows} rows to split by {parts}; wanted 1 or more of both: leave an empty batch out"
        )


def _start_method() -> str:
    """A server that has imported torch once forks the workers: the first call takes seconds, later ones do not."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    multiprocessing.set_forkserver_preload(["torch.nn.parallel", "torch._dynamo"])
    return "forkserver"


def _to(device: torch.device, result: tuple[Float[Tensor, ""], Params]) -> tuple[Float[Tensor, ""], Params]:
    value, gradients = result
    return value.to(device), {kind: [part.to(device) for part in parts] for kind, parts in gradients.items()}


def _wait(workers: ProcessContext) -> None:
    give_up = time.monotonic() + _TIME_LIMIT_S
    try:
        # where one has failed, join ends the others and raises its error
        while not workers.join(timeout=min(0.5, _TIME_LIMIT_S)):
            if time.monotonic() > give_up:
                raise RuntimeError(
                    f"parallel: {len(workers.processes)} processes were not done within {_TIME_LIMIT_S:.0f} s; wanted "
                    "their gradients: try again with fewer jobs, or on a machine that is less busy"
                )
    except (ProcessRaisedException, ProcessExitedException) as error:
        raise RuntimeError(f"parallel: a process failed; mend what it says and try again: {error}") from error


def _work(rank: int, devices: int, folder: Path) -> None:
    torch.set_num_threads(1)
    jobs = torch.load(folder / "jobs.pt", weights_only=True, map_location="cpu")
    dist.init_process_group(
        "gloo",
        init_method=(folder / "rendezvous").as_uri(),
        rank=rank,
        world_size=devices,
        timeout=datetime.timedelta(seconds=_TIME_LIMIT_S),
    )
    try:
        results = [_share(rank, devices, *job) for job in jobs]
        if rank == 0:
            torch.save(results, folder / "results.pt")
    finally:
        dist.destroy_process_group()


def _share(
    rank: int, devices: int, params: Params, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]
) -> tuple[Float[Tensor, ""], Params]:
    chunks = list(zip(X.chunk(devices), Y.chunk(devices), strict=True))
    own_X, own_Y = chunks[rank] if rank < len(chunks) else (X[:0], Y[:0])
    model = DistributedDataParallel(_Model(params))
    own = model(own_X, own_Y).sum() / len(X)
    (own * devices).backward()  # the engine takes the mean over devices where the sum is wanted
    value = own.detach()
    dist.all_reduce(value)
    return value, model.module.gradients()
