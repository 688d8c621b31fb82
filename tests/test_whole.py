"""What a plain run takes of a table of cases, what --whole takes, and what the summary says of it."""

import pytest
from whole import QUICK

TABLE = """
    import pytest

    @pytest.mark.part(3)
    @pytest.mark.parametrize("case", range(9))
    @pytest.mark.parametrize("side", ["torch", "jax"])
    def test_a_table(side, case): pass

    @pytest.mark.part(0)
    def test_of_the_whole_alone(): pass

    def test_that_no_run_leaves_out(): pass
"""


@pytest.fixture
def ran(pytester, monkeypatch):
    """Runs the table in a folder of its own: what passed, and what was printed."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=")
    pytester.makeconftest("""
        from proof.summary import write as pytest_terminal_summary
        from whole import pytest_addoption, pytest_collection_modifyitems, pytest_configure, whole
    """)
    pytester.makepyfile(test_table=TABLE)

    def run(*options):
        result = pytester.runpytest("-v", *options)
        assert result.ret == 0, result.outlines
        return [line.split("::")[1].split()[0] for line in result.outlines if " PASSED" in line], result

    return run


def test_a_plain_run_spreads_its_part_over_the_table_on_each_side_and_says_what_part(ran):
    names, result = ran()
    table = [f"test_a_table[{side}-{case}]" for side in ("torch", "jax") for case in (0, 4, 8)]
    assert names == [*table, "test_that_no_run_leaves_out"]
    result.stdout.fnmatch_lines(["part: 7 of 20 tests; --whole runs all (table 7 of 20)"])


def test_the_whole_is_all_and_has_nothing_to_say(ran):
    names, result = ran("--whole")
    assert len(names) == 20
    result.stdout.no_fnmatch_line("part: *")


def test_a_plain_run_compiles_quickly_and_the_whole_as_users_do(ran, monkeypatch):
    import os

    ran("--whole")
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to="
    ran()
    assert os.environ["XLA_FLAGS"] == f"{QUICK} --xla_dump_to="
