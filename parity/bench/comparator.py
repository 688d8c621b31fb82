"""The comparator beside what others compare arrays with, in one run and on the same data.

Each library runs in a process of its own, so that its memory can be told: `python -m parity.bench.comparator` is such a
process. The data are equal up to rounding: normal numbers, half of them one to three units in the last place away on
the other side. Tolerances are so wide that each library passes, which makes it read everything.
"""

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.bench.table import print_grid
from parity.environment import environment
from parity.numerics import FORMATS, errors

if TYPE_CHECKING:
    from rich.console import Console

DTYPES = ("float32", "bfloat16")
OURS, DOT, EQUAL = "parity.numerics.errors", "np.dot (reads)", "np.array_equal"
LIBRARIES = {
    "numpy": (OURS, DOT, EQUAL),
    "numpy.testing": ("np assert_allclose",),
    "torch": ("torch assert_close",),
    "chex": ("chex trees_all_close",),
}
ROUNDS = {"numpy": 9}  # the short ones take turns, the long ones run twice; the quickest counts
BLOCK = 1_000_000
WARM = 1 << 20  # elements of a first run that is not measured: it loads, or compiles, what large arrays go through
FASTER, OF_DOT, EXTRA_MB = 20.0, 0.4, 8.0
"""What is wanted: times faster than each library, share of np.dot's bandwidth, most extra memory in 10^6 bytes."""


@dataclass(frozen=True)
class Row:
    """What one function took for one dtype.

    Attributes:
        name: The function.
        dtype: Of both operands.
        seconds: Its quickest run; None where it could not run.
        gb_per_s: Bytes of both operands by seconds.
        extra_mb: Most memory, in 10^6 bytes, that it held beyond its operands.
        measured_by: "tracemalloc" counts what NumPy and Python allocate; "resident set" is how much the process's
            high-water mark rose in a first run, after the library was imported and had compared a small array.
        missing: Why it could not run.
    """

    name: str
    dtype: str
    seconds: float | None = None
    gb_per_s: float | None = None
    extra_mb: float | None = None
    measured_by: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one run.

    Attributes:
        elements: Elements of each operand.
        rows: In the order of LIBRARIES, dtype by dtype.
        environment: Versions and machine.
    """

    elements: int
    rows: tuple[Row, ...]
    environment: dict[str, str]

    def ratio(self, row: Row, name: str) -> float | None:
        """How many times the seconds of that function this row took; None where either could not run."""
        other = next((r for r in self.rows if (r.name, r.dtype) == (name, row.dtype)), None)
        return row.seconds / other.seconds if row.seconds and other and other.seconds else None

    def targets(self, dtype: str) -> list[tuple[str, float, float, bool]]:
        """What is wanted of ours for a dtype: of what, what was measured, what is wanted, whether that is met."""
        ours = next((r for r in self.rows if (r.name, r.dtype) == (OURS, dtype)), Row(OURS, dtype))
        others = [names[0] for library, names in LIBRARIES.items() if library != "numpy"]
        rows = [next((r for r in self.rows if (r.name, r.dtype) == (name, dtype)), None) for name in others]
        faster = [(row.name, self.ratio(row, OURS)) for row in rows if row]
        told = [(f"x faster than {name}", ratio, FASTER, ratio >= FASTER) for name, ratio in faster if ratio]
        dot = self.ratio(ours, DOT)
        if dot:
            told.append(("of np.dot's bandwidth", 1 / dot, OF_DOT, 1 / dot >= OF_DOT))
        if ours.extra_mb is not None:
            told.append(("extra MB", ours.extra_mb, EXTRA_MB, ours.extra_mb <= EXTRA_MB))
        return told

    def to_json(self) -> str:
        """All of it as JSON, with both ratios in every row."""
        rows = [
            {**asdict(row), "times_ours": self.ratio(row, OURS), "times_dot": self.ratio(row, DOT)} for row in self.rows
        ]
        names = ("of", "measured", "wanted", "met")
        targets = {d: [dict(zip(names, t, strict=True)) for t in self.targets(d)] for d in DTYPES}
        told = {"benchmark": "comparator", "elements": self.elements, "rows": rows, "targets": targets}
        told["environment"] = self.environment
        return json.dumps(told, indent=2, allow_nan=False) + "\n"


def measure(elements: int, progress: Callable[[str, int, int], None] = lambda *_: None) -> Table:
    """Time every function on two arrays of this many elements, for float32 and bfloat16.

    Args:
        elements: Elements of each operand; at 10^8 some 3 GB of memory and a few minutes.
        progress: Called with what runs next, how many processes are done, and how many there are.

    Returns:
        The Table.
    """
    rows: list[Row] = []
    parts = [(dtype, library) for dtype in DTYPES for library in LIBRARIES]
    for done, (dtype, library) in enumerate(parts):
        progress(f"{library} {dtype}", done, len(parts))
        command = [sys.executable, "-m", "parity.bench.comparator", library, dtype, str(elements)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            rows += [Row(**row) for row in json.loads(ran.stdout)]
        else:
            why = (ran.stderr.strip().splitlines() or [f"left with the status {ran.returncode}"])[-1]
            rows += [Row(name, dtype, missing=why) for name in LIBRARIES[library]]
    return Table(elements, tuple(rows), environment())


def print_table(table: Table, console: "Console") -> None:
    """The rows as text, 80 columns wide."""
    for dtype in DTYPES:
        size = table.elements * FORMATS[dtype].bits // 4 / 1e6
        title = f"{dtype}, {table.elements:,} elements a side, {size:,.6g} MB in all"
        rows, absent = [], []
        for row in (r for r in table.rows if r.dtype == dtype):
            if row.missing:
                absent.append(f"{row.name} did not run: {row.missing}")
                continue
            ours, dot = table.ratio(row, OURS), table.ratio(row, DOT)
            rows.append(
                (
                    row.name,
                    f"{row.seconds:.3g}",
                    f"{row.gb_per_s:.3g}",
                    f"{ours:.3g}" if ours else "-",
                    f"{100 / dot:.3g}%" if dot else "-",
                    "-" if row.extra_mb is None else f"{row.extra_mb:,.1f}{'*' * (row.measured_by == 'resident set')}",
                )
            )
        print_grid(
            console, title, ("equal up to rounding", "seconds", "GB/s", "x ours", "of np.dot", "extra MB"), rows, absent
        )
        for of, measured, wanted, met in table.targets(dtype):
            limit = "at most" if wanted == EXTRA_MB else "at least"
            console.print(
                f" {measured:8.3g} {of}: {limit} {wanted:g} wanted, {'met' if met else 'NOT met'}", markup=False
            )
        console.print()
    console.print(
        "GB/s counts both operands once. x ours: its seconds by those of errors. MB are\n"
        "what tracemalloc counts; * is the rise of the process's high-water mark.",
        highlight=False,
    )


def close_pair(dtype: str, elements: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays that are equal up to rounding, made a block at a time.

    Args:
        dtype: "float32" or "bfloat16".
        elements: How many.

    Returns:
        Normal numbers, none of them zero, and the same with half of them one to three units in the last place away.

    Raises:
        ModuleNotFoundError: For bfloat16 without ml_dtypes.

    Examples:
        >>> left, right = close_pair("float32", 1000)
        >>> errors(left, right).max_ulp
        3.0
    """
    real = np.dtype(np.float32)
    if dtype == "bfloat16":
        import ml_dtypes

        real = np.dtype(ml_dtypes.bfloat16)
    signed = np.dtype(f"i{real.itemsize}")
    rng = np.random.default_rng(0)
    left, right = np.empty(elements, real), np.empty(elements, real)
    for start in range(0, elements, BLOCK):
        part = slice(start, start + BLOCK)
        values = rng.standard_normal(left[part].size, dtype=np.float32)
        # So near zero that a few steps would cross it.
        values[np.abs(values) < 1e-30] = 1.0
        left[part] = values
        steps = rng.integers(1, 4, values.size, signed) * rng.integers(-1, 2, values.size, signed)
        steps *= rng.integers(0, 4, values.size, signed) > 0
        right.view(signed)[part] = left.view(signed)[part] + steps
    return left, right


