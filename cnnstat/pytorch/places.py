"""Which node of a captured graph a call belongs to: by the module that runs, and in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnnstat.count.modulepaths import module_path, without_number
from cnnstat.pytorch.module_calls import ModuleCalls


class Places:
    """Follows a forward pass by the modules that ``calls`` sees; nodes go by their names.

    A module that has no node of its own (one that acts in training alone) belongs to what ran last.
    """

    def __init__(self, names: Sequence[str], paths: Iterable[str], calls: ModuleCalls) -> None:
        known = set(paths)
        self._of: dict[str, list[int]] = {}
        self._function: list[str] = []
        for index, name in enumerate(names):
            path = module_path(name, known)
            self._of.setdefault(path, []).append(index)
            self._function.append(without_number(name.removeprefix(path).strip("/")))
        self._at = dict.fromkeys(self._of, -1)
        self._calls = calls
        self.last = 0

    def of(self, function: str) -> int:
        """Return the node of a call of this function: the next of that name, else the last."""
        path = self._calls.path
        own = self._of.get(path)
        if own is None:
            return self.last
        at = self._at[path]
        again = at >= 0 and self._function[own[at]] != function
        ahead = range(at if again else at + 1, len(own))
        at = next((i for i in ahead if self._function[own[i]] == function), max(at, 0))
        self._at[path] = at
        self.last = own[at]
        return self.last
