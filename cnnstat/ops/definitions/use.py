"""One use of a function as its definition of work sees it: arguments, tensors and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work

Specs = tuple[TensorSpec, ...]


class Use(NamedTuple):
    """Arguments by PyTorch's names, the tensors that are read, their names, and the results."""

    arguments: Mapping[str, Any]
    inputs: Specs
    names: tuple[str, ...]
    results: Specs

    @property
    def first(self) -> TensorSpec:
        """The first tensor that is read; the first result where there is none."""
        return self.inputs[0] if self.inputs else self.results[0]

    @property
    def m(self) -> int:
        """Elements of the first tensor."""
        return self.first.numel

    @property
    def n(self) -> int:
        """Elements of the first result."""
        return self.results[0].numel

    def tensor(self, name: str) -> TensorSpec | None:
        """Return the spec of a tensor by the name of its argument, None where it is left out."""
        return next((s for k, s in zip(self.names, self.inputs, strict=False) if k == name), None)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor that must be there; raises ``KeyError``."""
        spec = self.tensor(name)
        if spec is None:
            raise KeyError(name)
        return spec.shape

    def numel(self, name: str) -> int:
        """Return how many elements a tensor has; 0 where it is left out."""
        spec = self.tensor(name)
        return 0 if spec is None else spec.numel

    def axes(self, name: str = "dim") -> tuple[int, ...]:
        """Return the axes that an argument names; all of the first tensor where it names none."""
        rank = self.first.rank
        value = self.arguments.get(name)
        listed = (value,) if isinstance(value, int) else tuple(value or ())
        return tuple(axis % max(rank, 1) for axis in listed) or tuple(range(rank))

    def length(self, name: str = "dim", usual: int = -1) -> int:
        """Return the extent of the first tensor along an axis; 1 of a scalar."""
        value = self.arguments.get(name)
        axis = value if isinstance(value, int) else usual
        return self.first.shape[axis] if self.first.rank else 1


Definition = Callable[[Use], Work | None]
"""The work of one use; None where it is unknown."""


def per_result(**counts: int) -> Definition:
    """Return as many operations of each kind for each element of the first result."""
    return lambda use: Work(**{kind: k * use.n for kind, k in counts.items()})


def per_input(**counts: int) -> Definition:
    """Return as many operations of each kind for each element of the first tensor."""
    return lambda use: Work(**{kind: k * use.m for kind, k in counts.items()})


def log2(count: int) -> int:
    """Return log2, rounded up, at least 1."""
    return max(1, (count - 1).bit_length())
