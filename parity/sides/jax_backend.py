"""JAX, set up once before its backend starts: two CPU devices, and no grab of the whole GPU."""

import contextlib
import os
from types import ModuleType


def start() -> ModuleType:
    """Import JAX ready for both sides on one machine.

    The two CPU devices are what `jax_impl.parallel` shards over; they must be asked for before the backend starts, and
    a backend that the user has already started is left as it is. On a GPU both frameworks share one device, so JAX must
    not take its memory in advance.

    Returns:
        The `jax` module.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    with contextlib.suppress(RuntimeError):  # the backend runs already, with the devices that its owner chose
        jax.config.update("jax_num_cpu_devices", 2)
    return jax
