"""The page in a headless Chromium, where there is one: its script filters, sorts, folds and lets no other one run."""

import json
import re
import shutil
import subprocess

from whole import COUNTED

from parity.report import html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --dump-dom"
)
INTRUDER = "document.documentElement.dataset.intruder = 'in'"

PROLOG = """
  const all = (selector) => [...document.querySelectorAll(selector)].filter((item) => !item.hidden);
  const names = () => all(".pairs > tbody").map((body) => body.rows[0].cells[0].textContent);
  const click = (column) => all(".pairs > thead button").at(column).click();
  const says = () => document.querySelector("[role=status]").textContent;
  const rows = () => all("tr[data-stage]").filter((row) => row.closest(".case:not([hidden])"));
  const cards = () => all(".divergence").length;
  const set = (selector, value) => {
    const control = document.querySelector(`.tools ${selector}`);
    control.value = value;
    control.dispatchEvent(new Event("input"));
  };
  const onto = (width) => {
    document.documentElement.style.width = `${width}px`;
    style.textContent = style.textContent.replace("(max-width: 44rem)", "(max-width: 1px)");
    for (const details of document.querySelectorAll("details")) details.open = true;
  };
  const onPaper = () => { style.textContent = style.textContent.replace("@media print", "@media all"); };
  const style = document.querySelector("style");
  const cut = () => all(".scroll").filter((box) => box.scrollWidth > box.clientWidth)
    .map((box) => `${box.ariaLabel}: ${box.scrollWidth} of ${box.clientWidth}`);
"""
SHEET = 717  # pixels of CSS between a browser's margins on A4

# What is done on the page of all kinds of findings, and what is then seen there.
CHECKS = {
    "a head sorts by its column": ("click(0); return names().slice(0, 2)", ["agree", "convention"]),
    "and the other way, and says so": (
        "click(0); return [...names().slice(0, 2), all('.pairs th')[0].ariaSort, says()]",
        ["unstable", "undecided", "descending", "sorted by pair, descending"],
    ),
    "numbers are sorted as numbers": ("click(-3); return [names()[0], names().at(-1)]", ["undecided", "lenet"]),
    "nothing stands last, either way": ("click(-3); return [names()[0], names().at(-1)]", ["convention", "lenet"]),
    "words filter": (
        "set('input', 'encoder UNSTABLE'); return [...names(), says(), cards()]",
        ["unstable", "1 of 11 pairs, 2 comparisons", 1],
    ),
    "a verdict filters rows and cards": (
        "set('input', ''); set('[name=verdict]', 'SEMANTIC'); return [...names(), rows().length, cards()]",
        ["spiral", "semantic", 4, 4],
    ),
    "what differs is one choice": (
        "set('[name=verdict]', 'differs');"
        "return [names().length, rows().every((row) => 'differs' in row.dataset), cards()]",
        [8, True, 10],
    ),
    "a stage filters more": (
        "set('[name=stage]', 'curve'); return [...names(), rows().length, cards()]",
        ["spiral", 1, 1],
    ),
    "what could not run is a verdict": (
        "set('[name=stage]', ''); set('[name=verdict]', 'MISSING'); return [...names(), says()]",
        ["resnet", "1 of 11 pairs, 0 comparisons"],
    ),
    "no filter shows everything": (
        "set('[name=verdict]', '');"
        "return [names().length, says(), rows().length === document.querySelectorAll('tr[data-stage]').length]",
        [11, "", True],
    ),
    "all unfold": ("all('button[value=unfold]')[0].click(); return all('.pairs details:not([open])').length", 0),
    "on paper what differs is unfolded, and folds again": (
        "all('button[value=fold]')[0].click(); dispatchEvent(new Event('beforeprint'));"
        "const open = all('.pairs > tbody > tr > td > details[open]').length;"
        "dispatchEvent(new Event('afterprint')); return [open, all('.pairs details[open]').length]",
        [8, 0],
    ),
    "every control has a name": (
        "return all('.tools input, .tools select').filter((c) => !c.labels.length).length"
        " + all('button, summary').filter((b) => !b.textContent.trim()).length",
        0,
    ),
    "the keyboard reaches what scrolls": (
        "return all('.scroll').filter((box) => box.scrollWidth > box.clientWidth && box.tabIndex < 0).length",
        0,
    ),
    "nothing is wider than the page": (
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        0,
    ),
    "no rule is told twice": (
        "const told = [...document.styleSheets[0].cssRules].flatMap((rule) => [...(rule.media ? rule.cssRules : [])])"
        ".map((rule) => rule.cssText); const own = [...document.styleSheets[0].cssRules].map((rule) => rule.cssText);"
        "return told.filter((text) => own.includes(text))",
        [],
    ),
    "as wide as a sheet of A4, a screen's table scrolls": (f"onto({SHEET}); return cut().length > 0", True),
    "on that sheet none is cut": ("onPaper(); return cut()", []),
    "nothing can be pressed there": (
        "const mark = (summary) => getComputedStyle(summary, '::before');"
        "return [all('.tools').filter((box) => box.offsetParent).length,"
        " all('summary').map(mark).filter((m) => m.visibility !== 'hidden' && m.display !== 'none').length]",
        [0, 0],
    ),
    "its ink is dark and its paper bare, whatever the screen's colours": (
        "document.documentElement.style.colorScheme = 'dark';"
        "return ['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])",
        ["rgb(31, 35, 40)", "rgba(0, 0, 0, 0)"],
    ),
}


def dumped(markup, folder):
    """The page's document after its scripts ran in a browser."""
    (folder / "page.html").write_text(markup)
    command = [CHROMIUM, *FLAGS.split(), "--window-size=400,900", f"--user-data-dir={folder / 'profile'}"]
    run = subprocess.run(
        [*command, f"file://{folder}/page.html"], capture_output=True, text=True, timeout=120, check=True
    )
    return run.stdout


def with_script(markup, driver):
    return markup.replace("</body>", f"<script>{driver}</script></body>")


def seen(markup, folder):
    """What each check sees, done one after another on one page."""
    steps = ",".join(f"() => {{ {done} }}" for done, _ in CHECKS.values())
    driver = (
        f"{PROLOG} const seen = [{steps}].map((step) => step());"
        'document.body.innerHTML = ""; document.body.append("SEEN" + JSON.stringify(seen) + "NEES");'
    )
    open_to_scripts = re.sub(r"<meta http-equiv[^>]*>", "", markup)
    return json.loads(re.search("SEEN(.*)NEES", dumped(with_script(open_to_scripts, driver), folder))[1])


def test_in_a_browser_the_page_does_what_its_controls_say(sample, tmp_path, record_property):
    if CHROMIUM is None:
        record_property(COUNTED, f"no Chromium: {len(CHECKS) + 1} checks of the page not run")
        assert len(re.findall(r"data-key=", html.page(sample("mixed")))) > 10 * 10
        return
    assert dict(zip(CHECKS, seen(html.page(sample("mixed")), tmp_path), strict=True)) == {
        name: wanted for name, (_, wanted) in CHECKS.items()
    }


def test_in_a_browser_a_hostile_name_is_text_and_no_other_script_runs(sample, tmp_path):
    document = markup = html.page(sample("hostile"))
    if CHROMIUM is not None:
        document = dumped(with_script(markup, INTRUDER), tmp_path)
        assert '<th scope="col"><button type="button">pair</button></th>' in document, "the page's own script ran"
        assert "data-intruder" not in document
    assert "<img" not in document
    assert "&lt;img src=x onerror=alert(1)&gt;" in document
