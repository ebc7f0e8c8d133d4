"""Text within a width: names of which no two read alike, prose with every word in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstat.render.width import shortened, wrapped

PATHS = st.lists(
    st.lists(st.sampled_from(["encoder", "enc", "block", "0", "1", "12", "conv", "q"]), max_size=6)
    .filter(bool)
    .map("/".join),
    unique=True,
    max_size=30,
)


def test_a_name_that_fits_stays() -> None:
    assert shortened(["conv1", "pool"], 5) == ["conv1", "pool"]


def test_a_common_folder_is_left_out_first() -> None:
    names = ["segformer/encoder/block0/query", "segformer/encoder/block1/query"]
    assert shortened(names, 16) == ["…/block0/query", "…/block1/query"]


def test_folders_are_cut_to_what_tells_them_from_their_siblings() -> None:
    names = ["encoder/block/0/attention/query", "decoder/block/1/attention/query", "decoder/query"]
    assert shortened(names, 22) == [
        "e/b/0/attention/query",
        "d/b/1/attention/query",
        "decoder/query",
    ]


def test_numbers_of_blocks_stay_whole() -> None:
    names = [f"features/denseblock{n}/layer" for n in range(1, 13)]
    assert len(set(shortened(names, 21))) == len(names)


def test_names_that_fit_nowhere_are_numbered() -> None:
    names = [f"a{'x' * 40}{n}{'y' * 40}" for n in range(12)]
    short = shortened(names, 10)
    assert len(set(short)) == 12
    assert max(map(len, short)) <= 10


@given(names=PATHS, width=st.integers(8, 40))
def test_no_two_names_read_alike(names: list[str], width: int) -> None:
    short = shortened(names, width)
    assert len(set(short)) == len(names)
    assert all(len(text) <= max(width, 0) for text in short)


@pytest.mark.parametrize("width", [0, 1, 2, 3])
def test_a_column_of_hardly_any_width_is_no_error(width: int) -> None:
    assert len(shortened(["encoder/one", "encoder/two"], width)) == 2


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
