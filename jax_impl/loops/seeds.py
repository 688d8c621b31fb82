"""Many trainings: a net for each seed or learning rate, all in one program or one after the other."""

import functools

import jax
from jax import Array
from jaxtyping import Float, Int

from jax_impl.loops.spiral import train_spiral
from jax_impl.spiral import train

__all__ = ["train_seeds"]


@functools.partial(jax.jit, static_argnames=("steps", "together"))
def train_seeds(
    params: dict[str, Float[Array, "lanes ..."]],
    X: Float[Array, "N D"],
    y: Int[Array, " N"],
    *,
    learning_rates: Float[Array, " lanes"],
    reg: float,
    steps: int,
    together: bool = True,
) -> tuple[dict[str, Float[Array, "lanes ..."]], Float[Array, "lanes steps"]]:
    """Train a spiral classifier from many starts, each lane with its own learning rate.

    Lane i is what `spiral.train` makes of params[i] and learning_rates[i]. All lanes together fill a GPU. On a CPU they
    leave its cache, and many small products in one call are slower than each alone: there lanes in turn are quicker.

    Args:
        params: as `spiral.train` has them, with one axis more in front, (lanes, ...); left as they are.
        X: points (N, D), floating, the same in every lane.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rates: the step size of each lane (lanes,), floating.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.
        together: whether all lanes advance in one program, by vmap; in turn, a net goes by the fast loop.

    Returns:
        The parameters after the last update, (lanes, ...), and the loss before each update, (lanes, steps).

    Examples:
        >>> params = {"W": array([[[0.0, 0.0]], [[0.0, 0.0]]]), "b": array([[0.0, 0.0], [0.0, 0.0]])}
        >>> X, y, learning_rates = array([[1.0]]), array([1]), array([1.0, 0.0])
        >>> after, losses = train_seeds(params, X, y, learning_rates=learning_rates, reg=0.0, steps=2)
        >>> [[round(value, 4) for value in lane] for lane in losses.tolist()]
        [[0.6931, 0.1269], [0.6931, 0.6931]]

    References:
        PyTorch, torch.func.vmap, "Model ensembling"; JAX, jax.vmap.
    """

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    single = train if together or "W2" not in params else train_spiral

    def lane(lane: tuple[dict[str, Array], Float[Array, ""]]) -> tuple[dict[str, Array], Array]:
        start, learning_rate = lane
        return single(start, X, y, learning_rate=learning_rate, reg=reg, steps=steps)  # type: ignore[arg-type]

    lanes = params, learning_rates
    return jax.vmap(lane)(lanes) if together else jax.lax.map(lane, lanes)
