"""A page of chapters: documents, pictures and text behind a table of contents, one HTML file.

The page loads nothing from outside. Pictures are SVG elements in the page; their ids are renamed,
because all pictures share the page's ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from cnnstat.render.as_html import definitions, page, sections, table
from cnnstat.render.document import Document
from cnnstat.render.safe_text import html_text

STYLE = """
main.cnnstat { max-width: 80em; margin: 0 auto; }
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

SCRIPT = """
for (const place of document.querySelectorAll(".drawing"))
  place.scrollLeft = (place.scrollWidth - place.clientWidth) / 2;
"""
"""Scrolls a wide drawing to its middle, where the inputs and outputs are."""

Kind = Literal["plot", "drawing"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An ``<svg>`` element. A plot is as wide as the page, a drawing has its natural size."""

    svg: str
    caption: str
    kind: Kind


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
    return page(title, "\n".join(part for part in parts if part), style=STYLE, script=SCRIPT)


def text(line: str) -> str:
    """Return a paragraph."""
    return f"<p>{html_text(line)}</p>"


def document_part(document: Document) -> str:
    """Return a document without its title: table, definitions (folded), text below."""
    terms = definitions(document)
    meanings = f'<details class="terms"><summary>Columns</summary>\n{terms}\n</details>'
    parts = (table(document, sortable=True), meanings if terms else "", sections(document, level=4))
    return "\n".join(part for part in parts if part)


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
        f'<div class="scroll picture {picture.kind}">{_scoped(picture.svg, scope)}</div></figure>'
    )


def _scoped(svg: str, scope: str) -> str:
    """Return an ``<svg>`` whose ids begin with ``scope``, without ids that nothing refers to.

    Its style sheet, which would apply to the whole page, and its tool tips are removed.
    """
    svg = re.sub(r"<style.*?</style>|<title>.*?</title>\n?", "", svg, flags=re.DOTALL)
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))

    def name(match: re.Match[str]) -> str:
        return f' id="{scope}{match[1]}"' if match[1] in referred else ""

    svg = re.sub(r' id="([^"]*)"', name, svg)
    return re.sub(r'(href="|url\()#', rf"\1#{scope}", svg).strip()
