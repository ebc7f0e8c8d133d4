"""Imports while a module is built on the meta device: they run off it.

What a library makes as it loads (constants of classes, caches) stays for good, so it must not lose
its values to the meta device.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch


@contextmanager
def meta_device() -> Iterator[None]:
    """Make tensors on the meta device, except in modules that are imported meanwhile."""
    finder = _Finder(torch.get_default_device())
    sys.meta_path.insert(0, finder)
    try:
        with torch.device("meta"):
            yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds modules as the others do; they are executed on a device of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that another finder has for a module."""
        for finder in [each for each in sys.meta_path if each is not self]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                self._take_off(spec.loader)
                return spec
        return None

    def _take_off(self, loader: Any) -> None:
        """Make a loader execute its module on the device; of built-in modules nothing depends."""
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type) or not hasattr(loader, "__dict__"):
            return

        def execute_off(module: ModuleType) -> None:
            loader.__dict__.pop("exec_module", None)
            with self.device:
                execute(module)

        loader.__dict__["exec_module"] = execute_off
