"""Functions of functions (``torch.cond``, ``while_loop``, ``flex_attention``), run as eager code.

PyTorch hands them to a dispatch mode undivided. Their eager implementation runs under the same
mode, which sees the calls that it makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch._C import DispatchKey
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode


def eagerly(
    mode: TorchDispatchMode, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> Callable[[], Any] | None:
    """Return what runs a function of functions under a mode; None for any other function."""
    if not isinstance(func, HigherOrderOperator):
        return None
    name = str(func)
    kernel = func.py_kernels.get(DispatchKey.CompositeExplicitAutograd)
    if name == "cond":  # its own refuses to run under a mode
        kernel = _branch
    if kernel is None:
        raise NotImplementedError(f"{name} runs in compiled code alone")

    def run() -> Any:
        with mode:
            return kernel(*args, **(kwargs or {}))

    return run


def _branch(taken: Any, true: Any, false: Any, operands: Sequence[Any]) -> Any:
    return (true if taken else false)(*operands)


def is_compilers(error: BaseException | None) -> bool:
    """Return whether PyTorch's compiler failed, which ``torch.cond`` runs without being asked."""
    return type(error).__module__.startswith("torch._dynamo")
