"""Which module and which function of a forward pass is running: the one watcher of their calls.

Not by hooks: PyTorch takes no fused attention where a module has any. An instance's ``_call_impl``
is what ``Module.__call__`` runs, hooks included; it is a private name of PyTorch, and used only
here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnstat.pytorch.tensors import named_modules, spec_of


class ModuleCall(NamedTuple):
    """A running module: its path (``block/conv``, empty at the top), whether it has submodules."""

    path: str
    leaf: bool


@dataclass(eq=False)
class ForwardError(Exception):
    """The error of a forward pass, the innermost module that raised it, and its class.

    ``inputs`` are the shapes of the tensors that it was given; ``entering`` the names of the
    model's inputs among them.
    """

    error: BaseException | None = None
    path: str = ""
    kind: str = ""
    inputs: str = ""
    entering: tuple[str, ...] = ()


class Position(NamedTuple):
    """A point of a forward pass, the same in every run.

    It is the path of the module and the number of its call, the function that Python code calls
    there and the number of that call. ``operator`` is the ATen function that ran: there may be
    several at one place.
    """

    path: str
    call: int
    function: str = ""
    number: int = 0
    operator: str = ""

    @property
    def place(self) -> tuple[str, int, str, int]:
        """The position without the operator."""
        return self[:4]


FUSED = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
"""Modules that PyTorch replaces by one function unless functions are watched."""

ANONYMOUS = ("GraphModule", "InterpreterModule", "Module")
"""Classes that stand in for a module's own, which a file or a graph no longer knows."""


class ModuleCalls:
    """The modules that are running at the moment, outermost first, and which one failed.

    ``functions`` is the mode under which functions are followed, too. Where ``fused``, it is off in
    modules that PyTorch would not fuse under it.
    """

    def __init__(self, *, fused: bool = False) -> None:
        self.stack = [ModuleCall("", leaf=False)]
        self.functions = _FunctionCalls()
        self._fused = fused
        self._calls = Counter[str]()
        self._numbers = [0]  # of the running modules: which call of it
        self._failure = ForwardError()
        self.entering: dict[int, str] = {}
        """The model's inputs: the name of each by the identity of its tensor."""

    @property
    def position(self) -> Position:
        """Where the forward pass is at the moment."""
        return Position(self.path, self._numbers[-1], *self.functions.running)

    @property
    def path(self) -> str:
        """Path of the module that is running."""
        return self.stack[-1].path

    def watch(self, module: nn.Module) -> None:
        """Follow the calls of a module and of those in it; for a copy that is thrown away."""
        for name, each in named_modules(module):
            call = ModuleCall(name.replace(".", "/"), leaf=not any(each.children()))
            each.__dict__["_call_impl"] = self._followed(each._call_impl, each, call)

    def forget(self, module: nn.Module) -> None:
        """Stop following the calls of a module and of those in it."""
        for _, each in named_modules(module):
            each.__dict__.pop("_call_impl", None)

    def failure_of(self, error: BaseException) -> ForwardError:
        """Return where an error was raised; without a path if not in a module."""
        return self._failure if self._failure.error is error else ForwardError(error)

    def _followed(
        self, run: Callable[..., Any], module: nn.Module, call: ModuleCall
    ) -> Callable[..., Any]:
        alone = self._fused and isinstance(module, FUSED)

        def followed(*args: Any, **kwargs: Any) -> Any:
            self.stack.append(call)
            self._numbers.append(self._calls[call.path])
            self._calls[call.path] += 1
            outer = self.functions.begin()
            try:
                if not alone:
                    return run(*args, **kwargs)
                with torch._C.DisableTorchFunction():
                    return run(*args, **kwargs)
            except BaseException as error:
                if self._failure.error is not error:
                    self._failure = self._failed(error, call.path, module, args)
                raise
            finally:
                self.functions.end(outer)
                self._numbers.pop()
                self.stack.pop()

        return followed

    def _failed(
        self, error: BaseException, path: str, module: nn.Module, args: tuple[Any, ...]
    ) -> ForwardError:
        tensors = [each for each in args if isinstance(each, torch.Tensor)]
        shapes = ", ".join(f"{spec}" for spec in map(spec_of, tensors))
        names = tuple(self.entering[id(each)] for each in tensors if id(each) in self.entering)
        return ForwardError(error, path, type(module).__name__, shapes, names)


Running = tuple[Counter[str], tuple[str, int]]
"""How often a module has called each function, and the one that runs with its number."""


class _FunctionCalls(TorchFunctionMode):
    """Follows the functions that the running module calls."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = Counter[str]()
        self.running = ("", 0)

    def begin(self) -> Running:
        """Note that a module begins; return the state of the one that calls it."""
        outer = (self._counts, self.running)
        self._counts, self.running = Counter(), ("", 0)
        return outer

    def end(self, outer: Running) -> None:
        """Go back to the module that called."""
        self._counts, self.running = outer

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note a function while it runs."""
        outer, name = self.running, getattr(func, "__name__", "")
        self.running = (name, self._counts[name])
        self._counts[name] += 1
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.running = outer


def module_classes(module: nn.Module) -> dict[str, str]:
    """Return the class of every module by its path, where one is known; of scripted ones, too."""
    return {
        name.replace(".", "/"): kind
        for name, each in named_modules(module)
        if (kind := str(getattr(each, "original_name", "") or type(each).__name__)) not in ANONYMOUS
    }
