"""A pair's two programs in a notebook's two columns."""

import re
from html.parser import HTMLParser

import pytest

from parity.report.side_by_side import SideBySide, show


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "span":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "span":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(markup):
    """The text of well-formed markup."""
    parser = Tags()
    parser.feed(markup)
    assert not parser.open
    return "".join(parser.text)


def test_a_notebook_shows_both_programs_in_full_and_escaped():
    text = read(show("spiral", "probabilities", "score_gradient")._repr_html_())
    assert "torch.softmax(scores, dim=1)" in text
    assert "jax.nn.softmax(scores, axis=1)" in text
    assert "-> Float[Array" in text
    assert text.index("probabilities") < text.index("score_gradient")
    assert "def loss" not in text


def test_without_names_everything_of_the_pair_is_shown():
    text = read(show("spiral")._repr_html_())
    assert all(f"def {name}(" in text for name in ("scores", "loss", "train", "decision_values"))


def test_the_colours_stand_in_the_markup_since_code_hosts_drop_style_sheets():
    markup = show("spiral", "loss")._repr_html_()
    assert "<style" not in markup
    assert 'class="k"' not in markup
    assert re.search(r'<span style="color: #[0-9A-F]{6}">def</span>', markup)


def test_printed_it_is_the_terminals_text():
    assert str(show("spiral", "loss")) == repr(SideBySide("spiral", ("loss",)))
    assert "jax_impl:" in str(show("spiral", "loss"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("spirl",), "did you mean spiral or loops.spiral?"),
        (("spiral", "los"), "got 'los', wanted a name of the pair spiral; did you mean loss?"),
        (("spiral", "zzz"), "its names are Params, scores, probabilities"),
    ],
)
def test_an_unknown_name_is_refused_with_the_near_ones(asked, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        show(*asked)
