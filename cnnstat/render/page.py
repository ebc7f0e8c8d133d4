"""A page of chapters: documents, pictures and text behind a table of contents, one HTML file.

The page loads nothing from outside. Pictures are SVG elements in the page; their ids are renamed,
because all pictures share the page's ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnstat.render.as_html import definitions, page, sections, table
from cnnstat.render.document import Document
from cnnstat.render.safe_text import html_text


def _cards(tables: str, least: str) -> str:
    """Return the style of tables whose rows are cards, with columns at least so wide."""
    return f"""
{tables} .scroll {{ border: 0; overflow: visible; }}
{tables} table, {tables} thead, {tables} tbody, {tables} tfoot {{ display: block; }}
{tables} tr {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({least}, 1fr));
  gap: 0 1em; border: 1px solid var(--line); border-radius: 6px; margin: 0 0 .6em;
  padding: .3em .6em; }}
{tables} tr[hidden] {{ display: none; }}
{tables} td, main{tables} .scroll td:first-child {{ display: block; border: 0; text-align: left;
  padding: .1em 0; position: static; max-width: none; min-width: 0; white-space: normal;
  overflow-wrap: anywhere; }}
{tables} td.long {{ grid-column: 1 / -1; }}
{tables} td[data-value=""] {{ display: none; }}
{tables} td[data-head]::before {{ content: attr(data-head) ": "; color: var(--dim);
  font-weight: 400; }}
"""


STYLE = (
    """
main.cnnstat { max-width: 104em; margin: 0 auto; }
main.cnnstat p, main.cnnstat li:not(.aligned), main.cnnstat figcaption { max-width: 80em; }
.cnnstat h2 { font-size: 1.35em; margin: 2.2em 0 .2em; padding-top: .5em;
  border-top: 2px solid var(--line); overflow-wrap: anywhere; }
.cnnstat h3 { font-size: 1.12em; margin: 1.6em 0 .4em; }
.cnnstat h4 { font-size: 1em; margin: 1em 0 .2em; }
.cnnstat a { color: rgb(var(--heat)); text-decoration: none; }
.cnnstat a:hover { text-decoration: underline; }
.cnnstat nav ul { margin: 0 0 .4em; } .cnnstat nav li { white-space: normal; margin: .2em 0; }
.cnnstat nav li li { display: inline-block; margin: 0 .9em 0 0; }
.cnnstat .words td:last-child { white-space: normal; min-width: 0; overflow-wrap: anywhere; }
.cnnstat summary { cursor: pointer; color: var(--dim); margin: .5em 0; }
.cnnstat pre { margin: 0; padding: .6em; font: .85em/1.4 ui-monospace, "DejaVu Sans Mono", Menlo,
  monospace; }
.cnnstat figure { margin: 0 0 1.2em; }
.cnnstat figcaption { color: var(--dim); margin: .2em 0; }
.cnnstat .picture { background: #ffffff; text-align: center; }
.cnnstat .picture svg { display: block; margin: 0 auto; }
.cnnstat .plot svg { width: 100%; min-width: 600px; max-width: 820px; height: auto; }
.cnnstat .plot svg * { stroke-linejoin: round; stroke-linecap: butt; }
.cnnstat .drawing { max-height: 85vh; overflow: auto; }
.cnnstat .drawing.live { overflow: hidden; touch-action: none; }
.cnnstat .drawing.live > div { height: 100%; } .cnnstat .drawing.live svg { margin: 0; }
.cnnstat .drawing:focus-visible, .cnnstat a:focus-visible, .cnnstat input:focus-visible,
.cnnstat .tools button:focus-visible { outline: 2px solid rgb(var(--heat)); outline-offset: 1px; }
.cnnstat .drawing g.node.dim, .cnnstat .drawing g.dim { opacity: .2; }
.cnnstat .drawing a:focus-visible polygon, .cnnstat .drawing a:focus-visible path {
  stroke-width: 3; } .cnnstat .drawing a:focus-visible text { text-decoration: underline; }
.cnnstat .tools { display: flex; flex-wrap: wrap; gap: .4em; margin: 0 0 .4em; }
.cnnstat .tools[hidden] { display: none; }
.cnnstat .tools button { font: inherit; padding: .15em .7em; border-radius: 6px; cursor: pointer;
  border: 1px solid var(--line); background: var(--head); color: var(--ink); }
.cnnstat .panel { border: 1px solid var(--line); border-radius: 6px; padding: 0 .8em .6em;
  margin-top: .5em; overflow-wrap: anywhere; }
.cnnstat .search input { font: inherit; padding: .2em .5em; border-radius: 6px; width: 16em;
  max-width: 60vw; border: 1px solid var(--line); background: var(--page); color: var(--ink); }
.cnnstat td:first-child > button { all: unset; cursor: pointer; text-decoration: underline dotted;
  text-underline-offset: .2em; }
.cnnstat td:first-child > button:focus-visible { outline: 2px solid rgb(var(--heat)); }
.cnnstat tr[id] { scroll-margin-top: 1em; } .cnnstat tr:target td { background: var(--head); }
.cnnstat tr.why > td, main.cnnstat .scroll tr.why > td { white-space: normal; text-align: left;
  background: var(--head); position: static; }
.cnnstat tr.why dl, .cnnstat .panel dl { max-width: 60em; }
.cnnstat tr.why dl { position: sticky; left: .7em; width: min(60em, 80vw); }
.cnnstat dd { overflow-wrap: anywhere; }
.cnnstat .stacked thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden; }
"""
    + _cards(".cnnstat .stacked", "15em")
    + "@media (max-width: 40em) {"
    + _cards(".cnnstat .cards", "6.5em")
    + """
  .cnnstat .cards thead tr { display: flex; flex-wrap: wrap; gap: 0 1em; border: 0; padding: 0; }
  .cnnstat .cards thead th { border: 0; padding: .1em 0; background: none; }
  main.cnnstat .cards .scroll td:first-child { font-weight: 600; order: -2; grid-column: 1 / -2; }
  .cnnstat .cards td:first-child::before, .cnnstat .cards tr[id] td.text::before,
  .cnnstat .cards td.shape::before { content: none; }
  .cnnstat .cards td[data-head]:not(.text)::before { display: block; content: attr(data-head); }
  .cnnstat .cards td[style]::before { color: var(--ink); }
  .cnnstat .cards td.text:not(:first-child) { grid-column: 1 / -1; }
  .cnnstat .cards tr[id] td.text:not(:first-child) { order: -1; color: var(--dim); }
  .cnnstat .cards tr[id] td.shape { order: -2; grid-column: -2; text-align: right; }
  .cnnstat .cards tr[id] td.shape::before { content: none; }
  .cnnstat .cards tr[id]:has(button):not(:has(+ .why)) td:nth-child(n + 7) { display: none; }
  .cnnstat .cards tr.why, .cnnstat .cards tr.why > td { display: block; }
  .cnnstat .words td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 8em;
    max-width: 38vw; }
  .cnnstat dl { grid-template-columns: 1fr; }
  .cnnstat dd { margin: 0 0 .3em .8em; } }
