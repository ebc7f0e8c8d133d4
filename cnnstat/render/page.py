"""A page of chapters: documents, pictures and text behind a table of contents, one HTML file.

The page loads nothing from outside. Pictures are SVG elements in the page; their ids are renamed,
because all pictures share the page's ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnstat.render.as_html import asset, definitions, page, sections, table
from cnnstat.render.document import Document
from cnnstat.render.safe_text import html_text


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
    # panzoom pans and zooms drawings; its licence and version are next to it
    script = asset("panzoom.min.js") + "\n" + asset("page.js")
    return page(title, body, style=asset("report.css"), script=script)


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
            if isinstance(part, str):
                yield part
                continue
            svg, caption = _scoped(part.svg, f"{place}.{number}."), html_text(part.caption)
            plot = f'<div class="scroll picture plot">{svg}</div>'
            yield f"<figure><figcaption>{caption}</figcaption>\n{plot}</figure>"


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
