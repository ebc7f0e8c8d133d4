"""An outline as Graphviz DOT: modules and stages are clusters, layers boxes, tensors arrows.

The title of a cluster is a node in it, because Graphviz leads arrows around nodes and across the
labels of clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from cnnstat.render.graph.items import Box, Frame, Item, boxes_of, is_training_only
from cnnstat.render.graph.labels import (
    COLOURS,
    entries_of,
    kind_of,
    title_lines,
)
from cnnstat.render.graph.outline import Outline
from cnnstat.render.safe_text import html_text, shown

FONT = "Helvetica,Arial,sans-serif"
BACK = 'constraint=false, style=dashed, color="#a04000"'
"""An arrow to a box that comes before its source: a module that runs again."""

SHADES = ("#f6f6f6", "#ededed", "#e4e4e4")
"""Fill of frames by depth, to set a module off from its stage."""


class Links(NamedTuple):
    """Where the boxes and the titles of frames in a page lead to; empty: nowhere."""

    box: Callable[[Box], str]
    frame: Callable[[Frame, bool], str]
    """Of a frame, and whether it is folded."""


NOWHERE = Links(lambda box: "", lambda frame, folded: "")


def render_dot(
    outline: Outline, *, title: str = "", folded: Collection[str] = (), links: Links = NOWHERE
) -> str:
    """Return the drawing as DOT text, equal for equal outlines.

    Frames whose first name is in ``folded`` are one box each.
    """
    ids = {box.name: f"n{number}" for number, box in enumerate(outline.boxes)}
    for frame in outline.items:
        if isinstance(frame, Frame) and frame.names[0] in folded:
            first = ids[frame.rows[0].name]
            ids.update((box.name, f"f{first}") for box in boxes_of(frame.items))
    lines = [
        f"digraph {_quoted(outline.report.name)} {{",
        f'  graph [fontname="{FONT}", fontsize=12, labelloc=t, newrank=true, nodesep=0.2,'
        f" ranksep=0.22, label={_label(title_lines(outline, title))}]",
        f'  node [shape=box, style="rounded,filled", fontname="{FONT}", fontsize=11,'
        ' margin="0.15,0.06", height=0.3]',
        '  edge [arrowsize=0.6, color="#555555"]',
        *_items(outline.items, ids, folded, links),
        *_edges(outline, ids, folded),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _items(
    items: Sequence[Item], ids: Mapping[str, str], folded: Collection[str], links: Links
) -> Iterator[str]:
    for level, item, lines in entries_of(items, folded):
        indent = "  " * (level + 1)
        if item is None:
            yield f"{indent}}}"
            continue
        label = f"label={_label(lines)}"
        if isinstance(item, Box):
            yield f"{indent}{ids[item.name]} [{label}, {_look(item)}{_link(links.box(item))}]"
            continue
        is_folded = item.names[0] in folded
        link = _link(links.frame(item, is_folded)) if level == 0 else ""
        if level == 0 and is_folded:
            fill, line = COLOURS["module"]
            look = f'fillcolor="{fill}", color="{line}", penwidth=2'
            yield f"{indent}{ids[item.rows[0].name]} [{label}, {look}{link}]"
            continue
        shade = SHADES[min(level, len(SHADES) - 1)]
        edge = 'penwidth=2, color="#333333"' if item.repeat.times > 1 else 'color="#999999"'
        name = _title_id(item, ids, level)
        yield f"{indent}subgraph cluster_{name} {{"
        yield f'{indent}  graph [label="", style="rounded,filled", fillcolor="{shade}", {edge}]'
        yield f"{indent}  {name} [shape=plain, style=solid, {label}{link}]"


def _title_id(frame: Frame, ids: Mapping[str, str], level: int) -> str:
    return f"t{level}_{ids[frame.rows[0].name]}"


def _link(target: str) -> str:
    return f', URL="#{target}", target="_self"' if target else ""


def _edges(outline: Outline, ids: Mapping[str, str], folded: Collection[str] = ()) -> Iterator[str]:
    """Yield the arrows, and invisible ones that keep the title of a frame above its boxes."""
    open_items = [
        item for item in outline.items if isinstance(item, Box) or item.names[0] not in folded
    ]
    around = dict.fromkeys(ids, ()) | dict(_titles(open_items, ids, ()))
    drawn: set[tuple[str, str]] = set()
    edges = set(outline.edges)
    first_box: dict[str, str] = {}  # of each frame, by its title
    for name, titles in around.items():
        for title in titles:
            first_box.setdefault(title, name)
    above: dict[tuple[str, str], None] = {}
    for edge in outline.edges:
        source, target = edge
        ends = (ids[source], ids[target])
        if ends[0] == ends[1] or ends in drawn:
            continue
        drawn.add(ends)
        style = f" [{BACK}]" if outline.is_back(edge) else ""
        yield f"  {ends[0]} -> {ends[1]}{style}"
        outside = around[source]
        # A title stands above what enters with the box that runs first in its frame; what enters
        # later would stretch it.
        entered = [
            title
            for title in around[target]
            if title not in outside and (source, first_box[title]) in edges
        ]
        path = [ids[source], *entered, ids[target]] if entered else []
        above.update(dict.fromkeys(pairwise(path)))
    for first, second in above:
        yield f"  {first} -> {second} [style=invis, weight=2]"


def _titles(
    items: Sequence[Item], ids: Mapping[str, str], around: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each box's name with the title nodes of the frames around it, outermost first."""
    for item in items:
        if isinstance(item, Box):
            yield item.name, around
        else:
            title = _title_id(item, ids, len(around))
            yield from _titles(item.items, ids, (*around, title))


def _look(box: Box) -> str:
    fill, line = COLOURS[kind_of(box.rows[0])]
    look = f'fillcolor="{fill}", color="{line}"'
    if is_training_only(box.rows[:1]):
        look += ', style="rounded,filled,dashed"'
    return f"{look}, penwidth=2" if box.repeat.times > 1 else look


def _label(lines: Sequence[str]) -> str:
    """Return lines as an HTML-like label, the first in bold, the rest smaller."""
    bold = f"<b>{_escaped(lines[0])}</b>"
    rest = "".join(f'<br/><font point-size="10">{_escaped(line)}</font>' for line in lines[1:])
    return f"<{bold}{rest}>"


def _escaped(text: str) -> str:
    return html_text(text).replace("&#x27;", "'")


def _quoted(text: str) -> str:
    escaped = shown(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
