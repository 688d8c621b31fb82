"""The README's list of causes is the catalogue's."""

from pathlib import Path

from parity.checking.causes.known import known

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- causes -->", "<!-- /causes -->"


def listed() -> str:
    """The list as the README has it: a line a place."""
    return "\n".join(f"- **{place}**: {'; '.join(causes)}" for place, causes in known().items())


def test_the_readme_lists_every_cause_of_the_catalogue():
    text = README.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == listed()


def test_the_list_is_no_longer_true_once_an_entry_is_added(monkeypatch):
    from parity.checking.causes import known as module

    def entry() -> None:
        """Another cause."""

    before = listed()
    monkeypatch.setattr(module, "CATALOGUE", (*module.CATALOGUE, entry))
    assert "Another cause" in listed() != before
