"""Axes as attributes number them: from the front, or, below 0, from the end."""

from __future__ import annotations

from cnnstat.ir.op import OpError


def check_axis(axis: int, rank: int) -> int:
    """Return an axis counted from the front; raise ``OpError`` if there is none."""
    if not -rank <= axis < rank:
        raise OpError(f"axis (={axis}) must be one of {rank}")
    return axis % rank
