"""Names of nodes: the path of the module that runs, and the function where it has several."""

from __future__ import annotations

from collections import Counter

from cnnstat.ops import Rearrange, View
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.rules import Meaning


class Names:
    """Gives each node a name of its own; ``calls`` counts the functions by module path."""

    def __init__(self, calls: Counter[tuple[str, str]]) -> None:
        self._taken: dict[str, int] = {}
        self._functions = Counter(path for path, _ in calls)

    def of(self, call: Call, meant: Meaning, owner: str) -> str:
        """Return the wanted name of a call's node.

        A leaf module's layer has the module's path; ``owner`` is that of a module below the
        running one whose weights are used (as attention uses its output projection's). Anything
        else is the path and the function's name.
        """
        function = call.name.strip("_")
        if owner:
            return owner
        if not call.path:
            return function
        moved = isinstance(meant.op, View | Rearrange)
        only = self._functions[call.path] == 1
        first = call.path not in self._taken and not moved
        if call.leaf and (only or first or meant.weights):
            return call.path
        return f"{call.path}/{function}"

    def unique(self, name: str) -> str:
        """Return the name itself at first, then with ``_2``, ``_3`` ..."""
        count = self._taken.get(name, 0) + 1
        found = name if count == 1 else f"{name}_{count}"
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken[name] = count
        self._taken.setdefault(found, 1)
        return found
