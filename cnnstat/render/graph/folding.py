"""A drawing for a page in which blocks fold and unfold: one picture for each state.

Graphviz lays out every state separately: all blocks open, all folded, or one of them open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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


class State(NamedTuple):
    """One picture: its name (``all``, ``none`` or that of the open block) and its ``<svg>``."""

    name: str
    svg: str


def states(outline: Outline, *, title: str, rows: Mapping[str, str], scope: str) -> list[State]:
    """Return the pictures of a drawing, the one to show at first in front.

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

    def drawn() -> Iterator[State]:
        yield State(ALL, inline_svg(render_dot(outline, title=title, links=links)))
        if not blocks:
            return
        names = set(ids)
        choices = [(NONE, names)]
        if not alone and len(blocks) > 1:
            choices += [(ids[name], names - {name}) for name in ids]
        for state, folded in choices:
            dot = render_dot(outline, title=title, folded=folded, links=links)
            yield State(state, inline_svg(dot))

    made = list(drawn())
    first = ALL if len(outline.boxes) <= FEW or len(made) == 1 else NONE
    return sorted(made, key=lambda state: state.name != first)
