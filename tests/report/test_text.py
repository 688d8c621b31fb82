"""The report in the terminal: it says everything, at every width, in every encoding, and cannot be made to say more."""

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from parity.markup import printable
from parity.numerics import Verdict
from parity.report import CaseResult, Report
from parity.report.closing import closing, install
from parity.report.html import page
from parity.report.phrases import seconds
from parity.report.text import BLOCKS, print_report, render


def printed_on(report, *, detail=False, environ=None, **options):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=options.pop("encoding", "utf-8"))
    console = Console(file=stream, legacy_windows=False, _environ=environ or {}, **options)
    print_report(report, console, detail)
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


def unwrapped(text):
    return re.sub(r"\s+", "", text)


def missing(text, report):
    """What the text leaves out: divergences and conventions by path, agreeing comparisons by their counts."""
    told = unwrapped(text)
    paths = [f.torch_path for f in report.findings if f.verdict is not Verdict.AGREE]
    lost = [path for path in paths if unwrapped(printable(path)) not in told]
    numbers = [p.label for r in report.results for p in r.published if not p]
    lost += [label for label in numbers if unwrapped(printable(label)) not in told]
    lost += [r.name for r in report.results if r.error is not None and unwrapped(printable(r.error)) not in told]
    by_stage = [[f for f in r.findings if f.stage == stage] for r in report.results for stage in r.stages]
    agreeing = sum(len(found) for found in by_stage if all(f.verdict is Verdict.AGREE for f in found))
    agreeing += sum(len(r.published) for r in report.results if all(r.published))
    shown = sum(int(n.replace(",", "")) for n in re.findall(r"✓ ([\d,]+)", text))
    total = re.search(r"([\d,]+) comparison", " ".join(text.split()))
    compared = int(total[1].replace(",", "")) if total else 0
    return lost + (["agreeing comparisons"] if (shown, compared) != (agreeing, len(report.findings)) else [])


def test_no_finding_is_lost(report):
    assert missing(render(report, width=200, detail=True, everything=True), report) == []


@pytest.mark.parametrize("path", ["layer0003/weight", "layer0005/weight", "layer0001/weight"])
def test_a_finding_that_is_lost_is_noticed(sample, less, path):
    report = sample("crowded")
    assert missing(render(less(report, path), width=200, detail=True, everything=True), report) != []


def test_a_run_has_one_line_a_pair(sample):
    assert render(sample("agreeing"), width=110, detail=False).splitlines() == [
        "pair    cases  structure  forward  gradient  update  curve  printed  x bound  verdict      time",
        "───────────────────────────────────────────────────────────────────────────────────────────────",
        "losses      2  ✓ 1        ✓ 2      ✓ 2       -       -      -         0.0079  AGREE       0.5 s",
        "spiral      1  -          -        -         ✓ 1     ✓ 1    ✓ 2       0.0079  AGREE    1:23 min",
        "",
        "2 pairs, 3 cases, 7 comparisons, 2 printed numbers: all agree",
    ]


def test_a_named_pair_has_one_line_a_case_and_its_printed_numbers(sample):
    text = render(sample("agreeing"), width=80, detail=True)
    assert "\ncross_entropy " in text
    assert text.count("\nquadratic_cost ") == 1
    assert "  printed in CS231n, neural networks case study\n" in text
    assert re.search(r"losses, step 1,000 +0.294946 +0.294945610 +0.294945610 +✓\n", text)
    assert "  NumPy as the third witness: 0.29494561\n" in text
    assert "curve losses: the first 1,875 of 2,500 steps; float32 against its own float64" in text


def test_printed_numbers_that_are_met_are_not_shown_for_a_whole_run(sample):
    assert "0.294946" not in render(sample("agreeing"), detail=False)


def test_a_report_on_a_single_pair_is_told_in_detail(sample):
    report = replace(sample("agreeing"), results=sample("agreeing").results[2:])
    assert render(report) == render(report, detail=True) != render(report, detail=False)
    assert render(sample("agreeing")) == render(sample("agreeing"), detail=False)


