"""The table for people: as wide as the terminal, large cells marked, totals in words below.

In a narrow terminal the least important columns are dropped first and words are cropped last; a
line names the hidden columns. Without a width (a pipe, a file) everything is shown.
Cells are brought to their column's width here, so that lines are joined and not laid out once more:
a table of hundreds of rows takes milliseconds. Rich measures cells and colours them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from cnnstat.render.cells import ASCII_MARKS, MARKS, Grid, grid
from cnnstat.render.document import NEVER_DROPPED, Column, Document, Section, with_columns
from cnnstat.render.formats import Look
from cnnstat.render.width import cell_len, shortened, wrapped

GAP = 2
FULL_TEXT, LEAST_TEXT = 24, 14
"""Least widths of words: before columns of figures are dropped, and after."""
LONGEST_WORD = 16
"""A column whose texts are wrapped is at least as wide as its longest word, up to this."""
LATE = 6
"""Columns below this ``keep`` are dropped before words are cropped to the least width."""


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: str = ""


Line = list[Span]


class Block(NamedTuple):
    """The lines of one cell, each as wide as its column."""

    lines: list[str]
    style: str = ""


def render(document: Document, look: Look) -> str:
    """Return title, table, hidden columns and sections as lines of at most ``look.width``."""
    lines = _lines(document, look)
    if look.color:
        return "\n".join(_colored(lines)) + "\n"
    return "\n".join("".join([span.text for span in line]).rstrip() for line in lines) + "\n"


def fitting(document: Document, width: int) -> Document:
    """Return the columns that fit so many characters; a line names the others (``to_csv``)."""
    shown = _shown(document, grid(document, labelled=True), width)
    hidden = _hidden(document, shown, "to_csv()")
    line = (Section("", (hidden,)),) if hidden else ()
    narrow = with_columns(document, sorted(shown))
    return replace(narrow, sections=(*line, *document.sections))


def _hidden(document: Document, shown: dict[int, int], whole: str) -> str:
    titles = [column.title for n, column in enumerate(document.columns) if n not in shown]
    return f"Not shown: {', '.join(titles)} ({whole} has all)" if titles else ""


def _colored(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the lines with the terminal's codes for their styles."""
    from rich.color import ColorSystem
    from rich.style import Style

    for line in lines:
        yield "".join(
            Style.parse(style).render(text, color_system=ColorSystem.STANDARD) if style else text
            for text, style in line
        )


def _lines(document: Document, look: Look) -> Iterator[Line]:
    cells = grid(document, labelled=True)
    shown = _shown(document, cells, look.width)
    cells = _shortened(document, cells, shown, look)
    yield from _heading(document, look)
    yield from _table(document, cells, shown, look)
    hidden = _hidden(document, shown, "--format csv")
    if hidden and document.title:
        yield from _paragraph(hidden, look, "dim")
    for section in document.sections:
        if section.title:
            yield []
            yield from _paragraph(section.title, look, "bold")
        for line in section.lines:
            yield from _paragraph(f"  {line}" if section.title else line, look)


def _shortened(document: Document, cells: Grid, shown: dict[int, int], look: Look) -> Grid:
    """Return the cells with distinct texts shortened to the width of their column."""
    rows = [list(row) for row in cells.rows]
    for index, width in shown.items():
        if document.columns[index].distinct:
            texts = shortened([row[index] for row in rows], width, "…" if look.unicode else "~")
            for row, text in zip(rows, texts, strict=True):
                row[index] = text
    return replace(cells, rows=tuple(map(tuple, rows)))


def _heading(document: Document, look: Look) -> Iterator[Line]:
    """Yield title and subtitle, in one line where that fits."""
    title, subtitle = document.title, document.subtitle
    if title and subtitle and cell_len(f"{title}  {subtitle}") <= (look.width or 0):
        yield [Span(title, "bold"), Span("  "), Span(subtitle, "dim")]
        return
    for text, style in ((title, "bold"), (subtitle, "dim")):
        if text:
            yield from _paragraph(text, look, style)


def _paragraph(text: str, look: Look, style: str = "") -> Iterator[Line]:
    for line in wrapped(text, look.width):
        yield [Span(line, style)]


def _shown(document: Document, cells: Grid, width: int | None) -> dict[int, int]:
    """Return the columns that fit, each with its width; the least important are dropped first."""
    widths = {index: _natural(document, cells, index) for index in range(len(document.columns))}
    if width is None:
        return widths
    shown = widths
    for words, limit in ((FULL_TEXT, LATE), (LEAST_TEXT, NEVER_DROPPED)):
        shown = {
            index: min(widths[index], max(words, _longest_word(document, cells, index)))
            if document.columns[index].kind == "text" or document.columns[index].wrap
            else size
            for index, size in shown.items()
        }
        _drop(document, shown, width, limit)
    for _ in range(width - _needed(shown)):  # the narrowest of the cropped columns grows first
        cropped = [index for index in shown if shown[index] < widths[index]]
        if cropped:
            shown[min(cropped, key=lambda index: shown[index])] += 1
    wider = {  # with every title on one line
        index: max(size, cell_len(cells.titles[index]) + 2 * document.columns[index].heat)
        for index, size in shown.items()
    }
    return wider if _needed(wider) <= width else shown


