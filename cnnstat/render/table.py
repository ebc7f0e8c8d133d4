"""The table for people: as wide as the terminal, large cells marked, totals in words below.

In a narrow terminal the least important columns are dropped first and words are cropped last; a
line names the hidden columns. Without a width (a pipe, a file) everything is shown.
"""

from __future__ import annotations

from io import StringIO

from rich.box import Box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnnstat.render.cells import ASCII_MARKS, MARKS, Grid, grid
from cnnstat.render.document import NEVER_DROPPED, Column, Document
from cnnstat.render.formats import Look
from cnnstat.render.wrapping import wrapped

GAP = 2
FULL_TEXT, LEAST_TEXT = 24, 14
"""Least widths of words: before columns of figures are dropped, and after."""
LATE = 6
"""Columns below this ``keep`` are dropped before words are cropped to the least width."""
ENDLESS = 1_000_000

_RULED = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
_RULED_ASCII = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


def render(document: Document, look: Look) -> str:
    """Return title, table, hidden columns and sections as lines of at most ``look.width``."""
    cells = grid(document)
    shown = _shown(document, cells, look.width)
    out = StringIO()
    console = Console(
        file=out,
        width=ENDLESS,
        force_terminal=look.color,
        color_system="standard" if look.color else None,
        no_color=not look.color,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    _paragraph(console, document.title, look, style="bold")
    if document.subtitle:
        _paragraph(console, document.subtitle, look, style="dim")
    console.print()
    console.print(_table(document, cells, shown, look))
    hidden = [c.title for i, c in enumerate(document.columns) if i not in shown]
    if hidden:
        _paragraph(
            console,
            f"Not shown at {look.width} columns: {', '.join(hidden)}. "
            "A wider window, a pipe into less or --format csv shows them.",
            look,
            style="dim",
        )
    for section in document.sections:
        console.print()
        _paragraph(console, section.title, look, style="bold")
        for line in section.lines:
            _paragraph(console, f"  {line}", look)
    text = out.getvalue()
    return text if look.color else "\n".join(line.rstrip() for line in text.split("\n"))


def _paragraph(console: Console, text: str, look: Look, *, style: str = "") -> None:
    for line in wrapped(text, look.width):
        console.print(Text(line, style=style, no_wrap=True), soft_wrap=True)


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
    spare = width - _needed(shown)
    for index, small in shown.items():
        grown = min(widths[index] - small, max(spare, 0))
        shown[index] = small + grown
        spare -= grown
    return shown


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
    """Return the longest word of a wrapped column, its least width; 0 for other columns."""
    if not document.columns[index].wrap:
        return 0
    return max((cell_len(word) for row in cells.rows for word in row[index].split()), default=0)


def _table(document: Document, cells: Grid, shown: dict[int, int], look: Look) -> Table:
    table = Table(
        box=_RULED if look.unicode else _RULED_ASCII,
        show_edge=False,
        show_footer=cells.total is not None,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        header_style="bold",
        footer_style="bold",
    )
    for index, width in shown.items():
        column = document.columns[index]
        inner = width - 2 * column.heat
        total = cells.total[index] if cells.total else ""
        title = _words(cells.titles[index], inner)
        table.add_column(
            Text("\n".join(_placed(line, inner, column, look) for line in title)),
            footer=Text(_placed(total, inner, column, look)),
            vertical="top" if any(c.wrap for c in document.columns) else "bottom",
            width=width,
            overflow="crop",
        )
    above: tuple[str, ...] = ()
    for row, levels in zip(cells.rows, cells.levels, strict=True):
        texts = []
        for i, width in shown.items():
            column = document.columns[i]
            repeats = column.group and above != () and above[i] == row[i]
            texts.append(_cell("" if repeats else row[i], levels[i], column, width, look))
        table.add_row(*texts)
        above = row
    return table


def _words(title: str, width: int) -> list[str]:
    """Return a column's title as lines of at most ``width``; words are not broken."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if cell_len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cell(text: str, level: int, column: Column, width: int, look: Look) -> Text:
    style = "bold red" if level > 4 else "bold" if level > 2 else "dim" if text == "0" else ""
    if column.wrap and cell_len(text) > width:
        lines = wrapped(text, width, indent=0)
        return Text("\n".join(_placed(line, width, column, look) for line in lines), style=style)
    placed = _placed(text, width - 2 * column.heat, column, look)
    marks = MARKS if look.unicode else ASCII_MARKS
    return Text(f"{placed} {marks[level - 1]}" if level else placed, style=style)


def _placed(text: str, width: int, column: Column, look: Look) -> str:
    """Return a cell at its width: words left-aligned and cropped, figures right-aligned."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + ("…" if look.unicode else "~")
    space = " " * (width - cell_len(text))
    return text + space if column.kind == "text" else space + text
