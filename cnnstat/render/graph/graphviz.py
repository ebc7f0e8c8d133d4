"""DOT text as a picture: runs Graphviz's ``dot`` where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Literal

from cnnstat.errors import UsageError

Picture = Literal["svg", "png", "pdf"]

HOW_TO_INSTALL = (
    "Graphviz's 'dot' is needed for SVG, PNG and PDF and is not on the path: install it "
    "(apt install graphviz, brew install graphviz, https://graphviz.org/download), "
    "or write DOT or Mermaid text instead (-o FILE.dot, FILE.mmd)"
)


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
