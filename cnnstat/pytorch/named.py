"""Whether the inputs of a model go by the names of a forward pass's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def parameters_of(forward: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    """Return the arguments of a forward pass by name; none where it does not tell."""
    try:
        return inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return {}


def goes_by_name(forward: Callable[..., object], names: Iterable[str]) -> bool:
    """Return whether a forward pass knows all these names."""
    known = parameters_of(forward)
    return all(name in known and known[name].kind in BY_NAME for name in names)
