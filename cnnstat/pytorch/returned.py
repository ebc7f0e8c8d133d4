"""Results of a forward pass: tensors in containers, data classes, objects of any class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def returned(result: object, kind: type[Kind]) -> tuple[Kind, ...]:
    """Return the instances of a kind (a tensor's class) in a result, each once, in order.

    Containers are entered, and the attributes of objects.
    """
    instances: dict[int, Kind] = {}
    for each in _walk(result, kind, set()):
        instances.setdefault(id(each), each)
    return tuple(instances.values())


def _walk(value: Any, kind: type[Kind], seen: set[int]) -> Iterator[Kind]:
    if isinstance(value, kind):
        yield value
        return
    if id(value) in seen or isinstance(value, str | bytes | type):
        return
    seen.add(id(value))
    inside: Any = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inside = value
    elif hasattr(value, "__dict__"):
        inside = vars(value).values()
    else:
        names = getattr(type(value), "__slots__", ())
        inside = [getattr(value, name, None) for name in names if isinstance(name, str)]
    for each in list(inside):
        yield from _walk(each, kind, seen)
