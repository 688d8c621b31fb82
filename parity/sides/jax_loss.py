"""The losses that a check knows by name, in JAX."""

from collections.abc import Callable
from typing import Any

from parity.sides import jax_backend
from parity.sides.single import single_output

jax = jax_backend.start()
jnp = jax.numpy

IGNORED = -100  # torch's default: targets that do not count


def named_loss(name: str) -> Callable[[Any, Any], Any]:
    """loss(output, targets) -> scalar, the mean over all that counts.

    Args:
        name: "cross_entropy" of logits and classes (the classes' axis is the last of the logits, or the second where
            the targets' shape says so; targets of -100 do not count), or "mse".

    Returns:
        The loss.
    """
    return {"cross_entropy": _cross_entropy, "mse": _mse}[name]


def _cross_entropy(output: Any, targets: Any) -> Any:
    logits = single_output(output)
    if targets.shape != logits.shape[:-1]:
        if targets.shape != (*logits.shape[:1], *logits.shape[2:]):
            raise ValueError(f"cross_entropy: the logits have shape {logits.shape}, the targets {targets.shape}")
        logits = jnp.moveaxis(logits, 1, -1)
    counts = targets != IGNORED
    log_p = jax.nn.log_softmax(logits, axis=-1)
    chosen = jnp.take_along_axis(log_p, jnp.where(counts, targets, 0)[..., None], axis=-1)[..., 0]
    return -jnp.where(counts, chosen, 0.0).sum() / counts.sum()


def _mse(output: Any, targets: Any) -> Any:
    predicted = single_output(output)
    if predicted.shape != targets.shape:
        raise ValueError(f"mse: the output has shape {predicted.shape}, the targets {targets.shape}")
    return jnp.square(predicted - targets).mean()
