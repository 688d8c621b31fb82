"""What a backend really does, told by small programs: the mantissa of a product, the accumulator, the flush to zero."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SIZE = 64  # of the matrices: large enough that a GPU takes the kernels that it takes for real work


@dataclass(frozen=True)
class Fingerprint:
    """What one framework does on one device with its defaults.

    Attributes:
        framework, version, device: Which backend this is.
        matmul_bits: Bits of a float32 input's significand that a matrix product keeps: 24 is IEEE, 11 is TF32, 8
            bfloat16.
        convolution_bits: The same for a convolution.
        float16_accumulator: "wider" where a float16 product is summed with more than float16, else "float16".
        flushes_subnormals: Whether 1e-40 * 2 is zero.
        float64: What an array asked for as float64 really is.
    """

    framework: str
    version: str
    device: str
    matmul_bits: int
    convolution_bits: int
    float16_accumulator: str
    flushes_subnormals: bool
    float64: str

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def __str__(self) -> str:
        names = {24: "IEEE float32", 11: "TF32", 8: "bfloat16"}
        product = names.get(self.matmul_bits, f"{self.matmul_bits} bits")
        convolution = names.get(self.convolution_bits, f"{self.convolution_bits} bits")
        flush = "flushed" if self.flushes_subnormals else "kept"
        return (
            f"matmul {product}, convolution {convolution}, float16 sums {self.float16_accumulator}, "
            f"subnormals {flush}, float64 gives {self.float64}"
        )


def significand_bits(product: Callable[[float], float]) -> int:
    """How many bits of x a product x * 1 keeps: the largest k for which 1 + 2^-(k-1) comes back.

    Args:
        product: Multiplies a float32 number by one on the device that is probed.

    Returns:
        24 for IEEE float32, 11 for TF32, 8 for bfloat16.

    Examples:
        >>> significand_bits(lambda x: float(np.float32(x)))
        24
    """
    # From the finest: a backend that keeps all bits is asked once.
    return 1 + next((k for k in range(23, 0, -1) if product(1.0 + 2.0**-k) == 1.0 + 2.0**-k), 0)


def probe_torch(device: str) -> Fingerprint:
    """Probe torch as a user runs it, with nothing set.

    Args:
        device: "cpu" or "cuda".

    Returns:
        Its Fingerprint.
    """
    import torch

    def matmul(x: float) -> float:
        return float((torch.full((SIZE, SIZE), x, device=device) @ torch.eye(SIZE, device=device))[0, 0])

    def convolution(x: float) -> float:
        image = torch.full((4, SIZE, 16, 16), x, device=device)
        kernel = torch.eye(SIZE, device=device)[:, :, None, None]
        return float(torch.nn.functional.conv2d(image, kernel)[0, 0, 0, 0])

    left = torch.zeros((SIZE, SIZE), dtype=torch.float16, device=device)
    left[:, :3] = torch.tensor([2048.0, 1.0, -2048.0], dtype=torch.float16, device=device)
    summed = float((left @ torch.ones((SIZE, SIZE), dtype=torch.float16, device=device))[0, 0])
    tiny = torch.full((SIZE,), 1e-40, device=device) * 2
    return Fingerprint(
        "torch",
        torch.__version__,
        device,
        significand_bits(matmul),
        significand_bits(convolution),
        "wider" if summed == 1.0 else "float16",
        bool((tiny == 0).all()),
        str(torch.ones((), dtype=torch.float64).dtype).removeprefix("torch."),
    )


def probe_jax(device: str) -> Fingerprint:
    """Probe JAX as a user runs it, with nothing set.

    Args:
        device: "cpu" or "cuda".

    Returns:
        Its Fingerprint.
    """
    from parity.sides import jax_backend

    jax = jax_backend.start()
    # All operands are built on the host, and results read there: an operation outside of these four programs would be a
    # program of its own, and thirty of them take longer to compile than all that is asked here.
    with jax.default_device(jax.devices("gpu" if device == "cuda" else "cpu")[0]):
        multiply = jax.jit(lambda a, b: a @ b)
        unit = np.eye(SIZE, dtype=np.float32)

        def matmul(x: float) -> float:
            return float(np.asarray(multiply(np.full((SIZE, SIZE), x, np.float32), unit))[0, 0])

        convolve = jax.jit(lambda image, kernel: jax.lax.conv(image, kernel, (1, 1), "VALID"))

        def convolution(x: float) -> float:
            image, kernel = np.full((4, SIZE, 16, 16), x, np.float32), unit[:, :, None, None]
            return float(np.asarray(convolve(image, kernel))[0, 0, 0, 0])

        left = np.zeros((SIZE, SIZE), np.float16)
        left[:, :3] = 2048.0, 1.0, -2048.0
        summed = float(np.asarray(multiply(left, np.ones((SIZE, SIZE), np.float16)))[0, 0])
        tiny = np.asarray(jax.jit(lambda x: x * 2)(np.full(SIZE, 1e-40, np.float32)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that float64 is refused is what is asked here
            requested = jax.numpy.ones((), "float64").dtype.name
    return Fingerprint(
        "jax",
        jax.__version__,
        device,
        significand_bits(matmul),
        significand_bits(convolution),
        "wider" if summed == 1.0 else "float16",
        bool((tiny == 0).all()),
        requested,
    )


def sees_cuda(framework: str) -> bool:
    """Whether an installed framework sees a CUDA device."""
    if framework == "torch":
        import torch

        return torch.cuda.is_available()
    from parity.sides import jax_backend

    jax = jax_backend.start()
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:  # how JAX says that there is no such platform
        return False
