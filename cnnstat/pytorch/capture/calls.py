"""A call of a function as a run sees it, and what it means to cnnstat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from cnnstat.ir.op import Argument, Arguments, Op
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes
from cnnstat.pytorch.watching import Position


@dataclass(frozen=True, slots=True)
class Call:
    """One function call: its name and overload, arguments by name, results, where it is made.

    Tensors in ``arguments`` and ``results`` are the very objects that flowed, so that identity
    tells which result is read where. What a later call changes in place is noted as it was:
    ``specs`` of the results. ``path`` is that of the module; ``leaf`` tells whether it has no
    submodules.
    """

    function: Any
    name: str
    arguments: dict[str, Any]
    path: str
    leaf: bool
    position: Position
    differentiated: bool = True
    """Whether autograd would record it: not under ``torch.no_grad``."""
    results: tuple[torch.Tensor, ...] = ()
    specs: tuple[TensorSpec, ...] = ()

    @property
    def first(self) -> Any:
        """The argument that a function of one tensor is about."""
        return self.arguments.get("self", self.arguments.get("input"))

    @property
    def changes_view(self) -> bool:
        """Whether it shows its first argument in another shape, in place."""
        return torch.Tag.inplace_view in self.function.tags


class Meaning(NamedTuple):
    """The meaning of a call: operator, tensors it reads, stored tensors that are its weights.

    ``before`` and ``after`` are operators on single reads and results, as a ``Layer`` has them.
    """

    op: Op
    reads: tuple[torch.Tensor, ...]
    weights: tuple[torch.Tensor, ...] = ()
    before: tuple[tuple[int, str, Op], ...] = ()
    after: tuple[tuple[int, str, Op], ...] = ()


Rule = Callable[[Call], Meaning | None]
"""Answers None where a call is beyond it: the caller then makes it an ``Opaque`` row."""


def tensors(*values: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors among values, those in lists too, in order."""
    flat: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            flat.append(value)
        elif isinstance(value, list | tuple):
            flat += tensors(*value)
    return tuple(flat)


def plain_arguments(call: Call) -> Arguments:
    """Return the arguments that are numbers, texts or lists of them, by name."""
    pairs = ((name, _plain(value)) for name, value in call.arguments.items())
    return tuple((name, value) for name, value in pairs if value is not None)


def _plain(value: Any) -> Argument | None:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        known = tuple(item for item in items if item is not None)
        return known if len(known) == len(items) else None
    return None


def axes_of(value: Any, rank: int) -> Axes:
    """Return one whole number per axis of what PyTorch takes: a number, a list of one or of all."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (values * rank if len(values) == 1 else values))
