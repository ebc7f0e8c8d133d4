"""What watches a forward pass: the functions that PyTorch runs, and the modules that call them.

PyTorch hands functions of functions (``torch.cond``, ``while_loop``, ``flex_attention``) to a
dispatch mode undivided. Their eager implementation runs under the same mode, which sees the calls
that it makes. Modules are not followed by hooks: PyTorch takes no fused attention where a module
has any. An instance's ``_call_impl`` is what ``Module.__call__`` runs, hooks included; it is a
private name of PyTorch, and used only here.

A call belongs to the node of a captured graph at its position in the pass. Most positions have one
node. Where several functions run at one (a scripted module, attention), their sequence and that of
the nodes are aligned by name.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch._C import DispatchKey
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cnnstat.ir.graph import Graph
from cnnstat.pytorch.tensors import named_modules, spec_of

Result = TypeVar("Result")


class FunctionMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs the functions that PyTorch is asked for; ``run`` says how."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that no compiler has to be kept out, whose import would take longer than the run."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function, or those that it is made of."""
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            kernel = _eager_kernel(func)
            with self:
                return kernel(*args, **kwargs)
        if func.namespace == "prim":  # a question about a tensor, such as its device
            return func(*args, **kwargs)
        return self.run(func, args, kwargs)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function that is not made of others."""
        return func(*args, **kwargs)


def _eager_kernel(func: Any) -> Any:
    if str(func) == "cond":  # its own refuses to run under a mode
        return _branch
    kernel = func.py_kernels.get(DispatchKey.CompositeExplicitAutograd)
    if kernel is None:
        raise NotImplementedError(f"{func} runs in compiled code alone")
    return kernel


def _branch(taken: Any, true: Any, false: Any, operands: Sequence[Any]) -> Any:
    return (true if taken else false)(*operands)


def name_of(func: Any) -> str:
    """Return a function's name without its overload; one that is not ATen's with its library."""
    return str(func._schema.name).removeprefix("aten::")


@contextmanager
def uncompiled() -> Iterator[None]:
    """Run what ``torch.compile`` wraps as it is written; else it would compile the modes, too."""
    if "torch._dynamo" not in sys.modules:  # nothing is wrapped
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def without_compiler(run: Callable[[], Result]) -> Result:
    """Run; where PyTorch's compiler, which ``torch.cond`` calls unasked, fails, run without it."""
    try:
        return run()
    except Exception as error:
        cause = getattr(error, "error", error)  # of a ``ForwardError``
        if not type(cause).__module__.startswith("torch._dynamo"):
            raise
    with torch.compiler.set_stance("force_eager"):
        return run()


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


@dataclass(slots=True)
class Running:
    """A running module: its path, whether it has submodules, and which call of it this is.

    ``counts`` tells how often it has called each function, ``function`` which of them runs, with
    the number of that call. The path is ``block/conv``, empty at the top.
    """

    path: str
    leaf: bool
    call: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    function: tuple[str, int] = ("", 0)


