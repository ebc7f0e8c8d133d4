"""A file of a space: ``model``, ``values`` of each axis, and perhaps ``where``.

It is told from a spec file by its ``model``. Read as safely as one; a value is what stands there, a
list, or a text such as ``range(16,65,8)``.
"""

from __future__ import annotations

from typing import NamedTuple

from cnnstat.errors import nearest
from cnnstat.importers.spec.document import Entry, SpecError
from cnnstat.importers.spec.reading import template

KEYS = ("model", "values", "where")


class SpaceFile(NamedTuple):
    """The statements of the file."""

    model: str
    values: dict[str, str | list[object]]
    where: str | None


def read_space(path: str) -> SpaceFile | None:
    """Return the space that a file states; None for a spec file, which states a model.

    Raises ``UsageError`` where it cannot be read, ``SpecError`` for what is not a space.
    """
    root = template(path).root
    top = root.value
    if not isinstance(top, dict) or "model" not in top:
        return None
    for key, entry in top.items():
        if key not in KEYS:
            close = ", ".join(nearest(key, KEYS) or KEYS)
            raise SpecError(path, entry.line, f"a space has no {key!r}: did you mean {close}?")
    where = top.get("where")
    return SpaceFile(
        _text(path, "model", top["model"]),
        _values(path, top.get("values", Entry({}, root.line))),
        None if where is None else _text(path, "where", where),
    )


def _text(path: str, key: str, entry: Entry) -> str:
    if not isinstance(entry.value, str):
        raise SpecError(path, entry.line, f"{key} must be a text, got {entry.plain()!r:.60}")
    return entry.value


def _values(path: str, entry: Entry) -> dict[str, str | list[object]]:
    if not isinstance(entry.value, dict):
        raise SpecError(path, entry.line, "values must be a mapping of names to values")
    values: dict[str, str | list[object]] = {}
    for name, each in entry.value.items():
        plain = each.plain()
        if isinstance(plain, dict):
            raise SpecError(path, each.line, f"{name}: values are a list or a text, not a mapping")
        values[name] = plain if isinstance(plain, str | list) else [plain]
    return values
