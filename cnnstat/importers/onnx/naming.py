"""Names of nodes: the file's own, as paths.

PyTorch's exporter writes ``/layer1/layer1.0/conv1/Conv``: the path of modules, each with its own
path again, and the operator. That becomes ``layer1/0/conv1``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Names:
    """Gives each node a name of its own; ``wanted`` are the names in the file."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._taken: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        for name in wanted:
            parts = _parts(name)
            self._inside.update("/".join(parts[:end]) for end in range(1, len(parts)))

    def of(self, name: str, op_type: str, count: int = 1) -> str:
        """Return the name of what ``count`` nodes make: a path, without the operator if alone."""
        parts = _parts(name)
        if not parts:
            return self.unique(op_type.lower())
        parent = "/".join(parts[:-1])
        own = parts[-1].partition("_")[0] == op_type
        if name.startswith("/") and own and self._inside[parent] == count:
            return self.unique(parent)
        return self.unique("/".join(parts))

    def unique(self, name: str) -> str:
        """Return the name itself at first, then with ``_2``, ``_3`` ..."""
        found = name
        while self._taken[found]:
            self._taken[name] += 1
            found = f"{name}_{self._taken[name]}"
        self._taken[found] += 1
        return found


def _parts(name: str) -> list[str]:
    """Return the parts of a path; a part that repeats the ones before it keeps its own end."""
    if not name.startswith("/"):
        return [name] if name else []
    found: list[str] = []
    for part in filter(None, name.split("/")):
        path = ".".join(found)
        found.append(part.removeprefix(f"{path}.") if path else part)
    return found