class ModuleCalls(TorchFunctionMode):
    """The modules that are running at the moment, outermost first, and which one failed.

    As a mode it follows functions, too. Where ``fused``, it is off in modules that PyTorch would
    not fuse under it.
    """

    def __init__(self, *, fused: bool = False) -> None:
        super().__init__()
        self.stack = [Running("", leaf=False)]
        self._fused = fused
        self._calls = Counter[str]()
        self._failure = ForwardError()
        self.entering: dict[int, str] = {}
        """The model's inputs: the name of each by the identity of its tensor."""

    @property
    def position(self) -> Position:
        """Where the forward pass is at the moment."""
        running = self.stack[-1]
        return Position(running.path, running.call, *running.function)

    @property
    def path(self) -> str:
        """Path of the module that is running."""
        return self.stack[-1].path

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note a function while it runs."""
        running, name = self.stack[-1], getattr(func, "__name__", "")
        outer = running.function
        running.function = (name, running.counts[name])
        running.counts[name] += 1
        try:
            return func(*args, **(kwargs or {}))
        finally:
            running.function = outer

    def watch(self, module: nn.Module) -> None:
        """Follow the calls of a module and of those in it; for a copy that is thrown away."""
        for name, each in named_modules(module):
            each.__dict__["_call_impl"] = self._followed(each, name.replace(".", "/"))

    def forget(self, module: nn.Module) -> None:
        """Stop following the calls of a module and of those in it."""
        for _, each in named_modules(module):
            each.__dict__.pop("_call_impl", None)

    def failure_of(self, error: BaseException) -> ForwardError:
        """Return where an error was raised; without a path if not in a module."""
        return self._failure if self._failure.error is error else ForwardError(error)

    def _followed(self, module: nn.Module, path: str) -> Callable[..., Any]:
        run: Callable[..., Any] = module._call_impl
        leaf = not any(module.children())
        alone = self._fused and isinstance(module, FUSED)
        guard: Callable[[], Any] = torch._C.DisableTorchFunction if alone else nullcontext

        def followed(*args: Any, **kwargs: Any) -> Any:
            self.stack.append(Running(path, leaf, self._calls[path]))
            self._calls[path] += 1
            try:
                with guard():
                    return run(*args, **kwargs)
            except BaseException as error:
                if self._failure.error is not error:
                    self._failure = self._failed(error, path, module, args)
                raise
            finally:
                self.stack.pop()

        return followed

    def _failed(
        self, error: BaseException, path: str, module: nn.Module, args: tuple[Any, ...]
    ) -> ForwardError:
        tensors = [each for each in args if isinstance(each, torch.Tensor)]
        shapes = ", ".join(f"{spec}" for spec in map(spec_of, tensors))
        names = tuple(self.entering[id(each)] for each in tensors if id(each) in self.entering)
        return ForwardError(error, path, type(module).__name__, shapes, names)


def module_classes(module: nn.Module) -> dict[str, str]:
    """Return the class of every module by its path, where one is known; of scripted ones, too."""
    return {
        name.replace(".", "/"): kind
        for name, each in named_modules(module)
        if (kind := str(getattr(each, "original_name", "") or type(each).__name__)) not in ANONYMOUS
    }


PARTS = {
    "linear": ("addmm", "mm", "mv", "bmm"),
    "matmul": ("mm", "mv", "bmm", "dot"),
    "contiguous": ("clone",),
    "scaled_dot_product_attention": ("_scaled_dot_product", "_safe_softmax"),
}
"""Functions by the beginnings of the names of those they are made of, where that is not theirs."""

Key = tuple[object, ...]


class Places:
    """The calls of a forward pass in order, each at the position that ``calls`` sees."""

    def __init__(self, graph: Graph, calls: ModuleCalls) -> None:
        self._graph = graph
        self._calls = calls
        self._operators: dict[int, str] = {}
        self._nodes: dict[Key, list[int]] = {}
        self._keys: list[Key] = [()]
        self._functions = [""]
        for index, node in enumerate(graph.nodes):
            origin = graph.origins.get(node.name)
            if isinstance(origin, Position) and node.inputs:
                self._operators[index] = origin.operator.strip("_")
                for key in (origin.place, origin.place[:2]):
                    self._nodes.setdefault(key, []).append(index)

    @property
    def last(self) -> int:
        """Number of the last call; 0 stands for the inputs."""
        return len(self._keys) - 1

    def enter(self, function: str) -> int:
        """Note a call of a function at this position of the pass; return its number."""
        position = self._calls.position
        key: Key = position.place
        if key not in self._nodes and not position.function:  # functions are not followed there
            key = position.place[:2]
        self._keys.append(key)
        self._functions.append(function.rpartition("::")[2])
        return self.last

    @cached_property
    def nodes(self) -> list[int]:
        """Return the node of every call.

        One without a node (dropout in training) has that of the call before it.
        """
        numbers: dict[Key, list[int]] = {}
        for number, key in enumerate(self._keys):
            numbers.setdefault(key, []).append(number)
        nodes: dict[int, int] = {}
        for key, calls in numbers.items():
            if key in self._nodes:
                functions = [self._functions[number] for number in calls]
                aligned = self._aligned(self._nodes[key], functions)
                nodes.update(zip(calls, aligned, strict=True))
        last, each = 0, []
        for number in range(len(self._keys)):
            last = nodes.get(number, last)
            each.append(last)
        return each

    def _aligned(self, nodes: Sequence[int], functions: Sequence[str]) -> list[int]:
        """Return the node of each function: of the pairs in order, those that weigh most.

        A function without a partner belongs to the node before it, at the start to the first.
        """
        if len(nodes) == 1:
            return [nodes[0]] * len(functions)
        best = [[0] * (len(nodes) + 1) for _ in range(len(functions) + 1)]
        for i in range(len(functions) - 1, -1, -1):
            for j in range(len(nodes) - 1, -1, -1):
                pair = self._weight(functions[i], nodes[j])
                with_pair = pair + best[i + 1][j + 1] if pair else 0
                best[i][j] = max(with_pair, best[i + 1][j], best[i][j + 1])
        aligned, at, j = [], nodes[0], 0
        for i, function in enumerate(functions):
            while j < len(nodes) and best[i][j] == best[i][j + 1] > best[i + 1][j]:
                j += 1
            pair = self._weight(function, nodes[j]) if j < len(nodes) else 0
            if pair and best[i][j] == pair + best[i + 1][j + 1]:
                at, j = nodes[j], j + 1
            aligned.append(at)
        return aligned

    def _weight(self, function: str, node: int) -> int:
        """Return 0 if a function is not part of a node, little if it is a view."""
        operator = self._operators[node]
        name = function.strip("_").removeprefix("native_")
        if name.startswith(operator) or function.startswith(PARTS.get(operator, operator)):
            return 1 if self._graph.nodes[node].op.storage == "view" else 3
        return 0
