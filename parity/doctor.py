"""`parity doctor`: what is installed, which devices there are, and what each backend really does with float32."""

import json
from dataclasses import dataclass

from parity.environment import environment
from parity.sides import FRAMEWORKS, MissingFramework, require
from parity.sides.probes import Fingerprint, probe_jax, probe_torch, sees_cuda


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        environment: Versions and machine facts.
        fingerprints: One for each framework on each device.
        missing: Why a framework cannot run, by framework.
        remarks: What a reader should make of it.
    """

    environment: dict[str, str]
    fingerprints: tuple[Fingerprint, ...]
    missing: dict[str, str]
    remarks: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether both frameworks are there."""
        return not self.missing


def examine() -> Diagnosis:
    """Probe both frameworks on every device that they see, as a user would run them.

    Returns:
        The Diagnosis.

    Examples:
        >>> found = examine()
        >>> found.complete, [f"{f.framework} on {f.device}" for f in found.fingerprints][:2]
        (True, ['torch on cpu', 'jax on cpu'])
    """
    fingerprints: list[Fingerprint] = []
    missing: dict[str, str] = {}
    for framework, probe in (("torch", probe_torch), ("jax", probe_jax)):
        try:
            require(framework)
        except MissingFramework as error:
            missing[framework] = str(error)
            continue
        fingerprints += [probe(device) for device in ("cpu", "cuda") if device == "cpu" or sees_cuda(framework)]
    return Diagnosis(environment(), tuple(fingerprints), missing, _remarks(fingerprints))


def fingerprints(device: str) -> dict[str, str]:
    """What both backends do on one device, as lines for a report's environment.

    Args:
        device: "cpu" or "cuda".

    Returns:
        A line for each framework.

    Raises:
        MissingFramework: If one of them is not installed.

    Examples:
        >>> sorted(fingerprints("cpu"))
        ['jax on cpu', 'torch on cpu']
    """
    for framework in FRAMEWORKS:
        require(framework)
    return {name: line for framework in FRAMEWORKS for name, line in fingerprint(framework, device).items()}


def fingerprint(framework: str, device: str) -> dict[str, str]:
    """What one backend does on one device, as a line for a report's environment.

    Args:
        framework: "torch" or "jax".
        device: "cpu" or "cuda".

    Returns:
        One line.

    Raises:
        MissingFramework: If it is not installed.

    Examples:
        >>> fingerprint("torch", "cpu")["torch on cpu"].split(", ")[0]
        'matmul IEEE float32'
    """
    require(framework)
    found = probe_torch(device) if framework == "torch" else probe_jax(device)
    return {f"{found.framework} on {found.device}": str(found)}


def cuda_missing() -> str | None:
    """Why nothing can run on CUDA, or None where both frameworks see a device.

    Examples:
        >>> told = cuda_missing()
        >>> told is None or "CUDA" in told or "not installed" in told
        True
    """
    for framework in FRAMEWORKS:
        try:
            require(framework)
        except MissingFramework as error:
            return str(error)
        if not sees_cuda(framework):
            return f"{framework} sees no CUDA device; run with --device cpu, or see parity doctor"
    return None


def as_text(found: Diagnosis) -> str:
    """The Diagnosis as lines for a terminal of any width.

    Examples:
        >>> print(as_text(Diagnosis({"python": "3.12.3"}, (), {"jax": "the jax side cannot run"}, ())))
        python     3.12.3
        <BLANKLINE>
        the jax side cannot run
    """
    lines = [f"{name:<10} {value}" for name, value in found.environment.items()]
    for f in found.fingerprints:
        lines += ["", f"{f.framework} on {f.device}"]
        lines += [f"  {part}" for part in str(f).split(", ")]
    lines += ["", *found.missing.values()] if found.missing else []
    lines += ["", *found.remarks] if found.remarks else []
    return "\n".join(lines)


def as_json(found: Diagnosis) -> str:
    """The Diagnosis as JSON.

    Examples:
        >>> json.loads(as_json(Diagnosis({"python": "3.12.3"}, (), {}, ())))["environment"]
        {'python': '3.12.3'}
    """
    content = {
        "environment": found.environment,
        "fingerprints": [f.as_dict() for f in found.fingerprints],
        "missing": found.missing,
        "remarks": found.remarks,
    }
    return json.dumps(content, indent=2)


def _remarks(found: list[Fingerprint]) -> tuple[str, ...]:
    remarks = []
    by_device = {d: {f.framework: f for f in found if f.device == d} for d in dict.fromkeys(f.device for f in found)}
    for device, sides in by_device.items():
        if len(sides) < 2:
            continue
        torch, jax = sides["torch"], sides["jax"]
        for what in ("matmul", "convolution"):
            left, right = getattr(torch, f"{what}_bits"), getattr(jax, f"{what}_bits")
            if left != right:
                remarks.append(
                    f"{device}: a float32 {what} keeps {left} bits in torch and {right} in jax; "
                    "parity run asks both for 24."
                )
        if torch.flushes_subnormals != jax.flushes_subnormals:
            side = "torch" if torch.flushes_subnormals else "jax"
            remarks.append(
                f"{device}: {side} flushes subnormal numbers to zero, the other does not; "
                "differences below 1.2e-38 mean nothing."
            )
    return tuple(remarks)
