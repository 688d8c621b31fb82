"""The report as one page: complete, self-contained, legible without JavaScript, and safe whatever it holds."""

import itertools
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from parity.markup import Markup, joined, printable, tag
from parity.numerics import Verdict
from parity.report import html
from parity.report.html import CARDS
from parity.report.phrases import sentence
from parity.report.result import Report

IMAGE = "<img src=x onerror=alert(1)>"


MADE = {}


def page(report):
    """The report's page, made once for all tests that look at it."""
    if id(report) not in MADE:
        MADE[id(report)] = report, html.page(report), html.fragment(report)
    return MADE[id(report)][1]


def fragment(report):
    page(report)
    return MADE[id(report)][2]


class Elements(HTMLParser):
    """Reads a page, refuses one whose elements do not close in order, and keeps elements, texts and ids."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(markup)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "input"):
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(text)

    def named(self, name):
        return [attributes for element, attributes in self.elements if element == name]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def missing(markup, report):
    """Findings, printed numbers, curves, errors and remarks of which the page holds no word."""
    told = " ".join(Elements(markup).texts)
    results = report.results
    words = [f"{part.torch_path} {sentence(part)} {part.note} {part.cause}" for part in report.findings]
    words += [p.label for r in results for p in r.published] + [c.name for r in results for c in r.curves]
    words += [f"{e.torch_path} {e.jax_path}" for r in results for e in r.layers]
    words += [text for r in results for text in (*r.remarks, (r.error or "").strip())]
    return [text for text in words if not all(printable(word) in told for word in text.split())]


def test_nothing_is_lost(report):
    assert missing(page(report), report) == []
    assert missing(fragment(report), report) == []


@pytest.mark.parametrize("path", ["layer0003/weight", "layer0001/weight"])
def test_a_finding_that_is_lost_is_noticed(sample, less, path):
    report = sample("crowded")
    lost = missing(page(less(report, path)), report)
    assert len(lost) == 1
    assert lost[0].startswith(path)


def test_every_comparison_has_a_row_of_its_own(report):
    rows = re.findall(
        r"<tr [^>]*><td>(?:structure|forward|loss|layer|layer gradient|gradient|update|curve)</td>", page(report)
    )
    assert len(rows) == len(report.findings)


def test_every_element_closes_and_every_id_stands_once(report):
    for markup in (page(report), fragment(report), fragment(report) + page(MADE.setdefault("other", Report(())))):
        elements = Elements(markup)
        assert len(set(elements.ids)) == len(elements.ids)
        links = [attributes["href"] for attributes in elements.named("a")]
        assert all(link.removeprefix("#") in elements.ids for link in links)


def test_nothing_is_loaded_from_elsewhere(report):
    markup = page(report)
    elements = Elements(markup)
    names = {name for name, _ in elements.elements}
    assert not {"img", "image", "link", "iframe", "object", "embed", "base", "form"} & names
    assert not re.search(r"url\((?!#)|@import|https?:|=['\"]?//", markup)
    for name, attributes in elements.elements:
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "srcset", "action")], name
        assert attributes.get("href", "#").startswith("#")


def test_the_policy_lets_only_the_page_s_own_script_run(sample):
    markup = page(sample("hostile"))
    policy = next(
        a["content"] for a in Elements(markup).named("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/=]{44}';", policy)
    assert markup.count("<script>") == 1
    assert "<script" not in fragment(sample("hostile"))


def test_a_hostile_name_stays_text(sample):
    for markup in (page(sample("hostile")), fragment(sample("hostile"))):
        elements = Elements(markup)
        assert "img" not in {name for name, _ in elements.elements}
        assert IMAGE in " ".join(elements.texts)
        markup.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", markup)


def test_the_check_above_catches_a_name_that_is_not_escaped(sample):
    elements = Elements(page(sample("hostile")).replace("&lt;img src=x onerror=alert(1)&gt;", IMAGE + "</img>", 1))
    assert "img" in {name for name, _ in elements.elements}


def test_only_markup_is_taken_for_markup():
    assert tag("p", "<b>", Markup("<i></i>"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<i></i></p>'
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"
    assert isinstance(Markup("a") + "<", str)
    assert not isinstance(Markup("a") + "<", Markup), "what is glued to markup must be escaped again"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("agreeing", "✓ All agree"),
        ("SEMANTIC", "✗ 1 differs"),
        ("CONVENTION", "✓ All agree, 1 by a named convention"),
        ("mixed", "✗ 8 differ, 2 cases could not run"),
        ("nothing compared", "– Nothing was compared"),
        ("empty", "– Nothing was compared"),
    ],
)
def test_the_verdict_comes_first_and_large(sample, name, title):
    markup = page(sample(name))
    first = re.search(r"<h1>(.*?)</h1>", markup)
    assert re.sub(r"<[^>]*>", "", first[1]) == title
    assert markup.index("<h1>") < markup.index("<table") if "<table" in markup else True
    assert f"<title>parity: {title[2:][:1].lower()}{title[3:]}</title>" in markup


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_a_word_and_not_only_a_colour(sample, verdict):
    badges = re.findall(r'<span class="verdict (\S+)">([A-Z ]+)</span>', page(sample(verdict.value)))
    assert all(kind == word.replace(" ", "-") for kind, word in badges)
    assert (verdict, verdict) in badges


def test_tables_are_tables_for_those_who_hear_them(report):
    markup = page(report)
    elements = Elements(markup)
    assert len(elements.named("table")) == len(elements.named("caption"))
    assert all(attributes.get("scope") in ("col", "colgroup", "row") for attributes in elements.named("th"))
    assert len(re.findall(r"<summary>", markup)) == len(elements.named("details"))
    assert all(a.get("aria-label") for _, a in elements.elements if a.get("role") == "region")
    assert all(a.get("aria-hidden") == "true" for a in elements.named("svg"))
    assert len(elements.named("figcaption")) == len(elements.named("figure"))


def test_what_differs_is_unfolded_and_what_agrees_is_not(sample):
    markup = page(sample("SEMANTIC"))
    unfolded = [bool(state) for state in re.findall(r"<details( open)?><summary><span", markup)]
    assert unfolded == [False, True]


def test_many_divergences_get_a_card_up_to_a_cap_and_the_rest_is_counted(sample):
    report = sample("crowded")
    markup = page(report)
    differ = sum(not f for f in report.findings)
    assert markup.count("<article") == CARDS < differ
    assert f"{differ - CARDS} more differ; they stand in the table below." in markup
    assert len(markup) < 600_000


def test_a_card_tells_the_cause_and_the_fix_and_counts_what_follows(sample):
    text = page(sample("following"))
    assert len(re.findall("<article", text)) == 2
    assert '<h1><span aria-hidden="true">✗</span> 3 differ, 5 more as a consequence</h1>' in text
    assert "<b>fix</b> <code>epsilon=1e-05</code>" in text
    assert "5 later comparisons differ as a consequence: forward 1, layer gradient 1, gradient 3" in text
    assert text.count("a consequence of layer of norm0") == 4


def test_curves_are_drawn_once(sample):
    markup = page(sample("mixed"))
    assert markup.count('<svg viewBox="0 0 720') == 1
    assert "The curve losses is drawn above" in markup


def test_pictures_beyond_the_cap_are_named(sample, monkeypatch):
    monkeypatch.setattr("parity.report.drawings.PICTURES", 1)
    markup = html.page(Report((sample("agreeing").results[2], sample("mixed").results[9])))
    assert markup.count('<svg viewBox="0 0 720') == 1
    assert markup.index('<svg viewBox="0 0 720') < markup.index("<h2>Pairs</h2>"), "the one that differs is drawn"
    assert markup.count("or was one too many to draw on this page") == 2


def test_a_histogram_leaves_out_what_is_equal(sample):
    told = " ".join(Elements(page(sample("SEMANTIC"))).texts)
    assert "float64: elements that differ, by units in the last place. Most, 355, lie 2^37 to 2^38 units apart" in told
    assert "elements that differ, by units" not in " ".join(Elements(page(sample("STRUCTURE"))).texts)


def test_a_fragment_styles_only_itself(sample):
    style = re.search(r"<style>(.*?)</style>", fragment(sample("mixed")), re.DOTALL)[1]
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    selectors = [s.strip() for rule in re.findall(r"([^{}]+)\{", style) for s in rule.split(",")]
    assert [s for s in selectors if ".parity" not in s and not s.startswith("@media")] == []
    assert sample("mixed")._repr_html_() == fragment(sample("mixed"))


def test_to_html_writes_the_page(sample, tmp_path):
    sample("mixed").to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == page(sample("mixed"))


def test_every_layer_has_a_row_in_order_with_its_numbers_and_a_mark_where_it_differs(sample):
    markup = page(sample("following"))
    rows = re.findall(r'<tr( class="differs")?><th scope="row" class="long">(.*?)</th>(.*?)</tr>', markup)
    assert len(rows) == len(sample("following").results[0].layers)
    assert [bool(wrong) for wrong, *_ in rows] == [False, False, True, False, False, False]
    told = [re.sub("<[^>]*>", "", name) for _, name, _ in rows]
    assert told[2] == "3. ✗ blocks.2.norm / blocks[2].ln differs", "a mark, and a word for those who hear the page"
    assert re.sub("<[^>]*>", " ", rows[2][2]).split() == ["✗", "9e+08", "✗", "1.7", "✗", "2.2e+09", "0"]
    assert markup.index("Layer by layer") < markup.index("<h2>Pairs</h2>")
    assert "Layer by layer" not in page(sample("SEMANTIC"))


@pytest.mark.parametrize("name", ["following", "not finite", "hostile"])
def test_a_layer_s_marks_stay_on_their_strip(sample, name):
    places = re.findall(r'<circle cx="([^"]*)"', page(sample(name)))
    assert places
    assert all(0.0 <= float(x) <= 200.0 for x in places)


def test_without_a_script_no_control_is_shown_and_everything_else_is(sample):
    markup = page(sample("mixed"))
    assert re.findall(r"<[^>]* hidden[^>]*>", re.sub(r"<script>.*</script>", "", markup, flags=re.DOTALL)) == [
        '<div class="tools" role="search" aria-label="Pairs and comparisons" hidden>'
    ]
    assert '<select name="verdict"><option value="">any</option><option value="differs">what differs</option>' in markup
    assert not re.search("<(input|select|button)", fragment(sample("mixed"))), "a notebook runs no script of ours"


def test_the_headings_of_a_page_form_an_outline(report):
    levels = [int(n) for n in re.findall(r"<h([1-6])", page(report))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels


def test_a_page_grows_by_a_row_a_finding_and_not_by_a_picture(sample):
    report = sample("crowded")
    small, large = html.page(Report(report.results[:25], report.environment)), page(report)
    counts = [len(re.findall(r"<\w", markup)) for markup in (small, large)]
    assert counts[1] < 2 * counts[0]
    assert counts[1] / 500 < 30, "elements a finding"
    assert large.count("<svg") == small.count("<svg") + 2 * (CARDS - 250 // 7 - 1), (
        "two for each card, of which no more"
    )
    for lazy in (".divergence", ".case", ".profile"):
        assert re.search(rf"{re.escape(lazy)}[^{{}}]*{{ content-visibility: auto", large), "laid out when it is seen"


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """WCAG 2.2: the ratio of the lighter's relative luminance to the darker's, each with 0.05 of stray light."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def faint_colors(style):
    """Colours of the style sheet that are too near to the paper under them: 4.5 for text, 3 for lines and pictures."""
    colors = {n: (light, dark) for n, light, dark in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", style)}
    texts = "ink soft link good mild warn odd bad torch jax".split()
    wanted = dict.fromkeys(texts, 4.5) | dict.fromkeys(("faint", "working", "bound"), 3.0)
    return [
        (name, ("light", "dark")[theme], under)
        for name, least in wanted.items()
        for theme in (0, 1)
        for under in ("paper", "raised")
        if contrast(colors[name][theme], colors[under][theme]) < least
    ]


def test_every_colour_can_be_read_on_its_paper_by_light_and_by_dark():
    style = files("parity.report").joinpath("page.css").read_text()
    assert faint_colors(style) == []
    paler = re.sub(r"--soft: light-dark\(#\w+", "--soft: light-dark(#8a929a", style)
    assert faint_colors(paler) == [("soft", "light", "paper"), ("soft", "light", "raised")]
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert re.search(r":focus-visible \{ outline: 2px solid var\(--link\)", style), "the keyboard's place is seen"