def test_a_divergence_is_told_as_a_block(sample):
    text = render(sample("SEMANTIC"), width=140)
    assert (
        "SEMANTIC  transformer.encoder  gradient of encoder.layers.3.norm1.weight  (torch)  /  blocks[3].ln1.scale"
        "  (jax)     step 0\n"
        "  the formulas differ; does not shrink with precision (rho = 1)\n"
        "  float64: largest difference 3e-05 at (41, 3); 683 of 1,024 elements differ, by up to 2.1e+09 x the rounding"
        " bound\n"
        "    torch -0.2173481234567891   jax -0.2173181234567891\n"
        "  float32: largest difference 3e-05 at (41, 3); 683 of 1,024 elements differ, by up to 3.9 x the rounding"
        " bound\n"
        "    torch -0.217348123   jax -0.217318123   torch at float64 -0.2173481234567891\n"
    ) in text


def test_the_side_that_is_worse_is_named(sample):
    text = render(sample("PRECISION"), width=140)
    assert "  float64: equal bit by bit in all 1,024 elements\n  float32: largest difference 0.01" in text
    assert "  float32 strays from torch's float64 by: torch 6e-08, jax 0.01; jax is worse\n" in text


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_stands_in_the_table_and_opens_its_block(sample, verdict):
    text = render(sample(verdict.value), width=120)
    assert re.search(rf"^transformer .* {verdict} ", text, re.MULTILINE)
    blocks = re.findall(r"^([A-Z]+)  transformer", text, re.MULTILINE)
    assert blocks == ([] if verdict is Verdict.AGREE else [verdict])


def test_an_accepted_difference_is_named_with_its_reason(sample):
    text = render(sample("CONVENTION"), width=120)
    assert "accepted: at a tie torch gives each side a half, jax the first one all" in text
    assert text.endswith("2 pairs, 2 cases, 3 comparisons: all agree, 1 by a named convention")


def test_a_printed_number_that_is_not_met_says_by_how_much(sample):
    text = render(sample("mixed"), width=200)
    assert "SEMANTIC  spiral.two_layer  printed number losses, step 0\n" in text
    assert "prints 1.098744: torch 1.108743800, jax 1.108743800; 0.01 off, 5e-07 allowed" in text


def test_what_could_not_run_says_why_and_what_to_install(sample):
    text = render(sample("mixed"), width=120)
    assert "MISSING  resnet.block\n  flax cannot be imported\n  install it: pip install 'parity[jax]'\n" in text
    assert "NOT RUN  lenet.forward on cuda\n  torch: RuntimeError: shapes (3, 4) and (5, 6)\n    do not fit\n" in text
    assert re.search(r"^resnet .* MISSING ", text, re.MULTILINE)
    assert re.search(r"^lenet .* NOT RUN ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("error", "command"),
    [
        ("no torch here", "pip install 'parity[torch]'"),
        ("optax is missing", "pip install 'parity[jax]'"),
        ("a device is missing", "pip install 'parity[all]'"),
        ("torch and jax are missing", "pip install 'parity[all]'"),
    ],
)
def test_the_command_installs_the_framework_that_is_missing(error, command):
    assert install(error) == command


def test_one_reason_why_several_cases_could_not_run_is_told_once():
    report = Report(tuple(CaseResult(f"losses.{name}", error="no jax", missing=True) for name in "abc"))
    text = render(report, width=120)
    assert "MISSING  losses.a and 2 more cases\n  no jax\n" in text
    assert text.count("no jax") == 1
    assert page(report).count('<article class="divergence MISSING"') == 1
    assert "The same of losses.b, losses.c" in page(report)


def test_the_closing_line_names_the_first_divergence_and_the_next_command(sample):
    told = closing(sample("SEMANTIC"))
    assert told.startswith("2 pairs, 2 cases, 3 comparisons: 1 differs; first: SEMANTIC gradient of encoder.layers.3.")
    assert told.endswith("in transformer.encoder; next: report.to_html('report.html')")
    renamed = replace(sample("SEMANTIC").results[1], name="losses.cross_entropy")
    assert closing(Report((renamed,))).endswith("; next: parity run losses --html report.html")


@pytest.mark.parametrize(
    ("typed", "next_one"),
    [
        ("parity check a:f b:g", "parity check a:f b:g --html report.html"),
        ("parity check a:f b:g --html 'my file.html'", "open my file.html"),
        ("parity check a:f b:g --html=x.html", "open x.html"),
    ],
)
def test_a_report_that_was_asked_for_in_a_terminal_ends_with_what_to_type_there(sample, typed, next_one):
    report = sample("SEMANTIC")
    report = replace(report, environment={"command": typed, **report.environment})
    assert closing(report).endswith(f"; next: {next_one}")


