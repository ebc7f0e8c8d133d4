"""Which module of a forward pass is running: the one watcher of module calls, and their paths.

Not by hooks: PyTorch takes no fused attention where a module has any. An instance's ``_call_impl``
is what ``Module.__call__`` runs, hooks included; it is a private name of PyTorch, and used only
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnstat.pytorch.specs import spec_of


class ModuleCall(NamedTuple):
    """A running module: its path (``block/conv``, empty at the top), whether it has submodules."""

    path: str
    leaf: bool


class Failure(NamedTuple):
    """The innermost module that raised an error, its class, and the shapes that it was given."""

    error: BaseException | None = None
    path: str = ""
    kind: str = ""
    inputs: str = ""


class ModuleCalls:
    """The modules that are running at the moment, outermost first, and which one failed."""

    def __init__(self) -> None:
        self.stack = [ModuleCall("", leaf=False)]
        self._failure = Failure()

    @property
    def path(self) -> str:
        """Path of the module that is running."""
        return self.stack[-1].path

    def watch(self, module: nn.Module) -> None:
        """Follow the calls of a module and of those in it; for a copy that is thrown away."""
        for name, each in named_modules(module):
            call = ModuleCall(name.replace(".", "/"), leaf=not any(each.children()))
            each.__dict__["_call_impl"] = self._followed(each._call_impl, each, call)

    def failure_of(self, error: BaseException) -> Failure:
        """Return where an error was raised; without a path if not in a module."""
        return self._failure if self._failure.error is error else Failure(error)

    def _followed(
        self, run: Callable[..., Any], module: nn.Module, call: ModuleCall
    ) -> Callable[..., Any]:
        def followed(*args: Any, **kwargs: Any) -> Any:
            self.stack.append(call)
            try:
                return run(*args, **kwargs)
            except BaseException as error:
                if self._failure.error is not error:
                    shapes = ", ".join(str(spec_of(t)) for t in args if isinstance(t, torch.Tensor))
                    self._failure = Failure(error, call.path, type(module).__name__, shapes)
                raise
            finally:
                self.stack.pop()

        return followed


def named_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module with its name, each once, in PyTorch's order, however deep they nest."""
    seen: set[int] = set()
    waiting = [("", module)]
    while waiting:
        name, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield name, each
        prefix = f"{name}." if name else ""
        waiting += reversed([(prefix + key, child) for key, child in each.named_children()])
