"""Figures that add up over operators, rows and models: stored values, work, bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from math import prod
from operator import mul
from typing import NamedTuple

from cnnstat.count.conventions import Convention
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op, Specs, Weight
from cnnstat.ir.tensor import bytes_of
from cnnstat.ir.work import NO_WORK, Work


class Figures(NamedTuple):
    """Figures that add up over rows.

    ``work`` and ``counted`` hold the known part; ``unknown`` counts operators without a rule.
    ``counted`` is under the report's convention; ``unknown_counted`` the operators that it cannot
    count. ``param_bytes`` follow each parameter's own dtype.
    """

    weights: int = 0
    biases: int = 0
    buffers: int = 0
    param_bytes: int = 0
    work: Work = NO_WORK
    counted: int = 0
    unknown: int = 0
    unknown_counted: int = 0
    activation_bytes: int = 0
    cached_bytes: int = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sum."""
        return Figures(
            self.weights + other.weights,
            self.biases + other.biases,
            self.buffers + other.buffers,
            self.param_bytes + other.param_bytes,
            self.work.plus(other.work) if any(other.work) else self.work,
            self.counted + other.counted,
            self.unknown + other.unknown,
            self.unknown_counted + other.unknown_counted,
            self.activation_bytes + other.activation_bytes,
            self.cached_bytes + other.cached_bytes,
        )

    @property
    def params(self) -> int:
        """Weights and biases: everything that is trained."""
        return self.weights + self.biases


def summed(parts: Iterable[Figures]) -> Figures:
    """Return the sum of figures."""
    return reduce(Figures.plus, parts)


def total_of(parts: Sequence[tuple[Figures, int]]) -> Figures:
    """Return the sum of figures, each so many times."""
    figures = [each for each, _ in parts]
    counts = [count for _, count in parts]
    weights, biases, buffers, param_bytes, works, *others = zip(*figures, strict=True)
    work = Work(*[sum(map(mul, kind, counts)) for kind in zip(*works, strict=True)])
    before = [sum(map(mul, column, counts)) for column in (weights, biases, buffers, param_bytes)]
    behind = [sum(map(mul, column, counts)) for column in others]
    return Figures._make([*before, work, *behind])


def float_dtype(inputs: Specs) -> str:
    """Return the dtype of weights that have none of their own: that of what they act on."""
    numbers = [spec.dtype for spec in inputs if spec.is_float or spec.is_complex]
    return numbers[0] if numbers else "float32"


def stored_of(weights: Sequence[Weight], inputs: Specs) -> tuple[int, int, int, int]:
    """Return the weights, biases and buffers of an operator, and the bytes of its parameters."""
    multiplicative = biases = buffers = param_bytes = 0
    for _, shape, role, dtype in weights:
        count = prod(shape)
        if role == "buffer":
            buffers += count
            continue
        if role == "weight":
            multiplicative += count
        else:
            biases += count
        param_bytes += bytes_of(count, dtype or float_dtype(inputs))
    return multiplicative, biases, buffers, param_bytes


def cached_bytes(inputs: Specs, stored: tuple[int, int, int, int], *, owns: bool) -> int:
    """Return the bytes of the copy of its input that a weighted layer caches."""
    trained = stored[0] or stored[1]
    return inputs[0].nbytes if trained and owns and inputs else 0


def figures_of(
    op: Op, facts: NodeFacts, convention: Convention, size: int, *, tied: bool, owns: bool
) -> Figures:
    """Return the figures of one operator.

    ``size`` is the bytes that it allocates; ``tied`` weights count where they are first used;
    ``owns``: whether the operator makes a tensor of its own.
    """
    stored = stored_of(facts.weights, facts.inputs)
    counted = convention.count(op, facts)
    return Figures(
        *((0, 0, 0, 0) if tied else stored),
        facts.work or NO_WORK,
        counted or 0,
        int(facts.work is None),
        int(counted is None),
        size,
        cached_bytes(facts.inputs, stored, owns=owns),
    )
