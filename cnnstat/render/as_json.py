"""JSON: the document's payload, the contract that scripts rely on. Raw integers, keys in order."""

import json

from cnnstat.render.document import Document
from cnnstat.render.formats import Look


def render(document: Document, look: Look) -> str:
    """Return the payload, indented by two spaces; all ASCII, so any encoding carries it."""
    return json.dumps(document.payload, indent=2, default=_plain)


def _plain(value: object) -> object:
    """Turn a mapping that is no dict into one; nothing else is expected in a payload."""
    keys = getattr(value, "keys", None)
    if keys is None:
        raise TypeError(f"{type(value).__name__} has no place in a payload")
    return {key: value[key] for key in keys()}  # type: ignore[index]
