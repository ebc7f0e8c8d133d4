"""Keys of a layer next to its operator: how it is shown, and whether it is trained."""

from __future__ import annotations

from typing import Any

MAX_RANK = 16

MARKS = ("training_only", "frozen", "row", "axes")
"""Fields of a node that a spec file states as they are."""


class MarkError(ValueError):
    """A mark with a value that it cannot have."""


def mark(name: str, value: object) -> Any:
    """Return the value of a mark as a node has it. Raises ``MarkError``."""
    if name == "row":
        if not isinstance(value, str) or not value:
            raise MarkError(f"row (={value!r}) must be the name of a layer")
        return value
    if name == "axes":
        return order_of_axes(value)
    if not isinstance(value, bool):
        raise MarkError(f"{name} (={value!r}) must be true or false")
    return value


def order_of_axes(value: object) -> tuple[int, ...]:
    """Return the order in which axes are shown: each axis once. Raises ``MarkError``."""
    axes = value if isinstance(value, list) and len(value) <= MAX_RANK else ()
    if not axes or any(type(axis) is not int for axis in axes):
        raise MarkError(f"axes (={value!r:.60}) must be a list of numbers, like [0, 2, 3, 1]")
    if sorted(axes) != list(range(len(axes))):
        raise MarkError(f"axes (={value!r}) must have each of 0 to {len(axes) - 1} once")
    return tuple(axes)
