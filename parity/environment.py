"""Where a report was made: versions, devices and threads, as strings. Nothing is imported to find out."""

import importlib.metadata
import os
import platform
import sys

PACKAGES = ("torch", "jax", "flax", "optax", "numpy")


def environment() -> dict[str, str]:
    """Versions and machine facts by name.

    Returns:
        "python", "platform", "cpus", the version of every package that is installed, and "gpu" where a framework that
        is
        already imported sees one.
    """
    found = {
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