def _drop(document: Document, shown: dict[int, int], width: int, limit: int) -> None:
    """Drop columns with ``keep`` below ``limit`` until it fits, rightmost of equals first."""
    while _needed(shown) > width:
        droppable = [index for index in shown if document.columns[index].keep < limit]
        if not droppable:
            return
        least = min(droppable, key=lambda index: (document.columns[index].keep, -index))
        pair = document.columns[least].pair
        for index in [i for i in shown if pair and document.columns[i].pair == pair] or [least]:
            del shown[index]


def _needed(shown: dict[int, int]) -> int:
    return sum(shown.values()) + GAP * (len(shown) - 1)


def _natural(document: Document, cells: Grid, index: int) -> int:
    """Return the widest cell or title word; a title may take several lines."""
    texts = [row[index] for row in cells.rows]
    if cells.total:
        texts.append(cells.total[index])
    mark = 2 if document.columns[index].heat else 0
    texts += cells.titles[index].split()
    return max(map(cell_len, texts), default=0) + mark


def _longest_word(document: Document, cells: Grid, index: int) -> int:
    """Return the longest word of a wrapped column, 0 for other columns; longer ones are broken."""
    if not document.columns[index].wrap:
        return 0
    longest = max((cell_len(word) for row in cells.rows for word in row[index].split()), default=0)
    return min(longest, LONGEST_WORD)


def _table(document: Document, cells: Grid, shown: dict[int, int], look: Look) -> Iterator[Line]:
    """Yield the titles, a rule, the rows and, after another rule, the totals."""
    columns = document.columns
    inner = {index: width - 2 * columns[index].heat for index, width in shown.items()}
    titles = [
        [
            _placed(words, inner[i], columns[i], look)
            for words in wrapped(cells.titles[i], inner[i], indent=0)
        ]
        for i in shown
    ]
    rule = ("─" if look.unicode else "-") * _needed(shown)
    widths = list(shown.values())
    at_top = any(column.wrap for column in columns)
    yield from _joined([Block(lines, "bold") for lines in titles], widths, at_top=False)
    yield [Span(rule)]
    above: tuple[str, ...] = ()
    for row, levels in zip(cells.rows, cells.levels, strict=True):
        blocks = []
        for i, width in shown.items():
            repeats = columns[i].group and above != () and above[i] == row[i]
            blocks.append(_cell("" if repeats else row[i], levels[i], columns[i], width, look))
        yield from _joined(blocks, widths, at_top=at_top)
        above = row
    if cells.total is not None:
        yield [Span(rule)]
        totals = [_placed(cells.total[i], inner[i], columns[i], look) for i in shown]
        yield from _joined([Block([text], "bold") for text in totals], widths, at_top=True)


def _joined(blocks: list[Block], widths: list[int], *, at_top: bool) -> Iterator[Line]:
    """Yield the cells of one row side by side; the shorter ones at its top or its bottom."""
    height = max(len(block.lines) for block in blocks)
    columns = []
    for (lines, style), width in zip(blocks, widths, strict=True):
        empty = [""] * (height - len(lines))
        padded = [*lines, *empty] if at_top else [*empty, *lines]
        columns.append([Span(text + " " * (width - cell_len(text)), style) for text in padded])
    gap = Span(" " * GAP)
    for spans in zip(*columns, strict=True):
        line = [spans[0]]
        for span in spans[1:]:
            line += (gap, span)
        yield line


def _cell(text: str, level: int, column: Column, width: int, look: Look) -> Block:
    style = "bold red" if level > 4 else "bold" if level > 2 else "dim" if text == "0" else ""
    if column.wrap and cell_len(text) > width:
        lines = wrapped(text, width, indent=0, in_cell=True)
        return Block([_placed(line, width, column, look) for line in lines], style)
    placed = _placed(text, width - 2 * column.heat, column, look)
    marks = MARKS if look.unicode else ASCII_MARKS
    return Block([f"{placed} {marks[level - 1]}" if level else placed], style)


def _placed(text: str, width: int, column: Column, look: Look) -> str:
    """Return a cell at its width: words left-aligned and cropped, figures right-aligned."""
    if cell_len(text) > width:
        from rich.cells import set_cell_size

        text = set_cell_size(text, width - 1).rstrip() + ("…" if look.unicode else "~")
    space = " " * (width - cell_len(text))
    return text + space if column.kind == "text" else space + text
