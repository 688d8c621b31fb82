"""Where a report was made: versions, devices and threads, as strings. Nothing is imported to find out."""

import importlib.metadata
import os
import platform
import sys
from datetime import UTC, datetime

PACKAGES = ("torch", "jax", "flax", "optax", "numpy", "numba")


def environment() -> dict[str, str]:
    """Versions and machine facts by name.

    Returns:
        "date", "python", "platform", "cpus", the version of every framework, and "gpu" where torch is imported already
        and sees one.

    Examples:
        >>> import numpy
        >>> environment()["numpy"] == numpy.__version__
        True
    """
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
    }
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
    return found
