"""A drawing for a page in which blocks fold and unfold: one picture for each state.

Graphviz lays out every state separately: all blocks open, all folded, or one of them open.
"""

from __future__ import annotations

from collections.abc import Mapping

from cnnstat.render.graph.as_dot import Links, render_dot
from cnnstat.render.graph.graphviz import inline_svg
from cnnstat.render.graph.items import Frame
from cnnstat.render.graph.outline import Outline

ALL, NONE = "all", "none"
"""States with all blocks open, and with all folded."""

FEW = 40
"""A drawing of at most so many boxes is open at first."""

MOST = 24
"""From more blocks on, they open only together."""


def states(
    outline: Outline, *, title: str, rows: Mapping[str, str], scope: str
) -> list[tuple[str, str]]:
    """Return the pictures of a drawing as ``<svg>`` by state, the one to show at first in front.

    A state is ``all``, ``none`` or the open block.
    ``rows`` has the id of each row of the table by the row's name: boxes lead there. Titles of
    blocks lead to ``SCOPE-open-STATE``. Raises ``UsageError`` where Graphviz is missing.
    """
    blocks = [item for item in outline.items if isinstance(item, Frame)]
    ids = {block.names[0]: f"block{number}" for number, block in enumerate(blocks)}
    alone = len(blocks) > MOST
    links = Links(
        lambda box: rows.get(box.name, ""),
        lambda frame, folded: (
            f"{scope}-open-{(ALL if alone else ids[frame.names[0]]) if folded else NONE}"
        ),
    )

    folded: dict[str, set[str]] = {ALL: set()}
    if blocks:
        folded[NONE] = set(ids)
    if len(blocks) > 1 and not alone:
        folded |= {state: set(ids) - {name} for name, state in ids.items()}
    made = [
        (state, inline_svg(render_dot(outline, title=title, folded=names, links=links)))
        for state, names in folded.items()
    ]
    first = ALL if len(outline.boxes) <= FEW or len(made) == 1 else NONE
    return sorted(made, key=lambda state: state[0] != first)
