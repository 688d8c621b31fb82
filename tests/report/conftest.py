"""Reports made by hand, one of each kind that a rendering must be able to tell."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from parity.numerics import Errors, Finding, Verdict
from parity.report import CaseResult, Curve, LayerError, PublishedNumber, Report

ENVIRONMENT = {"python": "3.11.7", "torch": "2.13.0+cpu", "jax": "0.10.2", "numpy": "2.4.6"}
HOSTILE = "<img src=x onerror=alert(1)>[bold red]$\\frac$\x1b[2J\u202e\udc80"
SOURCE = "CS231n, neural networks case study"
UNIT64, UNIT32 = 2.0**-53, 2.0**-24


def apart(gap: float, *, size: int, unit: float) -> Errors:
    """Statistics of two arrays that differ by at most this, at two elements in three."""
    differ = size - size // 3 if gap else 0
    spread = int(math.log2(max(gap / unit, 1.0)))
    histogram = [0] * 64
    for k in range(max(0, spread - 5), spread):
        histogram[k] += differ // (2 << (spread - k))
    histogram[spread] += differ - sum(histogram)
    histogram[0] += size - differ
    value = -0.2173481234567891
    return Errors(
        count=size,
        bit_equal=size - differ,
        max_abs=gap,
        max_rel=gap / abs(value),
        max_ulp=gap / unit,
        index=(41, 3) if size > 1 else (),
        left=value,
        right=value + gap,
        reference=value,
        rms=gap / 2,
        bias=gap / 9,
        left_error=unit,
        right_error=unit + gap,
        ulp_histogram=tuple(histogram),
    )


def found(
    stage: str,
    path: str,
    verdict: Verdict = Verdict.AGREE,
    *,
    jax_path: str = "",
    step: int | None = None,
    size: int = 1024,
) -> Finding:
    """A comparison with this verdict, its numbers and its message as the numerics give them."""
    gap64, gap = {
        Verdict.SEMANTIC: (3e-5, 3e-5),
        Verdict.CONVENTION: (0.5, 0.5),
        Verdict.UNSTABLE: (1e-9, 1.0),
        Verdict.PRECISION: (0.0, 1e-2),
    }.get(verdict, (0.0, 6e-8))
    ratio64, ratio = gap64 / 1.4e-14, gap / 7.6e-6
    told = f"torch -0.21734812, jax -0.21731812 at (41, 3) differ by 3e-05, {ratio64:.2g} x the rounding bound"
    message = {
        Verdict.AGREE: f"within {ratio:.2g} of the rounding bound",
        Verdict.UNSTABLE: f"both shrink with precision, but rounding grows {ratio64:.1e} times beyond the bound",
        Verdict.PRECISION: f"float64 agrees, float32 does not: {told}; jax is further from float64",
        Verdict.STRUCTURE: "only the torch side returns it",
    }.get(verdict, f"the formulas differ: {told}; does not shrink with precision (rho = 1)")
    finding = Finding(stage, path, jax_path or path, verdict, message, step=step)
    if verdict is Verdict.STRUCTURE:
        return finding
    return replace(
        finding,
        ratio64=ratio64,
        ratio=ratio,
        rho=gap64 / gap,
        errors64=apart(gap64, size=size, unit=UNIT64),
        errors=apart(gap, size=size, unit=UNIT32),
        power=2e-14,
        worse="jax" if verdict in (Verdict.UNSTABLE, Verdict.PRECISION) else None,
        note="at a tie torch gives each side a half, jax the first one all" if verdict is Verdict.CONVENTION else "",
        accepted=verdict is Verdict.CONVENTION,
    )


def curve(name: str = "losses", verdict: Verdict = Verdict.AGREE, *, steps: int = 2500) -> tuple[Finding, Curve]:
    """A falling loss whose two sides part slowly at float32, and at float64 from step 41 on where they differ."""
    t = np.arange(steps)
    torch64 = np.exp(-t / steps * 3) + 0.02 * np.cos(t / 7) + 0.1
    growth = 10 ** (t / steps * 4)
    jax64 = torch64 * (1 + (2e-17 * growth + 1e-6 * (t > 40) * (verdict is not Verdict.AGREE)) * np.sin(t))
    torch, jax = (torch64 * (1 + UNIT32 * growth * np.sin(t * k)) for k in (1.3, 2.1))
    limit = 14 * UNIT64 * np.sqrt(10.0 * (t + 1)) * growth * torch64
    horizon = steps * 3 // 4
    message = (
        "the curves part at step 41" if verdict is not Verdict.AGREE else f"the first {horizon:,} of {steps:,} steps"
    )
    note = "float32 against its own float64: torch 3.1e-05, jax 4.4e-05"
    finding = found("curve", name, verdict, step=41 if verdict is not Verdict.AGREE else None)
    finding = replace(finding, message=message, note=note, horizon=horizon, ratio=math.nan)
    return finding, Curve(name, torch64, jax64, torch, jax, limit, horizon, "float32")


def printed(*, met: bool = True) -> tuple[PublishedNumber, ...]:
    """Two numbers of a page, which both sides meet or miss."""
    off = 0.0 if met else 0.01
    numbers = (("losses, step 0", "1.098744", 1.0987438), ("losses, step 1,000", "0.294946", 0.29494561))
    return tuple(PublishedNumber(SOURCE, label, text, value + off, value + off, 5e-7) for label, text, value in numbers)


def agreeing() -> Report:
    finding, drawn = curve()
    entropy = (found("structure", ""), found("forward", "loss", size=1), found("gradient", "logits"))
    return Report(
        (
            CaseResult("losses.cross_entropy", entropy, seconds=0.41),
            CaseResult("losses.quadratic_cost", (found("forward", "cost"), found("gradient", "outputs")), seconds=0.06),
            CaseResult(
                "spiral.two_layer",
                (finding, found("update", "params/W1", step=0)),
                printed(),
                (drawn,),
                seconds=83.0,
                remarks=("NumPy as the third witness: 0.29494561",),
            ),
        ),
        ENVIRONMENT,
    )


def of_verdict(verdict: Verdict) -> Report:
    """One pair that agrees, and one with a finding of this verdict."""
    stage = "structure" if verdict is Verdict.STRUCTURE else "gradient"
    finding = found(stage, "encoder.layers.3.norm1.weight", verdict, jax_path="blocks[3].ln1.scale", step=0)
    honest = CaseResult("losses.cross_entropy", (found("forward", "loss"),), seconds=0.2)
    return Report(
        (honest, CaseResult("transformer.encoder", (found("forward", "output"), finding), seconds=1.5)), ENVIRONMENT
    )


def layers(count: int = 6, *, wrong: int | None = None, name: str = "blocks") -> tuple[LayerError, ...]:
    """The errors of so many layers, of which one differs; the last has no gradient."""
    errors = [
        LayerError(f"{name}.{i}.norm", f"{name}[{i}].ln", 0.03 * (i + 1), 0.02 * (i + 1), 0.05, 0.0, dtype="float32")
        for i in range(count)
    ]
    if wrong is not None:
        errors[wrong] = replace(errors[wrong], forward64=9e8, forward=1.7, gradient64=2.2e9, agrees=False)
    errors[-1] = replace(errors[-1], gradient64=math.nan, gradient=math.nan)
    return tuple(errors)


def mixed() -> Report:
    """All of it at once."""
    finding, drawn = curve(verdict=Verdict.SEMANTIC)
    results = [replace(of_verdict(v).results[1], name=f"{v.lower()}.encoder") for v in Verdict]
    more = (
        CaseResult("spiral.two_layer", (finding,), printed(met=False), (drawn,), seconds=3.0),
        CaseResult("resnet.block", error="flax cannot be imported", missing=True),
        CaseResult("lenet.forward", error="torch: RuntimeError: shapes (3, 4) and (5, 6)\n  do not fit", device="cuda"),
    )
    return Report((*agreeing().results[:2], *results, *more), ENVIRONMENT)


def hostile() -> Report:
    """Names and messages that try to be markup, terminal codes, mathematics, and no text at all."""
    part, drawn = curve(HOSTILE, Verdict.SEMANTIC, steps=60)
    bad = Finding(
        "forward", HOSTILE, HOSTILE, Verdict.STRUCTURE, f"got {HOSTILE}", note=HOSTILE, cause=HOSTILE, fix=HOSTILE
    )
    findings = (bad, part, replace(bad, verdict=Verdict.CONVENTION, accepted=True), replace(bad, follows=bad.label))
    number = PublishedNumber(HOSTILE, HOSTILE, "1.0", 2.0, 2.0, 0.0)
    case = CaseResult(
        f"evil.{HOSTILE}", findings, (number,), (drawn,), remarks=(HOSTILE,), layers=layers(2, name=HOSTILE)
    )
    return Report((case, CaseResult(f"{HOSTILE}.x", error=HOSTILE, device=HOSTILE)), {HOSTILE: HOSTILE}, (HOSTILE,))


def not_finite() -> Report:
    """Every number that can be NaN or infinite is."""
    nan, inf = math.nan, math.inf
    e = Errors(4, 2, nan, inf, inf, (0,), nan, -inf, nan, nan, inf, nan, nan, 1, 0, 1, (1,), (1,) + (0,) * 63)
    none = Errors(0, 0, 0.0, 0.0, 0.0, None, nan, nan, nan, 0.0, 0.0, 0.0, 0.0)
    bad = Finding("forward", "y", "y", Verdict.SEMANTIC, "1 NaN only in torch, first at (1,)", errors64=e, errors=e)
    bad_too = replace(bad, ratio64=inf, ratio=-inf, rho=inf)
    empty = Finding("forward", "nothing", "nothing", Verdict.AGREE, "equal", ratio64=0.0, errors64=none, power=inf)
    curves = [Curve(n, *(np.full(5, value),) * 5, 0, "float32") for n, value in (("a", nan), ("b", inf), ("c", 0.0))]
    curves.append(Curve("no steps", *(np.empty(0),) * 5, 0, "float32"))
    number = PublishedNumber(SOURCE, "loss", "1.0e-3", nan, inf, 0.0)
    errors = (LayerError("none", "none"), LayerError("zero", "zero", 0.0, 0.0, inf, -inf, agrees=False))
    return Report((CaseResult("a.nan", (bad, bad_too, empty), (number,), tuple(curves), layers=errors),), ENVIRONMENT)


def crowded(count: int = 500) -> Report:
    """As many findings as asked for, each with a path of its own; every seventh differs, every eleventh is accepted."""

    def one(i: int) -> Finding:
        verdict = Verdict.SEMANTIC if i % 7 == 3 else Verdict.CONVENTION if i % 11 == 5 else Verdict.AGREE
        return found("gradient" if i % 2 else "forward", f"layer{i:04d}/weight", verdict, size=16)

    findings = tuple(map(one, range(count)))
    cases = [(f"pair{i // 50:02d}.case{i // 10:03d}", findings[i : i + 10]) for i in range(0, count, 10)]
    return Report(tuple(CaseResult(name, some, seconds=0.1) for name, some in cases), ENVIRONMENT)


def following() -> Report:
    """One layer's fault at two places, what follows from it, and a loss that is wrong by itself."""
    causes = {"cause": "LayerNorm eps 1e-06, torch has 1e-05. With eps = 1e-05 it falls to", "fix": "epsilon=1e-05"}
    first, second = (
        replace(found("layer", f"norm{i}", Verdict.SEMANTIC, jax_path=f"ln{i}"), **causes | {"cause": text})
        for i, text in enumerate((f"{causes['cause']} 0.1", f"{causes['cause']} 0.2"))
    )
    own = replace(found("loss", "loss", Verdict.SEMANTIC), cause="reduction: sum, torch has mean", fix="mean")
    more = [
        replace(found("forward", "output", Verdict.SEMANTIC), follows=first.label),
        replace(found("layer gradient", "norm1.weight", Verdict.SEMANTIC), follows=second.label),
        *(replace(found("gradient", f"w{i}", Verdict.SEMANTIC), follows=first.label) for i in range(3)),
    ]
    return Report((CaseResult("check", (first, second, own, *more), layers=layers(wrong=2)),), ENVIRONMENT)


MAKERS: dict[str, Callable[[], Report]] = {
    "agreeing": agreeing,
    "mixed": mixed,
    "hostile": hostile,
    "not finite": not_finite,
    "crowded": crowded,
    "following": following,
    "empty": lambda: Report(()),
    "nothing compared": lambda: Report((CaseResult("a.b"),)),
    **{verdict.value: lambda verdict=verdict: of_verdict(verdict) for verdict in Verdict},
}


@functools.cache
def made(name: str) -> Report:
    """Frozen, so that all tests may share it."""
    return MAKERS[name]()


@pytest.fixture
def sample() -> Callable[[str], Report]:
    """A function that gives the sample report of a name."""
    return made


@pytest.fixture(params=sorted(MAKERS))
def report(request: pytest.FixtureRequest) -> Report:
    """Every sample report in turn."""
    return made(request.param)


def without(report: Report, path: str) -> Report:
    """The report less one finding: the planted fault of every test that nothing is lost."""
    results = [replace(r, findings=tuple(f for f in r.findings if f.torch_path != path)) for r in report.results]
    return replace(report, results=tuple(results))


@pytest.fixture
def less() -> Callable[[Report, str], Report]:
    return without
