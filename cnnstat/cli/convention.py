"""``--convention NAME``: how work is counted."""

from __future__ import annotations

from cnnstat.cli.options import MODEL, option, starting
from cnnstat.count.conventions import CONVENTIONS

CONVENTION = option(
    MODEL,
    "--convention NAME",
    f"Counting convention: {', '.join(CONVENTIONS)}.",
    complete=starting(lambda: CONVENTIONS),
)
