"""Names of nodes: the path of the module that runs, and the function where it has several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Names:
    """Gives each node a name of its own.

    ``calls`` are all calls of the model, each as the path of the module that makes it and the name
    of its function.
    """

    def __init__(self, calls: Iterable[tuple[str, str]] = ()) -> None:
        self._taken: dict[str, int] = {}
        self._inside: Counter[str] = Counter()
        for path, _ in set(calls):
            parts = path.split("/")
            self._inside.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))

    def of(self, path: str, function: str, *, covers: int = 1, main: bool = False) -> str:
        """Return the name that a call wants.

        It is the path of its module where the call is the ``main`` one there, or where nothing runs
        in the module but the ``covers`` calls that the node stands for; else path and function.
        """
        if not path:
            return function
        return path if main or self._inside[path] == covers else f"{path}/{function}"

    def is_taken(self, name: str) -> bool:
        """Return whether a node has this name."""
        return name in self._taken

    def unique(self, name: str) -> str:
        """Return the name itself at first, then with ``_2``, ``_3`` ..."""
        count = self._taken.get(name, 0) + 1
        free = name if count == 1 else f"{name}_{count}"
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken[name] = count
        self._taken.setdefault(free, 1)
        return free

    def free(self, name: str) -> None:
        """Make a name that was the last one given out free again."""
        self._taken.pop(name, None)


def printable(name: str) -> str:
    """Return a name for an error message, which has one line and no control characters."""
    return name if name.isprintable() else ascii(name)[1:-1]
