"""The pytest plugin: the fixture `parity`, its options, a summary of every check. It imports no framework itself."""

import argparse
import base64
import pickle
import shlex
import sys
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parity.report import Report

__all__ = ["ParityFixture", "parity"]  # all else is called by pytest

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")
REQUIRED = ("torch", "jax", "cuda", "all")
AGREEING = 20
"""Checks that agree are listed up to this number; those that do not, all."""

PENDING = pytest.StashKey[list["Report"]]()
PROPERTY, MISSING = "parity", "parity:missing"


def pytest_addoption(parser: pytest.Parser) -> None:
    """One group of options."""
    group = parser.getgroup("parity", "parity: PyTorch against JAX")
    group.addoption(
        "--parity-device",
        choices=DEVICES,
        default="cpu",
        help="Where both sides run, unless a test says. Default: cpu.",
    )
    group.addoption(
        "--parity-dtype",
        action="append",
        choices=DTYPES,
        help="Working dtype beside float64, unless a test says; may be given more than once. Default: float32.",
    )
    group.addoption(
        "--parity-html", type=_target, metavar="FILE", help="Write one report on all checks as an HTML file."
    )
    group.addoption("--parity-json", type=_target, metavar="FILE", help="Write one report on all checks as JSON.")
    group.addoption(
        "--parity-require",
        action="append",
        choices=REQUIRED,
        help="Fail rather than skip where this is missing: a framework, a CUDA device that was asked for, or all of "
        "them; may be given more than once.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Reports come together in one process: this one, or the controller of xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Checks(config), "parity-checks")


class ParityFixture:
    """The fixture: `check` asserts; every other name is the package's, such as `parity.TorchSide`."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._item: Any = request.node
        self._config = request.config

    def check(self, *arguments: Any, **options: Any) -> "Report":
        """`parity.check` with the command line's device and dtypes, and an error where the two sides differ.

        Args:
            *arguments: As for `parity.check`.
            **options: As for `parity.check`; what a test gives here counts before the command line.

        Returns:
            The Report.

        Raises:
            ParityError: With the Report as its text and as its `report`.
        """
        __tracebackhide__ = True
        import parity

        pending = self._item.stash.setdefault(PENDING, [])
        dtypes = self._config.getoption("parity_dtype")
        defaults = {"device": self._config.getoption("parity_device"), "name": self._name()}
        defaults |= {"dtypes": ("float64", *dict.fromkeys(dtypes))} if dtypes else {}
        options = defaults | options
        self._available(options["device"])
        report = parity.check(*arguments, **options)
        pending.append(report)
        self._item.user_properties += [(f"{PROPERTY}:{r.name}", _verdict(r)) for r in report.results]
        if not report:
            raise parity.ParityError(report)
        return report

    assert_parity = check

    def __getattr__(self, name: str) -> Any:
        import parity

        return getattr(parity, name)

    def _name(self) -> str:
        module = self._item.module.__name__.rpartition(".")[2] if getattr(self._item, "module", None) else "check"
        done = sum(name.startswith(f"{PROPERTY}:") and name != MISSING for name, _ in self._item.user_properties)
        return f"{module}.{self._item.name}" + (f"#{done + 1}" if done else "")

    def _available(self, device: str) -> None:
        """Skip where a framework or the device is missing; fail where that is required."""
        __tracebackhide__ = True
        from parity.doctor import cuda_missing
        from parity.sides import FRAMEWORKS, MissingFramework, require

        required = set(self._config.getoption("parity_require") or ())
        for what in (*FRAMEWORKS, *(["cuda"] if device == "cuda" else [])):
            told = None
            try:
                if what == "cuda":
                    told = cuda_missing()
                else:
                    require(what)
            except MissingFramework as error:
                told = str(error)
            if told and required & {what, "all"}:
                pytest.fail(f"{told} (required by --parity-require)", pytrace=False)
            if told:
                self._item.user_properties.append((MISSING, told))
                pytest.skip(told)


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> ParityFixture:
    """Checks of two sides: `parity.check(torch_side, jax_side, *inputs)` fails the test where they differ.

    Examples:
        >>> import jax, numpy as np, torch
        >>> def test_sine(parity):
        ...     report = parity.check(torch.sin, jax.numpy.sin, np.linspace(-2.0, 2.0, 12))
        ...     assert report.verdict is parity.Verdict.AGREE
    """
    return ParityFixture(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a test's checks to its report, which xdist carries to the controller; tell a failure in our words alone."""
    report = yield
    pending = item.stash.setdefault(PENDING, [])
    ours: Any = call.excinfo.value if call.excinfo is not None and _is_ours(call.excinfo.value) else None
    if ours is not None and not any(ours.report is known for known in pending):
        pending.append(ours.report)  # of parity.assert_parity, without the fixture
    if pending:
        report.parity = _packed(pending)  # type: ignore[attr-defined]  # pytest keeps what a report has beside its own
        pending.clear()
    if report.failed and call.excinfo is not None and ours is not None:
        report.longrepr = _in_our_words(call.excinfo, item)
    return report


class Checks:
    """Every check of a session, in the process that tells of them.

    Args:
        config: Of the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.reports: list[tuple[str, Report]] = []
        self.missing: dict[str, list[str]] = {}
        self.unwritten: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the checks out of a test's report."""
        packed = getattr(report, "parity", None)
        if packed:
            self.reports += [(report.nodeid, checked) for checked in _unpacked(packed)]
        if report.skipped:
            for name, told in report.user_properties:
                if name == MISSING:
                    self.missing.setdefault(str(told), []).append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports, once."""
        html, json = (self.config.getoption(f"parity_{kind}") for kind in ("html", "json"))
        if not (html or json):
            return
        whole = self._whole()
        for target, write in ((html, whole.to_html), (json, whole.to_json)):
            try:
                if target:
                    write(target)
            except OSError as error:
                self.unwritten.append(str(error))
                session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """List the checks and their verdicts, and the command to run next."""
        if not (self.reports or self.missing or self.unwritten):
            return
        terminalreporter.write_sep("=", "parity")
        self.reports.sort(key=lambda pair: pair[0])
        lines = [(bool(result), _line(nodeid, result)) for nodeid, report in self.reports for result in report.results]
        agreeing = [line for agrees, line in lines if agrees]
        differing = [line for agrees, line in lines if not agrees]
        for line in agreeing[:AGREEING]:
            terminalreporter.write_line(line, green=True)
        if len(agreeing) > AGREEING:
            terminalreporter.write_line(f"and {len(agreeing) - AGREEING:,} more agree", green=True)
        for line in differing:
            terminalreporter.write_line(line, red=True)
        for told, nodes in self.missing.items():
            terminalreporter.write_line(f"skipped {len(nodes):,}: {told}", yellow=True)
        for told in self.unwritten:
            terminalreporter.write_line(told, red=True)
        for kind in ("html", "json"):
            target = self.config.getoption(f"parity_{kind}")
            if target and not self.unwritten:
                terminalreporter.write_line(f"report: {target}")
        told = f"{len(lines):,} {'check' if len(lines) == 1 else 'checks'}"
        differ = f"{len(differing):,} {'differs' if len(differing) == 1 else 'differ'}"
        terminalreporter.write_line(f"{told}, {differ}; next: {self._next()}")

    def _whole(self) -> "Report":
        from parity.report import Report

        ordered = sorted(self.reports, key=lambda pair: pair[0])
        dtypes = dict.fromkeys(d for _, report in ordered for d in report.dtypes)
        environment = dict(ordered[0][1].environment) if ordered else {}
        environment |= {"command": shlex.join(["pytest", *map(str, self.config.invocation_params.args)])}
        results = tuple(result for _, report in ordered for result in report.results)
        return Report(results, environment, tuple(dtypes) or ("float64", "float32"))

    def _next(self) -> str:
        html = self.config.getoption("parity_html")
        differing = [nodeid for nodeid, report in self.reports if not report]
        if differing:
            return f"pytest {shlex.quote(differing[0])} --parity-html {shlex.quote(html or 'parity.html')}"
        if self.missing and not self.reports:
            first = next(iter(self.missing))
            return first.rpartition("; ")[2] if "pip install" in first else "parity doctor"
        given = shlex.join(map(str, self.config.invocation_params.args))
        more = "--parity-html parity.html" if not html else "--parity-dtype bfloat16"
        return " ".join(filter(None, ("pytest", given, more)))


def _target(path: str) -> str:
    if not Path(path).resolve().parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder of {path} does not exist; create it, or name another file")
    return path  # as text: xdist hands options to its workers, and knows no Path


def _is_ours(error: Any) -> bool:
    api = sys.modules.get("parity.checking.api")
    return api is not None and isinstance(error, api.ParityError)


def _in_our_words(raised: pytest.ExceptionInfo[BaseException], item: pytest.Item) -> Any:
    """The report's text and where the test asked for it, in place of pytest's traceback."""
    error: Any = raised.value
    lines = [entry.lineno + 1 for entry in raised.traceback if Path(str(entry.path)) == item.path]
    place = f"{item.nodeid.partition('::')[0]}{f':{lines[-1]}' if lines else ''}"
    text = f"{_headline(error.report)}  ({place})\n\n{str(error).strip()}"
    without_traceback = pytest.fail.Exception(text, pytrace=False)
    return item.repr_failure(
        pytest.ExceptionInfo.from_exc_info((type(without_traceback), without_traceback, raised.tb))
    )


def _headline(report: "Report") -> str:
    first = report.first
    if first is not None:
        return f"{first.verdict} {first.stage} of {first.torch_path or first.jax_path or 'everything'}"
    return next((str(r.error).splitlines()[0] for r in report.results if r.error), "nothing was compared")


def _verdict(result: Any) -> str:
    from parity.report.phrases import figure, outcome, share

    return f"{outcome([result])}, {figure(share([result]))} x the bound"


def _line(nodeid: str, result: Any) -> str:
    from parity.report.phrases import figure, outcome, share

    number = nodeid.count("::") and result.name.partition("#")[2]
    return f"{outcome([result]):<10} {figure(share([result])):>8} x bound  {nodeid}" + (f" #{number}" if number else "")


def _packed(reports: list["Report"]) -> str:
    """As text, which is what every carrier of test reports can carry."""
    return base64.b85encode(zlib.compress(pickle.dumps(reports))).decode("ascii")


def _unpacked(text: str) -> list["Report"]:
    return pickle.loads(zlib.decompress(base64.b85decode(text)))  # of our own process or one that it started
