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

STYLE = """
.cnnstat { color-scheme: light dark; --line: #d0d7de; --dim: #59636e; --heat: 9, 105, 218;
  --head: #f6f8fa; --page: #ffffff; --ink: #1f2328; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
.cnnstat h1 { font-size: 1.4em; margin: 0 0 .2em; overflow-wrap: anywhere; }
.cnnstat h2 { font-size: 1.1em; margin: 1.4em 0 .3em; }
.cnnstat p { color: var(--dim); margin: 0 0 1em; }
.cnnstat .scroll { overflow-x: auto; max-width: 100%; border: 1px solid var(--line);
  border-radius: 6px; }
.cnnstat table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%;
  background: var(--page); }
.cnnstat th, .cnnstat td { padding: .3em .7em; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); color: var(--ink); background: var(--page); }
.cnnstat th.text, .cnnstat td.text { text-align: left; white-space: pre; }
.cnnstat td.long { white-space: normal; min-width: 24em; }
.cnnstat thead th { background: var(--head); vertical-align: bottom; }
.cnnstat th button { all: unset; cursor: pointer; font-weight: 600; }
.cnnstat th button:focus-visible { outline: 2px solid rgb(var(--heat)); }
.cnnstat th[aria-sort] button::after { content: " \\2195"; color: var(--dim); }
.cnnstat th[aria-sort=ascending] button::after { content: " \\2191"; color: inherit; }
.cnnstat th[aria-sort=descending] button::after { content: " \\2193"; color: inherit; }
.cnnstat tfoot td { font-weight: 600; border-bottom: 0; }
.cnnstat ul { list-style: none; margin: 0; padding: 0; }
.cnnstat li { white-space: pre-wrap; overflow-wrap: anywhere; }
.cnnstat li.aligned { font: .9em/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.cnnstat dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; margin: 0; }
.cnnstat dt { font-weight: 600; } .cnnstat dd { margin: 0; }
@media (prefers-color-scheme: dark) { .cnnstat { --line: #3d444d; --dim: #9198a1;
  --heat: 68, 147, 248; --head: #151b23; --page: #0d1117; --ink: #f0f6fc; } }
@media (max-width: 75em) { .cnnstat { font-size: 13px; }
  .cnnstat th, .cnnstat td { padding: .25em .45em; } }
@media (max-width: 40em) {
  .cnnstat td.long { min-width: 16em; }
  .cnnstat li.aligned { white-space: normal; padding-left: 1.2em; text-indent: -1.2em; } }
@media print { .cnnstat { --line: #999; --page: #fff; --ink: #000; --head: #eee; --dim: #333;
  font-size: 9px; } .cnnstat .scroll { overflow: visible; border: 0; }
  .cnnstat th, .cnnstat td, .cnnstat td.long { white-space: normal; min-width: 0;
    padding: .2em .4em; }
  .cnnstat thead { display: table-header-group; } .cnnstat tr { break-inside: avoid; }
  .cnnstat h2 { break-after: avoid; }
  .cnnstat th[aria-sort] button::after { content: none; } }
"""

CELL_STYLE = """
.cnnstat { font-size: 13px; } .cnnstat th, .cnnstat td { padding: .2em .5em; }
.cnnstat thead th { white-space: normal; }
"""
"""A notebook's cell, which is narrower than a page."""

PAGE_STYLE = """
html { color-scheme: light dark; background: #ffffff; }
@media (prefers-color-scheme: dark) { html { background: #0d1117; } }
@page { size: landscape; margin: 1cm; }
body { margin: 0; } main.cnnstat { box-sizing: border-box; min-height: 100vh; padding: 1.2em;
  background: var(--page); }
@media (min-width: 40em) { main.cnnstat .scroll td:first-child,
  main.cnnstat .scroll th:first-child { position: sticky; left: 0; z-index: 1; } }
"""

SCRIPT = """
for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.firstElementChild.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], down = head.getAttribute("aria-sort");
    const order = down === "descending" ? "ascending" : "descending";
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const value = row => row.cells[head.cellIndex].dataset.value;
    const text = head.classList.contains("text"), sign = order === "ascending" ? 1 : -1;
    const size = v => v.split("x").reduce((product, extent) => product * Number(extent), 1);
    const compare = (a, b) => text ? a.localeCompare(b, "en", {numeric: true}) : size(a) - size(b);
    const known = row => !["?", ""].includes(value(row));
    [...body.rows].sort((a, b) => known(b) - known(a)
      || (known(a) ? sign * compare(value(a), value(b)) : 0)).forEach(row => body.append(row));
  });
}
"""


TEXT = ' class="text"'
LONG = 48
"""Text of more characters than this may wrap."""


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
<style>{STYLE}{PAGE_STYLE}{style}</style>
</head>
<body>
<main class="cnnstat">
{body}
</main>
<script>{SCRIPT}{script}</script>
</body>
</html>
"""


def fragment(document: Document) -> str:
    """Return the document as one element with its own style and no script, as a notebook shows."""
    inner = content(document, sortable=False)
    return f'<div class="cnnstat"><style>{STYLE}{CELL_STYLE}</style>\n{inner}\n</div>'


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
    lines = _table(document, sortable=sortable, ids=ids)
    return "\n".join(['<div class="scroll">', *lines, "</div>"])


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


def _table(document: Document, *, sortable: bool, ids: Sequence[str]) -> list[str]:
    cells = grid(document, labelled=True)
    heads = "".join(
        _head(column, title, sortable=sortable)
        for column, title in zip(document.columns, cells.titles, strict=True)
    )
    lines = ["<table>", f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    rows = [
        _cells(document.columns, cells.titles, row, cells.rows[index], cells.levels[index])
        for index, row in enumerate(document.rows)
    ]
    if ids:
        rows = [f'<tr id="{name}">{row[4:]}' for row, name in zip(rows, ids, strict=True)]
    lines += rows
    lines.append("</tbody>")
    foot = []
    if document.rest is not None:
        foot.append(_cells(document.columns, cells.titles, document.rest, cells.rows[-1]))
    if document.total is not None and cells.total is not None:
        foot.append(_cells(document.columns, cells.titles, document.total, cells.total))
    if foot:
        lines += ["<tfoot>", *foot, "</tfoot>"]
    return [*lines, "</table>"]


def _head(column: Column, title: str, *, sortable: bool) -> str:
    kind = TEXT if column.kind == "text" else ""
    hint = f' title="{html_text(column.definition)}"' if column.definition else ""
    name = html_text(title) or "&nbsp;"
    if not sortable:
        return f'<th scope="col"{kind}{hint}>{name}</th>'
    button = f'<button type="button">{name}</button>'
    return f'<th scope="col" aria-sort="none"{kind}{hint}>{button}</th>'


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