@media (min-width: 40em) and (max-width: 75em) {  /* a click shows these figures derived */
  .cnnstat .cards table:has(tr[id] button) tr:not(.why) > :nth-child(n + 7) { display: none; } }
@media (prefers-color-scheme: dark) {
  .cnnstat .picture svg { filter: invert(.9) hue-rotate(180deg); }
  .cnnstat .picture { background: #191919; } }
@media print { main.cnnstat { max-width: none; padding: 0; }
  .cnnstat h2 { break-before: page; border-top: 0; margin-top: 0; }
  .cnnstat section:first-of-type h2 { break-before: auto; }
  .cnnstat h3, .cnnstat h4, .cnnstat figcaption { break-after: avoid; }
  .cnnstat nav { display: none; } .cnnstat .drawing { max-height: none; }
  .cnnstat figure { break-inside: avoid; }
  .cnnstat .picture { background: none; }
  .cnnstat .picture svg { filter: none; min-width: 0; max-width: 100%; max-height: 16cm;
    width: auto; height: auto; margin: 0; }
  .cnnstat .plot svg { width: 16cm; }
  .cnnstat details.terms::details-content { display: block; content-visibility: visible;
    height: auto; } }
"""
)

PANZOOM = "panzoom.min.js"
"""The library that pans and zooms drawings; its licence and version are next to it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An ``<svg>`` element, as wide as the page."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a chapter under its own heading: HTML and pictures in order."""

    title: str
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading of the table of contents, a line below it, and its blocks."""

    title: str
    line: str
    blocks: tuple[Block, ...]


def render_page(title: str, chapters: Iterable[Chapter], *, line: str = "", foot: str = "") -> str:
    """Return the page, with ``line`` below the title and ``foot`` at the end."""
    named = list(_named(chapters))
    parts = [f"<h1>{html_text(title)}</h1>", text(line) if line else "", _contents(named)]
    for name, chapter in named:
        parts += [f'<section id="{name}">', f"<h2>{html_text(chapter.title)}</h2>"]
        parts += [text(chapter.line) if chapter.line else "", *_blocks(name, chapter), "</section>"]
    if foot:
        parts.append(f"<footer>{text(foot)}</footer>")
    body = "\n".join(part for part in parts if part)
    return page(title, body, style=STYLE, script=f"{_asset(PANZOOM)}\n{_asset('page.js')}")


def _asset(name: str) -> str:
    """Return a script next to this file, safe to embed in a page."""
    from importlib.resources import files

    return (files("cnnstat.render") / "assets" / name).read_text(encoding="utf-8")


def text(line: str) -> str:
    """Return a paragraph."""
    return f"<p>{html_text(line)}</p>"


def document_part(document: Document, ids: Sequence[str] = ()) -> str:
    """Return a document without its title: table, definitions (folded), text below.

    ``ids`` are those of its rows.
    """
    terms = definitions(document)
    meanings = f'<details class="terms"><summary>Columns</summary>\n{terms}\n</details>'
    body = table(document, sortable=True, ids=ids)
    parts = (
        f'<div class="cards">\n{body}\n</div>',
        meanings if terms else "",
        sections(document, level=4),
    )
    return "\n".join(part for part in parts if part)


def stacked(part: str) -> str:
    """Return a table whose rows are read without scrolling sideways: each is a card."""
    return f'<div class="stacked">\n{part}\n</div>'


SEARCH = (
    '<p class="search" hidden><label>Search <input type="search" placeholder="conv 3x3"></label>'
    " <output></output></p>"
)
"""A box that filters the rows of its chapter and dims the other boxes of the drawing."""


def derivations_part(derivations: Iterable[tuple[str, Iterable[tuple[str, str, str]]]]) -> str:
    """Return the derivations of rows, which the page's script shows: id, then steps.

    A step is a quantity, its result and its derivation.
    """
    parts = []
    for name, steps in derivations:
        terms = "".join(
            f"<dt>{html_text(quantity)}</dt><dd><b>{html_text(result)}</b> {html_text(how)}</dd>"
            for quantity, result, how in steps
        )
        parts.append(f'<dl id="{name}">{terms}</dl>')
    return f'<div class="derivations" hidden>{"".join(parts)}</div>'


TOOLS = """<div class="tools" role="toolbar" aria-label="Drawing" hidden>
<button type="button" data-does="in">Zoom in</button>
<button type="button" data-does="out">Zoom out</button>
<button type="button" data-does="fit">Fit</button>
<button type="button" data-does="all">Unfold all</button>
<button type="button" data-does="none">Fold all</button></div>"""


def drawing_part(states: Sequence[tuple[str, str]], caption: str, scope: str) -> str:
    """Return a drawing that pans, zooms and folds: pictures by state, the first one shown.

    ``scope`` begins the ids in it. A click on a box fills the panel below it.
    """
    pictures = "".join(
        f'<div id="{scope}-open-{name}" class="state" data-open="{name}"'
        f"{' hidden' if number else ''}>"
        f"{_scoped(svg, f'{scope}-{name}-')}</div>"
        for number, (name, svg) in enumerate(states)
    )
    return (
        f"<figure><figcaption>{html_text(caption)}</figcaption>\n{TOOLS}\n"
        f'<div class="scroll picture drawing" role="group" aria-label="Drawing">{pictures}</div>\n'
        '<div class="panel" aria-live="polite" hidden></div></figure>'
    )


def words_part(document: Document) -> str:
    """Return a document of words without its title: not sortable, cells not cropped."""
    body = table(document, sortable=False)
    return f'<div class="words">\n{body}\n</div>\n{sections(document, level=4)}'


def folded(title: str, source: str) -> str:
    """Return source text, hidden until its title is clicked."""
    body = f'<div class="scroll"><pre>{html_text(source)}</pre></div>'
    return f"<details><summary>{html_text(title)}</summary>\n{body}\n</details>"


def _named(chapters: Iterable[Chapter]) -> Iterator[tuple[str, Chapter]]:
    """Yield each chapter with the name that links lead to, no name twice."""
    taken: set[str] = set()
    for chapter in chapters:
        stem = name = _slug(chapter.title.partition(":")[0])
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        yield name, chapter


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "chapter"


def _contents(named: Iterable[tuple[str, Chapter]]) -> str:
    lines = ['<nav aria-label="Contents"><ul>']
    for name, chapter in named:
        inner = "".join(
            f'<li><a href="#{name}.{_slug(block.title)}">{html_text(block.title)}</a></li>'
            for block in chapter.blocks
        )
        link = f'<a href="#{name}"><b>{html_text(chapter.title)}</b></a>'
        lines.append(f"<li>{link}<ul>{inner}</ul></li>")
    return "\n".join([*lines, "</ul></nav>"])


def _blocks(name: str, chapter: Chapter) -> Iterator[str]:
    for block in chapter.blocks:
        place = f"{name}.{_slug(block.title)}"
        yield f'<h3 id="{place}">{html_text(block.title)}</h3>'
        for number, part in enumerate(block.parts):
            yield part if isinstance(part, str) else _figure(part, f"{place}.{number}.")


def _figure(picture: Picture, scope: str) -> str:
    return (
        f"<figure><figcaption>{html_text(picture.caption)}</figcaption>\n"
        f'<div class="scroll picture plot">{_scoped(picture.svg, scope)}</div></figure>'
    )


def _scoped(svg: str, scope: str) -> str:
    """Return an ``<svg>`` whose ids begin with ``scope``, without ids that nothing refers to.

    Its style sheet, which would apply to the whole page, and its tool tips are removed.
    """
    svg = re.sub(r"<style.*?</style>|<title>.*?</title>\n?", "", svg, flags=re.DOTALL)
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))

    def name(match: re.Match[str]) -> str:
        return f' id="{scope}{match[1]}"' if match[1] in referred else ""

    own = set(re.findall(r' id="([^"]*)"', svg))
    svg = re.sub(r' id="([^"]*)"', name, svg)

    def reference(match: re.Match[str]) -> str:
        return f"{match[1]}#{scope if match[2] in own else ''}{match[2]}"

    return re.sub(r'(href="|url\()#([^")]+)', reference, svg).strip()
