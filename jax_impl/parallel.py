"""Data parallelism: a batch is split over devices, and its gradient must be the one that a single device gives.

The devices are CPU ones, wherever the arrays lie, so that two are always at hand. The mean is taken over rows, not over
devices: where the rows do not come out even, a mean of the devices' means weighs the rows of small parts too heavily.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Bool, Float

__all__ = [
    "chunk_sizes",
    "batch_sizes",
    "predict",
    "loss",
    "loss_and_gradients",
    "parallel_loss_and_gradients",
]

Params = dict[str, list[Float[Array, "..."]]]
Job = tuple[Params, Float[Array, "N D"], Float[Array, "N K"]]


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
    size = -(-rows // devices)
    return tuple(min(size, rows - start) for start in range(0, rows, size))


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
    return tuple(min(batch, rows - start) for start in range(0, rows, batch))


def predict(params: Params, X: Float[Array, "N D"]) -> Float[Array, "N K"]:
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
        X = jnp.tanh(X @ w.T + b)
    return X @ weight.T + bias


def loss(params: Params, X: Float[Array, "N D"], Y: Float[Array, "N K"]) -> Float[Array, ""]:
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


@jax.jit
def loss_and_gradients(
    params: Params, X: Float[Array, "N D"], Y: Float[Array, "N K"]
) -> tuple[Float[Array, ""], Params]:
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
    return jax.value_and_grad(loss)(params, X, Y)


def parallel_loss_and_gradients(jobs: list[Job], *, devices: int = 2) -> list[tuple[Float[Array, ""], Params]]:
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
    mesh = _mesh(devices)
    return [_sharded_loss_and_gradients(*_shard(mesh, *job), len(job[1])) for job in jobs]


@jax.jit
def _sharded_loss_and_gradients(
    params: Params, X: Float[Array, "M D"], Y: Float[Array, "M K"], real: Bool[Array, " M"], rows: int
) -> tuple[Float[Array, ""], Params]:
    def mean_of_real_rows(params: Params) -> Float[Array, ""]:
        return jnp.where(real, _row_losses(params, X, Y), 0).sum() / rows  # the compiler adds the sum over devices

    return jax.value_and_grad(mean_of_real_rows)(params)


def _shard(
    mesh: Mesh, params: Params, X: Float[Array, "N D"], Y: Float[Array, "N K"]
) -> tuple[Params, Float[Array, "M D"], Float[Array, "M K"], Bool[Array, " M"]]:
    size = chunk_sizes(len(X), mesh.size)[0]
    missing = size * mesh.size - len(X)  # a sharded axis must come out even, so rows are added that do not count
    by_rows, whole = NamedSharding(mesh, P("rows")), NamedSharding(mesh, P())
    padded = [jnp.pad(array, ((0, missing), (0, 0))) for array in (X, Y)]
    real = jnp.arange(size * mesh.size) < len(X)
    return jax.device_put(params, whole), *jax.device_put((*padded, real), by_rows)


def _mesh(devices: int) -> Mesh:
    there = jax.devices("cpu")
    if len(there) < devices:
        raise RuntimeError(
            f"parallel: JAX has {len(there)} CPU devices; wanted {devices}: "
            f'call jax.config.update("jax_num_cpu_devices", {devices}) before JAX is first used'
        )
    return jax.make_mesh((devices,), ("rows",), axis_types=(AxisType.Auto,), devices=there[:devices])


def _row_losses(params: Params, X: Float[Array, "N D"], Y: Float[Array, "N K"]) -> Float[Array, " N"]:
    return ((predict(params, X) - Y) ** 2).sum(axis=1)


def _at_least_one(rows: int, parts: int) -> None:
    if rows < 1 or parts < 1:
        raise ValueError(
            f"parallel: got {rows} rows to split by {parts}; wanted 1 or more of both: leave an empty batch out"
        )