def calls(library: str, dtype: str) -> dict[str, Callable[[np.ndarray, np.ndarray], Any]]:
    """The functions of one library, each passing on `close_pair`.

    Raises:
        ModuleNotFoundError: If the library is not installed.
    """
    relative = 1e-6 if dtype == "float32" else 0.05
    if library == "numpy":
        # As float32, whatever the bytes mean: BLAS has no bfloat16, and a roof is about reading.
        return {
            OURS: errors,
            DOT: lambda a, b: np.dot(a.view(np.float32), b.view(np.float32)),
            EQUAL: lambda a, b: np.array_equal(a.view(np.uint8), b.view(np.uint8)),
        }
    (name,) = LIBRARIES[library]
    if library == "numpy.testing":
        return {name: lambda a, b: np.testing.assert_allclose(a, b, rtol=relative, atol=0)}
    if library == "torch":
        import torch

        def assert_close(a: np.ndarray, b: np.ndarray) -> None:
            pair = [torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) for x in (a, b)] if a.itemsize == 2 else []
            one, other = pair or [torch.from_numpy(x) for x in (a, b)]
            torch.testing.assert_close(one, other, rtol=relative, atol=0)

        return {name: assert_close}
    import chex

    return {name: lambda a, b: chex.assert_trees_all_close(a, b, rtol=relative, atol=0)}


def rows_of(library: str, dtype: str, elements: int) -> list[Row]:
    """Measure the functions of one library, in this process."""
    functions = calls(library, dtype)
    left, right = close_pair(dtype, elements)
    extra: dict[str, float | None] = {}
    by = "tracemalloc" if library.startswith("numpy") else "resident set"
    for name, function in functions.items():
        first = WARM if by == "tracemalloc" else 1024
        function(left[:first], right[:first])
        if by == "tracemalloc":
            tracemalloc.start()
            function(left, right)
            extra[name] = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
        else:
            before = _high_water()
            function(left, right)
            after = _high_water()
            extra[name] = None if before is None or after is None else (after - before) / 1e6
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS.get(library, 2)):
        for name, function in functions.items():
            start = time.perf_counter()
            function(left, right)
            best[name] = min(best[name], time.perf_counter() - start)
    both = left.nbytes + right.nbytes
    return [Row(name, dtype, best[name], both / best[name] / 1e9, extra[name], by) for name in functions]


def _high_water() -> int | None:
    """Most bytes of memory that this process ever held; None where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    try:
        found = rows_of(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is not installed") from None
    sys.stdout.write(json.dumps([asdict(row) for row in found]))
