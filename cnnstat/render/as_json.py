"""JSON: the document's payload, the contract that scripts rely on. Raw integers, keys in order."""

import json
from math import isfinite

from cnnstat.render.document import Document
from cnnstat.render.formats import Look


def render(document: Document, look: Look) -> str:
    """Return the payload, indented by two spaces; all ASCII, so any encoding carries it.

    JSON has no NaN and no infinity: such a number is null, as unknown figures are.
    """
    try:
        return json.dumps(document.payload, indent=2, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document.payload), indent=2, allow_nan=False)


def _plain(value: object) -> dict[str, object]:
    """Return a mapping as a dict; a payload holds no other type that JSON does not know."""
    keys = getattr(value, "keys", None)
    if keys is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return {key: value[key] for key in keys()}  # type: ignore[index]


def _finite(value: object) -> object:
    """Return a payload with null in place of numbers that are not finite."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if value is None or isinstance(value, str | int):
        return value
    return {key: _finite(each) for key, each in _plain(value).items()}
