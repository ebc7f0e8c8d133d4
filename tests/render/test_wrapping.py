"""Prose within a width: every word kept, in order, under its own column."""

from hypothesis import given
from hypothesis import strategies as st

from cnnstat.render.wrapping import wrapped

WORDS = st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=30)


@given(WORDS, st.integers(20, 100))
def test_no_word_is_lost_and_no_line_too_long(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), width)
    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= width


def test_a_continuation_stands_under_the_last_column() -> None:
    line = "  MACs  12,345  multiply-accumulates of convolutions and fully connected layers"
    assert wrapped(line, 50) == [
        "  MACs  12,345  multiply-accumulates of",
        "                convolutions and fully connected",
        "                layers",
    ]


def test_without_a_width_nothing_is_wrapped() -> None:
    assert wrapped("a " * 500, None) == ["a " * 500]
