"""The formats of a drawing: text by cnnstat itself, pictures through Graphviz."""

from __future__ import annotations

import os
from typing import Literal, get_args

from cnnstat.count.report import Report
from cnnstat.errors import UsageError, unknown
from cnnstat.render.graph.outline import outline

Format = Literal["dot", "mermaid", "svg", "png", "pdf"]

FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
}
"""The format of each suffix of a file."""


def choose_format(name: str | None, path: str | None) -> Format:
    """Return the format of a drawing: by name, else by the file's suffix, else DOT.

    Raises ``UsageError`` for an unknown format, and for a picture without a file.
    """
    suffix = os.path.splitext(path)[1].lower() if path else ".dot"
    drawing = SUFFIXES.get(suffix if name is None else f".{name.lower()}")
    if drawing is None and name is not None:
        raise unknown("format", name, FORMATS)
    if drawing is None:
        raise UsageError(
            f"cannot tell the format of {path}: end it in one of {', '.join(SUFFIXES)}, "
            "or use --format"
        )
    if drawing in ("png", "pdf") and path is None:
        raise UsageError(f"{drawing} is not text: write it to a file with -o FILE.{drawing}")
    return drawing


def draw_graph(
    report: Report, format: Format = "dot", *, depth: int | None = None, title: str = ""
) -> str | bytes:
    """Return the drawing of a report: text for DOT and Mermaid, else the bytes of a file.

    Modules deeper than ``depth`` are one box each; ``title`` follows the model's name. Raises
    ``UsageError`` for a picture where Graphviz is missing.
    """
    drawing = outline(report, depth=depth)
    if format == "mermaid":
        from cnnstat.render.graph.as_mermaid import render_mermaid

        return render_mermaid(drawing, title=title)
    from cnnstat.render.graph.as_dot import render_dot

    text = render_dot(drawing, title=title)
    if format == "dot":
        return text
    from cnnstat.render.graph.graphviz import draw

    return draw(text, format)
