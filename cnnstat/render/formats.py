"""The output formats, one file each; a format turns a ``Document`` into text, nothing else.

Where the text goes is ``cli/output.py``'s business. A format's file is imported when it is
used: JSON needs no rich.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module

from cnnstat.errors import unknown
from cnnstat.render.document import Document, payload_of
from cnnstat.render.safe_text import shown_document

FORMATS: dict[str, str] = {
    "table": "table",
    "json": "as_json",
    "csv": "as_csv",
    "md": "as_markdown",
    "html": "as_html",
    "latex": "as_latex",
}
"""Every format by name and the file of this folder that writes it, the default first."""

SUFFIXES: dict[str, str] = {
    "": "table",
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".md": "md",
    ".html": "html",
    ".tex": "latex",
}
"""The format of each suffix of a file."""


@dataclass(frozen=True, slots=True)
class Look:
    """The capabilities of a destination. ``width`` is in characters; None means no limit."""

    width: int | None = None
    color: bool = False
    unicode: bool = True


PLAIN = Look()
"""A pipe or a file: no colour, every column, no wrapping."""


def check_format(name: str) -> str:
    """Return ``name`` if it is a format; raise ``UsageError`` with the nearest names if not."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return name


def table_alone(document: Document) -> Document:
    """Return a document without title and text; as JSON, its rows by the columns' keys."""
    keys = [column.key for column in document.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in document.rows]
    payload = {"schema": payload_of(document)["schema"], "rows": rows}
    return replace(document, title="", subtitle="", sections=(), payload=payload)


def render(document: Document, format: str, look: Look = PLAIN) -> str:
    """Return the document as text with a final newline. Raises ``UsageError`` for a bad format."""
    module = import_module(f"cnnstat.render.{FORMATS[check_format(format)]}")
    text = module.render(document if format == "json" else shown_document(document), look)
    if not isinstance(text, str):
        raise TypeError(f"the format {format} did not return text")
    return text if text.endswith("\n") else f"{text}\n"
