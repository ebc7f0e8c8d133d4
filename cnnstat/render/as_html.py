"""HTML: one self-contained page, which loads nothing from outside.

A click on a heading sorts by the raw values in ``data-value``. ``fragment`` is the table alone,
without script, for a notebook. All text of a model is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.render.as_csv import raw
from cnnstat.render.cells import grid
from cnnstat.render.document import Cell, Column, Document
from cnnstat.render.formats import Look
from cnnstat.render.safe_text import html_text

TEXT = ' class="text"'
LONG = 48
"""Text of more characters than this may wrap."""


def asset(name: str) -> str:
    """Return a style sheet or a script of this folder, safe to embed in a page."""
    from importlib.resources import files

    return (files("cnnstat.render") / "assets" / name).read_text(encoding="utf-8")


def render(document: Document, look: Look) -> str:
    """Return the page, or the table alone for a document without a title."""
    if not document.title:
        return table(document, sortable=False)
    return page(document.title, content(document, sortable=True))


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """Return a page around HTML; ``style`` and ``script`` are added to those of documents."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html_text(title)}</title>
<style>{asset("document.css")}{asset("page.css")}{style}</style>
</head>
<body>
<main class="cnnstat">
{body}
</main>
<script>{asset("sort.js")}{script}</script>
</body>
</html>
"""


def fragment(document: Document) -> str:
    """Return the document as one element with its own style and no script, as a notebook shows."""
    inner = content(document, sortable=False)
    style = asset("document.css") + asset("notebook.css")
    return f'<div class="cnnstat"><style>{style}</style>\n{inner}\n</div>'


def content(document: Document, *, sortable: bool) -> str:
    """Return headings, table, text below and definitions of the columns."""
    parts = [f"<h1>{html_text(document.title)}</h1>"]
    if document.subtitle:
        parts.append(f"<p>{html_text(document.subtitle)}</p>")
    parts += [table(document, sortable=sortable), sections(document)]
    terms = definitions(document)
    if terms:
        parts.append(f"<h2>Columns</h2>\n{terms}")
    return "\n".join(part for part in parts if part)


def table(document: Document, *, sortable: bool, ids: Sequence[str] = ()) -> str:
    """Return the table alone, in a frame that scrolls if the table is too wide.

    ``ids`` are those of its rows.
    """
    cells = grid(document, labelled=True)
    heads = "".join(
        _head(column, title, sortable=sortable)
        for column, title in zip(document.columns, cells.titles, strict=True)
    )
    lines = ['<div class="scroll">', "<table>", f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    rows = [
        _cells(document.columns, cells.titles, row, cells.rows[index], cells.levels[index])
        for index, row in enumerate(document.rows)
    ]
    if ids:
        rows = [f'<tr id="{name}">{row[4:]}' for row, name in zip(rows, ids, strict=True)]
    lines += [*rows, "</tbody>"]
    foot = []
    if document.rest is not None:
        foot.append(_cells(document.columns, cells.titles, document.rest, cells.rows[-1]))
    if document.total is not None and cells.total is not None:
        foot.append(_cells(document.columns, cells.titles, document.total, cells.total))
    if foot:
        lines += ["<tfoot>", *foot, "</tfoot>"]
    return "\n".join([*lines, "</table>", "</div>"])


def sections(document: Document, *, level: int = 2) -> str:
    """Return the text below the table, each part under a heading of this level."""
    parts = []
    for section in document.sections:
        items = "\n".join(map(_item, section.lines))
        title = f"<h{level}>{html_text(section.title)}</h{level}>\n" if section.title else ""
        parts.append(f"{title}<ul>\n{items}\n</ul>")
    return "\n".join(parts)


def definitions(document: Document) -> str:
    """Return the definitions of the columns as one list; empty if there are none."""
    terms = "\n".join(
        f"<dt>{html_text(column.title or 'mark')}</dt><dd>{html_text(column.definition)}</dd>"
        for column in document.columns
        if column.definition
    )
    return f"<dl>\n{terms}\n</dl>" if terms else ""


def _item(line: str) -> str:
    """Return one line of text, in a monospaced font if spaces align it."""
    aligned = ' class="aligned"' if "  " in line else ""
    return f"<li{aligned}>{html_text(line)}</li>"


def _head(column: Column, title: str, *, sortable: bool) -> str:
    kind = TEXT if column.kind == "text" else ""
    hint = f' title="{html_text(column.definition)}"' if column.definition else ""
    name, sort = html_text(title) or "&nbsp;", ""
    if sortable:
        name, sort = f'<button type="button">{name}</button>', ' aria-sort="none"'
    return f'<th scope="col"{sort}{kind}{hint}>{name}</th>'


def _cells(
    columns: tuple[Column, ...],
    titles: tuple[str, ...],
    values: tuple[Cell, ...],
    texts: tuple[str, ...],
    levels: tuple[int, ...] = (),
) -> str:
    """Return one row: each cell with its text, its raw value, and a tint for heat."""
    row = []
    for index, (column, value, text) in enumerate(zip(columns, values, texts, strict=True)):
        names: list[str] = [column.kind] if column.kind in ("text", "shape") else []
        names += ["long"] if names == ["text"] and len(text) > LONG else []
        kind = f' class="{" ".join(names)}"' if names else ""
        level = levels[index] if levels else 0
        tint = f' style="background: rgba(var(--heat), {level * 0.06:.2f})"' if level else ""
        head = f' data-head="{html_text(titles[index])}"' if titles[index] else ""
        row.append(
            f'<td data-value="{html_text(raw(value))}"{head}{kind}{tint}>{html_text(text)}</td>'
        )
    return f"<tr>{''.join(row)}</tr>"
