"""In which module of a captured model a node is: the graph keeps paths in its names alone."""

from __future__ import annotations

from collections.abc import Container


def module_path(name: str, known: Container[str]) -> str:
    """Return which of the known modules a node is in, by its name; the whole is ``""``.

    A second call of a module has a number after its path.
    """
    for candidate in (name, without_number(name)):
        if candidate in known:
            return candidate
    while name and name not in known:
        name = name.rpartition("/")[0]
    return name


def without_number(name: str) -> str:
    """Return a node's name without the number that tells it from those before it."""
    head, _, number = name.rpartition("_")
    return head if number.isdigit() and head else name
