"""An outline as a Mermaid flowchart, which Markdown pages draw."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from cnnstat.render.graph.items import Box, Item, is_training_only
from cnnstat.render.graph.labels import (
    COLOURS,
    entries_of,
    kind_of,
    title_lines,
)
from cnnstat.render.graph.outline import Outline
from cnnstat.render.safe_text import shown

CODES = {
    **{"#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;"},
    **{"%": "#37;", "`": "#96;"},
}
"""Characters with a meaning inside a label: %% begins a directive, ` Markdown."""


def render_mermaid(outline: Outline, *, title: str = "") -> str:
    """Return the drawing as Mermaid text, equal for equal outlines."""
    ids = {box.name: f"n{number}" for number, box in enumerate(outline.boxes)}
    name, *rest = title_lines(outline, title)
    heading = f"{name}; {'; '.join(rest)}"
    kinds = {kind_of(box.rows[0]): None for box in outline.boxes}
    repeated = [ids[box.name] for box in outline.boxes if box.repeat.times > 1]
    training = [ids[box.name] for box in outline.boxes if is_training_only(box.rows[:1])]
    lines = [
        "---",
        f"title: {json.dumps(_inert(heading), ensure_ascii=False)}",
        "---",
        "flowchart TD",
        *_items(outline.items, ids),
        *(
            f"  {ids[edge.source]} {'-.->' if outline.is_back(edge) else '-->'} {ids[edge.target]}"
            for edge in outline.edges
        ),
        *(
            f"  classDef {kind} fill:{COLOURS[kind][0]},stroke:{COLOURS[kind][1]},color:#000000"
            for kind in kinds
        ),
        *([f"  style {each} stroke-width:3px" for each in repeated]),
        *([f"  style {each} stroke-dasharray:5 4" for each in training]),
    ]
    return "\n".join(lines) + "\n"


def _items(items: Sequence[Item], ids: Mapping[str, str]) -> Iterator[str]:
    for level, item, lines in entries_of(items):
        indent = "  " * (level + 1)
        if item is None:
            yield f"{indent}end"
        elif isinstance(item, Box):
            yield f"{indent}{ids[item.name]}[{_label(lines, '<br/>')}]:::{kind_of(item.rows[0])}"
        else:
            # one line: Mermaid reserves the height of one for the title of a subgraph
            name = f"s{level + 1}_{ids[item.rows[0].name]}"
            yield f"{indent}subgraph {name} [{_label(lines, ' ')}]"


def _inert(text: str) -> str:
    """Return text in which nothing looks like a directive or an element."""
    return shown(text).replace("%%", "% %").replace("<", "#lt;")


def _label(lines: Sequence[str], between: str) -> str:
    bold, *rest = map(_escaped, lines)
    return f'"{between.join([f"<b>{bold}</b>", *rest])}"'


def _escaped(text: str) -> str:
    return "".join(CODES.get(character, character) for character in shown(text))