def test_what_follows_from_a_difference_is_counted_below_it_and_told_where_it_is_asked_for(sample):
    report = sample("following")
    text = render(report, width=160)
    assert re.findall(r"^SEMANTIC  check  (.*)$", text, re.MULTILINE) == [
        "layer of norm0  (torch)  /  ln0  (jax)",
        "loss of loss",
    ]
    assert "  the same at 1 more place: norm1 (torch) / ln1 (jax)\n" in text
    assert (
        "  5 later comparisons differ as a consequence: forward 1, layer gradient 1, gradient 3; "
        "report.findings has each\n"
    ) in text
    whole = render(report, width=160, everything=True)
    assert len(re.findall(r"^SEMANTIC  check  ", whole, re.MULTILINE)) == 8
    assert "later comparisons" not in whole


def test_the_closing_line_tells_a_missing_framework_from_a_divergence():
    told = closing(Report((CaseResult("losses.a", error="no jax", missing=True),)))
    assert told == (
        "1 pair, 1 case, 0 comparisons: 1 case could not run; first: losses.a could not run; "
        "next: pip install 'parity[jax]'"
    )


def test_nothing_compared_is_not_called_agreement(sample):
    assert render(sample("empty")) == "no case was run: nothing was compared; next: parity run"
    assert render(sample("nothing compared")).endswith("1 pair, 1 case, 0 comparisons: nothing was compared")


def test_many_divergences_are_told_in_full_first_and_then_a_line_each(sample):
    report = sample("crowded")
    text = render(report, width=120)
    differ = sum(not f for f in report.findings)
    assert text.count("  the formulas differ") == BLOCKS < differ
    assert len(re.findall(r"^SEMANTIC  ", text, re.MULTILINE)) == differ


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("detail", [False, True])
def test_no_line_is_wider_than_the_terminal(report, width, detail):
    text = render(report, width=width, detail=detail)
    assert max(map(len, text.splitlines())) <= width
    for result in report.results if not detail else ():
        assert printable(result.concept)[:8] in text


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_table_keeps_names_and_verdicts(sample, width):
    text = render(sample("mixed"), width=width)
    for verdict in Verdict:
        assert re.search(rf"^{verdict.lower()} .*{verdict}$", text, re.MULTILINE)


def test_a_pipe_gets_neither_colour_nor_other_codes(sample):
    assert "\x1b" not in printed_on(sample("mixed"), width=80)


def test_a_terminal_gets_colour(sample):
    assert "\x1b[1;31m" in printed_on(sample("mixed"), width=80, force_terminal=True, color_system="standard")


def test_no_color_and_a_dumb_terminal_are_honoured(sample):
    quiet = printed_on(sample("mixed"), width=80, force_terminal=True, environ={"NO_COLOR": "1", "TERM": "xterm"})
    assert not re.search(r"\x1b\[[\d;]*3\dm", quiet)
    assert "\x1b" not in printed_on(sample("mixed"), force_terminal=True, environ={"TERM": "dumb"})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_the_marks_gets_words(report, encoding):
    text = printed_on(report, detail=True, width=80, encoding=encoding)
    assert text.isascii()
    assert ("ok" in text) == any(verdict is Verdict.AGREE for r in report.results for verdict in r.stages.values())


def test_print_works_where_standard_output_is_ascii():
    program = (
        "from parity.report import CaseResult, Report; from parity.numerics import Finding, Verdict\n"
        "print(Report((CaseResult('a.\\u03b1', (Finding('forward', '\\u03bb', '\\u03bb', Verdict.AGREE, ''),)),)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "ok 1" in run.stdout


def test_names_and_messages_cannot_command_the_terminal(sample):
    text = printed_on(sample("hostile"), width=200, detail=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert "[bold red]" in text


def test_times_are_rounded_for_a_person():
    assert [seconds(t) for t in (0.0, 0.094, 0.1, 9.94, 9.96, 59.4, 59.6, 3600)] == [
        *("0.00 s", "0.09 s", "0.1 s", "9.9 s", "10 s", "59 s", "1:00 min", "60:00 min")
    ]
