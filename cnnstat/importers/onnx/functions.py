"""Local functions of a file: how many nodes they are when they are written out.

Functions that call each other twice, 25 levels deep, are 33 million nodes in a few hundred bytes;
one that calls itself never ends. Both are refused before anything is written out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cnnstat.errors import ModelError

MAX_NODES = 200_000
"""More nodes than any published model has."""

Name = tuple[str, str, str]
"""Domain, name and overload of a function."""


def check_functions(path: str, proto: Any) -> None:
    """Raise ``ModelError`` where functions call themselves or are too many nodes."""
    functions = {(each.domain, each.name, each.overload): each for each in proto.functions}
    counts: dict[Name, int] = {}
    for name in functions:
        _count(path, name, functions, counts, ())
    total = sum(counts.get(name, 1) for name in _calls(proto.graph.node))
    if total > MAX_NODES:
        raise ModelError(
            f"{path}: its local functions are {total:,} operators when expanded; "
            f"at most {MAX_NODES:,} are read"
        )


def _count(
    path: str,
    name: Name,
    functions: Mapping[Name, Any],
    counts: dict[Name, int],
    callers: tuple[Name, ...],
) -> int:
    if name not in functions:
        return 1
    if name in callers or len(callers) > MAX_DEPTH:
        how = "calls itself" if name in callers else f"is nested more than {MAX_DEPTH} calls deep"
        raise ModelError(f"{path}: the local function {name[1]!r} {how}")
    if name not in counts:
        inside = _calls(functions[name].node)
        counts[name] = sum(
            _count(path, called, functions, counts, (*callers, name)) for called in inside
        )
    return counts[name]


MAX_DEPTH = 200
"""Functions within functions."""


def _calls(nodes: Iterable[Any]) -> list[Name]:
    """Return the names of what nodes call, the nodes of graphs inside them among them."""
    names: list[Name] = []
    for node in nodes:
        names.append((node.domain, node.op_type, node.overload))
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                names += _calls(graph.node)
    return names
