"""Makers of PyTorch modules, and their result where PyTorch has a plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from torch import nn

from cnnstat.ir.graph import NodeFacts


class Function(NamedTuple):
    """A function of tensors; ``form``: it takes them one by one, as a list, or folds two by two."""

    target: Callable[..., Any]
    form: Literal["spread", "list", "fold"] = "spread"
    arguments: tuple[int, ...] = ()


Maker = Callable[[Any, NodeFacts], nn.Module | Function | None]
