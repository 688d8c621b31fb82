"""Training curves as pictures, without a window and without pyplot."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from parity.markup import printable
from parity.report import CaseResult, Curve, Report
from parity.report.picture import figure, svg


def titles(drawing):
    return [
        title for panel in drawing.axes if not (title := panel.get_title(loc="left")).endswith("of each layer alone")
    ]


def missing(drawing, report):
    wanted = [printable(f"{r.name}: {c.name}") for r in report.results for c in r.curves]
    return [title for title in wanted if title not in titles(drawing)]


@pytest.mark.parametrize("name", ["agreeing", "mixed", "not finite", "hostile"])
def test_every_curve_has_a_row_of_two_panels(sample, name):
    report = sample(name)
    drawing = figure(report)
    assert missing(drawing, report) == []
    assert titles(drawing)[1::2] == ["|torch - jax|"] * sum(len(r.curves) for r in report.results)


def test_a_curve_that_is_lost_is_noticed(sample):
    fewer = Report((CaseResult("a.nan", curves=sample("not finite").results[0].curves[1:]),))
    assert missing(figure(fewer), sample("not finite")) == ["a.nan: a"]


@pytest.mark.parametrize("name", ["agreeing", "following", "not finite", "hostile"])
def test_a_figure_can_be_saved(sample, name, tmp_path):
    sample(name).plot().savefig(tmp_path / "curves.png", dpi=40)
    assert (tmp_path / "curves.png").stat().st_size > 5_000


@pytest.mark.parametrize("name", ["SEMANTIC", "empty"])
def test_a_report_without_curves_says_what_is_wanted(sample, name):
    with pytest.raises(
        ValueError, match=r"got a report without training curves and without layers \(.*\), wanted .* parity run spiral"
    ):
        figure(sample(name))


def test_both_sides_at_both_precisions_the_bound_and_the_horizon_are_drawn(sample):
    values, differences = figure(sample("agreeing")).axes
    labels = [[line.get_label() for line in panel.lines] for panel in (values, differences)]
    assert labels[0] == ["torch, float64", "torch, float32", "jax, float64", "jax, float32"]
    assert labels[1][2:] == ["bound, float64", "horizon, step 1,875"]
    assert [label.partition(" (")[0] for label in labels[1][:2]] == ["float64", "float32"]
    assert differences.get_yscale() == "log"


def test_every_layer_is_drawn_in_order_with_the_bound_and_what_differs_is_named(sample):
    report = sample("following")
    forward, gradient = report.plot().axes
    names = [label.get_text() for label in forward.get_yticklabels()]
    assert names == [("differs: " if i == 2 else "") + f"blocks.{i}.norm" for i in range(6)]
    exact, working, bound = forward.lines
    errors = report.results[0].layers
    assert list(exact.get_xdata()) == [e.forward64 for e in errors]
    assert list(working.get_xdata()) == [e.forward for e in errors]
    assert [line.get_label() for line in forward.lines] == ["float64", "float32", "bound"]
    assert list(bound.get_xdata()) == [1, 1]
    assert len(forward.patches) == len(gradient.patches) == 1
    assert np.isnan(gradient.lines[0].get_xdata()[-1]), "the last layer has no gradient"
    assert min(gradient.lines[1].get_xdata()[:-1]) == 1e-4, "a zero stands at the end of the scale"


def test_thinning_hides_no_spike():
    steps = 100_000
    flat = np.ones(steps)
    spiked = flat.copy()
    spiked[31_415] += 1e-3
    curve = Curve("losses", flat, spiked, flat, flat, np.full(steps, 1e-12), steps, "float32")
    drawn = figure(Report((CaseResult("a.b", curves=(curve,)),))).axes[1].lines[0].get_ydata()
    assert len(drawn) < 1000
    assert np.nanmax(drawn) == spiked[31_415] - 1


def test_steps_that_are_equal_bit_by_bit_are_counted_since_a_logarithm_cannot_show_them():
    t = np.linspace(1.0, 2.0, 50)
    curve = Curve("losses", t, t, t, np.where(t > 1.5, t, t + 1e-7), np.full(50, 1e-12), 50, "float32")
    labels = [line.get_label() for line in figure(Report((CaseResult("a.b", curves=(curve,)),))).axes[1].lines]
    assert labels[:2] == ["float64 (equal at every step)", "float32 (equal at 25 of 50 steps)"]


@pytest.mark.parametrize("name", ["agreeing", "mixed", "not finite", "hostile"])
def test_a_picture_for_a_page_is_markup_that_loads_nothing_and_leaves_the_page_alone(sample, name):
    for curve in (c for r in sample(name).results for c in r.curves):
        markup = svg(curve, "p1-")
        ElementTree.fromstring(markup)
        assert not re.search(r"http|<style|<script|<image|xmlns", markup)
        assert all(name.startswith("p1-") for name in re.findall(r'id="([^"]*)"', markup))
        assert set(re.findall(r"#([\w-]+)", markup)) <= set(re.findall(r'id="([^"]*)"', markup)), "no colour of its own"
        assert "var(--torch)" in markup


def test_the_same_curve_gives_the_same_picture(sample):
    curve = sample("agreeing").results[2].curves[0]
    assert svg(curve, "p1-") == svg(curve, "p1-")


def test_neither_the_report_nor_its_table_imports_matplotlib_and_pictures_import_no_pyplot():
    program = (
        "import sys\nfrom parity.report import Report, picture, text, html, json, show\n"
        "text.render(Report(())), html.page(Report(())), json.render(Report(()))\n"
        "assert 'matplotlib' not in sys.modules, 'imported for a report without curves'\n"
        "import numpy as np\nfrom parity.report import CaseResult, Curve\n"
        "curve = Curve('a', *(np.ones(3),) * 5, 3, 'float32')\n"
        "picture.figure(Report((CaseResult('a.b', curves=(curve,)),)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot has global state'\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
