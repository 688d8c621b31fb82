"""The README tells the truth: its pairs, its counts, its commands and its first check are those of the project."""

import ast
import re
from pathlib import Path

from typer.main import get_command

from parity.cases import CONCEPTS, cases_of
from parity.cli import app
from parity.numerics import Verdict

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def title(concept):
    module = ROOT / "torch_impl" / f"{concept}.py"
    file = module if module.is_file() else ROOT / "torch_impl" / concept / "__init__.py"
    return ast.get_docstring(ast.parse(file.read_text())).splitlines()[0]


def test_the_table_of_pairs_has_every_pair_with_its_title():
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.M) == [(c, title(c)) for c in CONCEPTS]


def test_the_table_that_one_sees_counts_the_cases_there_are():
    rows = dict(re.findall(r"^(\w+) +(\d+) (?:CONVENTION|✓)", README, re.M))
    assert rows == {concept: str(len(cases_of(concept))) for concept in CONCEPTS}
    total = sum(len(cases_of(concept)) for concept in CONCEPTS)
    assert f"{len(CONCEPTS)} pairs, {total} cases" in README


def test_every_verdict_is_explained():
    assert set(re.findall(r"^\| ([A-Z]+) \|", README, re.M)) == set(Verdict)


def test_the_first_check_runs_and_says_what_the_readme_says():
    first, second, *_ = re.findall(r"```python\n(.*?)```", README, re.S)
    said: list[str] = []
    names = {"print": lambda report: said.append(str(report))}
    exec(first, names)
    exec(second, names)
    shown = re.search(r"```text\n(SEMANTIC.*?)```", README, re.S)[1]
    # Words and digits; a terminal of another width breaks the lines elsewhere.
    assert shown.split()[:20] == said[0][said[0].index("SEMANTIC  check") :].split()[:20]


def test_the_commands_it_names_exist():
    commands = get_command(app).commands
    for command, option in re.findall(r"parity (\w+)(?: \w+)?(?: (--\w+))?", README):
        if command in commands:
            assert not option or option in {o for p in commands[command].params for o in p.opts}
    assert {"run", "show", "doctor"} <= set(re.findall(r"bin/parity (\w+)", README))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make (\w+)", README, re.M)) <= targets
