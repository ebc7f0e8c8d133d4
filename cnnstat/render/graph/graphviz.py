"""DOT text as a picture, and a drawing in which blocks fold: runs Graphviz's ``dot``.

Graphviz lays out every state of a drawing separately: all blocks open, all folded, or one of them
open.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Literal

from cnnstat.errors import UsageError
from cnnstat.render.graph.as_dot import Links, render_dot
from cnnstat.render.graph.items import Frame
from cnnstat.render.graph.outline import Outline

Picture = Literal["svg", "png", "pdf"]

HOW_TO_INSTALL = (
    "Graphviz's 'dot' is needed for SVG, PNG and PDF and is not on the path: install it "
    "(apt install graphviz, brew install graphviz, https://graphviz.org/download), "
    "or write DOT or Mermaid text instead (-o FILE.dot, FILE.mmd)"
)


ALL, NONE = "all", "none"
"""States with all blocks open, and with all folded."""

FEW = 40
"""A drawing of at most so many boxes is open at first."""

MOST = 24
"""From more blocks on, they open only together."""


def require_graphviz() -> str:
    """Return the path of ``dot``; raise ``UsageError`` with how to install it where it is not."""
    program = shutil.which("dot")
    if program is None:
        raise UsageError(HOW_TO_INSTALL)
    return program


def draw(dot: str, picture: Picture) -> bytes:
    """Return a drawing as the bytes of a picture file.

    Raises ``UsageError`` where Graphviz is missing or cannot draw it.
    """
    program = require_graphviz()
    options = ["-Gdpi=110"] if picture == "png" else []
    done = subprocess.run(
        [program, f"-T{picture}", *options], input=dot.encode(), capture_output=True, check=False
    )
    if done.returncode or not done.stdout:
        reason = done.stderr.decode(errors="replace").strip() or f"status {done.returncode}"
        raise UsageError(f"Graphviz could not draw the graph as {picture}: {reason}")
    return done.stdout


def inline_svg(dot: str) -> str:
    """Return a drawing as an ``<svg>`` element to embed in a page, without prolog or comments."""
    text = draw(dot, "svg").decode()
    return re.sub(r"<!--.*?-->\n?", "", text[text.index("<svg") :], flags=re.DOTALL).strip() + "\n"


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
