"""Which node of a captured graph a call belongs to: by the module that runs, and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import nn

from cnnstat.count.modulepaths import module_path, without_number


class Places:
    """Follows a forward pass through the modules of these ``paths``; nodes go by their names.

    A module that has no node of its own (one that acts in training alone) belongs to what ran last.
    """

    def __init__(self, names: Sequence[str], paths: Iterable[str]) -> None:
        known = set(paths)
        self._of: dict[str, list[int]] = {}
        self._function: list[str] = []
        for index, name in enumerate(names):
            path = module_path(name, known)
            self._of.setdefault(path, []).append(index)
            self._function.append(without_number(name.removeprefix(path).strip("/")))
        self._at = dict.fromkeys(self._of, -1)
        self._stack = [""]
        self.last = 0

    def enter(self, path: str) -> None:
        """Note that a module begins to run."""
        self._stack.append(path)

    def leave(self) -> None:
        """Note that it is done."""
        self._stack.pop()

    def of(self, function: str) -> int:
        """Return the node of a call of this function: the next of that name, else the last."""
        path = self._stack[-1]
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


def watch(module: nn.Module, places: Places) -> None:
    """Let the modules of a copy tell when they run.

    Not by hooks: PyTorch's fused attention is not taken where a module has any.
    """
    for name, each in module.named_modules():
        try:
            each.__dict__["forward"] = _told(each.forward, name.replace(".", "/"), places)
        except (AttributeError, RuntimeError):  # a scripted module: its calls are its parent's
            continue


def _told(forward: Callable[..., Any], path: str, places: Places) -> Callable[..., Any]:
    def told(*args: Any, **kwargs: Any) -> Any:
        places.enter(path)
        try:
            return forward(*args, **kwargs)
        finally:
            places.leave()

    return told
