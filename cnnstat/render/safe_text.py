"""Text from files as a screen, a page or a spreadsheet can show it.

Names and messages can hold anything: escape sequences that write to a terminal's title, formulas
that a spreadsheet runs, characters that XML does not allow. Every renderer and every error message
passes its text through here.
"""

from __future__ import annotations

from dataclasses import replace

from cnnstat.render.document import Cell, Document

FORMULA = ("=", "+", "-", "@")
"""First characters of a cell that a spreadsheet takes for a formula."""


def shown(text: str) -> str:
    r"""Return text with everything that does not print as its code: ``\x1b``, ``\t``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_lines(text: str) -> str:
    """Return text of several lines, each as ``shown``."""
    return "\n".join(map(shown, text.split("\n")))


def html_text(text: str) -> str:
    """Return text as HTML or XML, for an element or a quoted attribute."""
    from html import escape  # it brings a long table

    return escape(shown_lines(text))


def spreadsheet_text(text: str) -> str:
    """Return a cell that a spreadsheet takes for text: a quote goes before a formula."""
    return f"'{text}" if text.startswith(FORMULA) and len(text) > 1 else text


def shown_document(document: Document) -> Document:
    """Return a document whose texts all can be shown; the payload is as it was."""
    return replace(
        document,
        title=shown(document.title),
        subtitle=shown(document.subtitle),
        columns=tuple(replace(column, title=shown(column.title)) for column in document.columns),
        rows=tuple(map(_row, document.rows)),
        rest=None if document.rest is None else _row(document.rest),
        total=None if document.total is None else _row(document.total),
        labels=tuple(map(shown, document.labels)),
        sections=tuple(
            replace(section, title=shown(section.title), lines=tuple(map(shown, section.lines)))
            for section in document.sections
        ),
    )


def _row(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return tuple(shown(cell) if isinstance(cell, str) else cell for cell in row)
