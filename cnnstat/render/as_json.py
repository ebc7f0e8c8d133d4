"""JSON: the document's payload, the contract that scripts rely on. Raw integers, keys in order."""

import json
from math import isfinite

from cnnstat.render.document import Document, payload_of
from cnnstat.render.formats import Look


def render(document: Document, look: Look) -> str:
    """Return the payload, indented by two spaces; all ASCII, so any encoding carries it.

    JSON has no NaN and no infinity: such a number is null, as unknown figures are.
    """
    payload = payload_of(document)
    try:
        return json.dumps(payload, indent=2, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(payload), indent=2)


def _finite(value: object) -> object:
    """Return a payload with null in place of numbers that are not finite."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list | tuple):
        return list(map(_finite, value))
    return {k: _finite(v) for k, v in value.items()} if isinstance(value, dict) else value
