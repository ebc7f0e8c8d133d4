"""Modes that see every function which PyTorch runs, also those inside of functions of functions.

PyTorch hands such functions (``torch.cond``, ``while_loop``, ``flex_attention``) to a dispatch mode
undivided. Their eager implementation runs under the same mode, which sees the calls that it makes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch._C import DispatchKey
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

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
