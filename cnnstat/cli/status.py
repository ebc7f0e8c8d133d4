"""Exit statuses that are not those of an error, and whether the process was interrupted."""

from __future__ import annotations

INTERRUPTED = 130
"""Of a process that was interrupted."""

_interrupts: list[int] = []


def interrupt(number: int, frame: object) -> None:
    """Handle SIGINT as Python does, and remember it: an import may raise another error instead."""
    _interrupts.append(number)
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Return whether a SIGINT arrived."""
    return bool(_interrupts)
