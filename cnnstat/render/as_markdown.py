"""Markdown: a heading, the table, and the text below it as lists."""

import re
from collections.abc import Iterable

from cnnstat.render.cells import Grid, grid
from cnnstat.render.document import Document
from cnnstat.render.formats import Look

ACTIVE = re.compile(r"[\\`*_\[\]|~]")
"""Characters with a meaning inside a line of Markdown: code, emphasis, links, cells."""


def render(document: Document, look: Look) -> str:
    """Return a pipe table with aligned columns; the total row in bold."""
    table = grid(document)
    blocks = [f"# {escape(document.title)}"] if document.title else []
    if document.subtitle:
        blocks.append(escape(document.subtitle))
    blocks.append("\n".join(_table(document, table)))
    for section in document.sections:
        if section.title:
            blocks.append(f"## {escape(section.title)}")
        blocks.append("\n".join(map(_item, section.lines)))
    return "\n\n".join(blocks) + "\n"


def _item(line: str) -> str:
    """Return a list item; where the line has aligned columns, the first of them in bold."""
    first, *rest = [escape(part.strip()) for part in line.split("  ") if part.strip()]
    return f"- **{first}** {': '.join(rest)}" if rest else f"- {first}"


def _table(document: Document, table: Grid) -> list[str]:
    rule = [":--" if column.kind == "text" else "--:" for column in document.columns]
    lines = [_line(map(escape, table.titles)), "|" + "|".join(rule) + "|"]
    lines += [_line(map(escape, row)) for row in table.rows]
    if table.total is not None:
        lines.append(_line(f"**{escape(cell)}**" if cell else "" for cell in table.total))
    return lines


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """Return text that Markdown shows unchanged, inside a table, too."""
    return ACTIVE.sub(r"\\\g<0>", text).replace("&", "&amp;").replace("<", "&lt;")
