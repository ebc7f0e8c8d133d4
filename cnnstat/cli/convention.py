"""``--convention NAME``: how work is counted."""

from __future__ import annotations

from typing import Annotated

from cnnstat.cli.options import MODEL, option, starting
from cnnstat.count.conventions import CONVENTIONS

ConventionOption = Annotated[
    str,
    option(
        "--convention",
        group=MODEL,
        metavar="NAME",
        help=f"Counting convention: {', '.join(CONVENTIONS)}.",
        complete=starting(lambda: CONVENTIONS),
    ),
]
