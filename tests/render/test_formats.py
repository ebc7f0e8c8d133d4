"""Each format renders each column, each kind of cell and everything below the table."""

import csv
import io
import json

import pytest

from cnnstat.errors import UsageError
from cnnstat.render.columns import LAYER_COLUMNS
from cnnstat.render.document import NEVER_DROPPED, Column, Document, Section
from cnnstat.render.formats import FORMATS, Look, render

ROWS = (
    ("first", 1, 10**9, (3, 4), 0.5, None),
    ("second|_<b>", 2, 2 * 10**9, (5,), 0.25, 7),
)
DOCUMENT = Document(
    title="a title",
    subtitle="a subtitle",
    columns=(
        Column("name", "Name", keep=NEVER_DROPPED),
        Column("count", "Count", "count", 8, heat=True),
        Column("bytes", "Memory", "bytes", 6, heat=True),
        Column("shape", "Shape", "shape", 7),
        Column("share", "Share", "percent", 1),
        Column("work", "Work", "count", 8),
    ),
    rows=ROWS,
    rest=("(3 more)", 4, 10**9, "", 0.25, 1),
    total=("total", 7, 4 * 10**9, "", 1.0, 8),
    lower_bound=True,
    sections=(Section("Below", ("one line", "name  value  words")),),
    payload={"schema": "cnnstat.test/1", "rows": 2},
)
READ_BY_PEOPLE = ["table", "md"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_ends_its_last_line_once(format: str) -> None:
    text = render(DOCUMENT, format)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("format", READ_BY_PEOPLE)
def test_people_see_every_column_row_and_section(format: str) -> None:
    text = render(DOCUMENT, format)
    for word in ("a title", "a subtitle", "Name", "Count", "Memory MB", "Shape", "Share", "Work"):
        assert all(part in text for part in word.split())
    for word in ("first", "(3 more)", "2,000.000", "3x4", "25.0%", "?", ">= 8", "Below"):
        assert word in text
    assert ">= 7" not in text  # no cell of that column is unknown
    assert "one line" in text


def test_csv_holds_raw_values() -> None:
    header, *rows = list(csv.reader(io.StringIO(render(DOCUMENT, "csv"))))
    assert header == ["name", "count", "bytes", "shape", "share", "work"]
    assert rows == [
        ["first", "1", "1000000000", "3x4", "0.5", ""],
        ["second|_<b>", "2", "2000000000", "5", "0.25", "7"],
        ["(3 more)", "4", "1000000000", "", "0.25", "1"],
    ]


def test_json_is_the_payload() -> None:
    assert json.loads(render(DOCUMENT, "json")) == DOCUMENT.payload


def test_markdown_escapes_what_would_be_markup() -> None:
    row = next(line for line in render(DOCUMENT, "md").splitlines() if "second" in line)
    assert row.startswith("| second\\|\\_&lt;b> |")
    assert row.replace("\\|", "").count("|") == len(DOCUMENT.columns) + 1


def test_the_rest_sets_no_scale_for_the_bars() -> None:
    lines = render(DOCUMENT, "table").splitlines()
    assert "2 █" in next(line for line in lines if line.startswith("second"))
    assert "█" not in next(line for line in lines if line.startswith("(3 more)"))


@pytest.mark.parametrize("width", range(20, 80, 3))
def test_columns_leave_by_importance_and_are_named(width: int) -> None:
    text = render(DOCUMENT, "table", Look(width=width))
    head, _, hidden = text.partition("Not shown:")
    titles = {"Share": 1, "Memory": 6, "Shape": 7, "Count": 8, "Work": 8}
    importance = [keep for title, keep in titles.items() if title in head]
    gone = [keep for title, keep in titles.items() if title not in head]
    assert not importance or not gone or max(gone) <= min(importance)
    for title in titles:
        assert (title in head) != (title in hidden.split("A wider")[0])
    if gone != list(titles.values()):
        assert max(map(len, text.splitlines())) <= width


def test_without_unicode_there_is_only_ascii() -> None:
    text = render(DOCUMENT, "table", Look(width=30, unicode=False))
    assert text.isascii()
    assert "@" in render(DOCUMENT, "table", Look(unicode=False))


def test_colour_changes_nothing_but_colour() -> None:
    import re

    plain = render(DOCUMENT, "table", Look(width=60))
    colored = render(DOCUMENT, "table", Look(width=60, color=True))
    assert "\x1b[1;31m" in colored
    bare = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="did you mean json"):
        render(DOCUMENT, "jsom")


def test_every_layer_column_is_defined_once() -> None:
    keys = [entry.key for entry in LAYER_COLUMNS]
    assert len(keys) == len(set(keys))
    assert all(entry.column.definition for entry in LAYER_COLUMNS)
