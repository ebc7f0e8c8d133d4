"""What adds up over operators, rows and models: stored values, work, bytes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from cnnstat.count.conventions import Convention
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Weight
from cnnstat.ir.tensor import DTYPE_BYTES
from cnnstat.ir.work import NO_WORK, Work


class Figures(NamedTuple):
    """What adds up over rows.

    ``work`` and ``counted`` hold the known part; ``unknown`` counts operators without a rule.
    ``counted`` is under the report's convention; ``unknown_counted`` the operators that it cannot
    count; ``own_params`` are parameters of a dtype of their own (quantised ones), ``own_bytes``
    their bytes.
    """

    weights: int = 0
    biases: int = 0
    buffers: int = 0
    work: Work = NO_WORK
    counted: int = 0
    unknown: int = 0
    unknown_counted: int = 0
    activation_bytes: int = 0
    cached_bytes: int = 0
    own_params: int = 0
    own_bytes: int = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sum."""
        return Figures(
            self.weights + other.weights,
            self.biases + other.biases,
            self.buffers + other.buffers,
            self.work.plus(other.work) if any(other.work) else self.work,
            self.counted + other.counted,
            self.unknown + other.unknown,
            self.unknown_counted + other.unknown_counted,
            self.activation_bytes + other.activation_bytes,
            self.cached_bytes + other.cached_bytes,
            self.own_params + other.own_params,
            self.own_bytes + other.own_bytes,
        )

    def times(self, count: int) -> Figures:
        """Return the sum of ``count`` such figures."""
        weights, biases, buffers, work, *others = self
        return Figures(
            weights * count,
            biases * count,
            buffers * count,
            work.times(count) if any(work) else work,
            *[other * count for other in others],
        )

    @property
    def params(self) -> int:
        """Weights and biases: everything that is trained."""
        return self.weights + self.biases


def total_of(parts: Sequence[tuple[Figures, int]]) -> Figures:
    """Return the sum of figures, each so many times."""
    figures = [each for each, _ in parts]
    counts = [count for _, count in parts]
    weights, biases, buffers, works, *others = zip(*figures, strict=True)
    work = Work(*[sum(map(mul, kind, counts)) for kind in zip(*works, strict=True)])
    before = [sum(map(mul, column, counts)) for column in (weights, biases, buffers)]
    behind = [sum(map(mul, column, counts)) for column in others]
    return Figures._make([*before, work, *behind])


def figures_of(
    type_name: str, facts: NodeFacts, convention: Convention, size: int, *, tied: bool, owns: bool
) -> Figures:
    """Return the figures of one operator.

    ``size`` is the bytes that it allocates; ``tied`` weights count where they are first used;
    ``owns``: whether the operator makes a tensor of its own.
    """
    sums = {"weight": 0, "bias": 0, "buffer": 0}
    for weight in facts.weights:
        sums[weight.role] += weight.numel
    own = [w for w in facts.weights if not tied and w.role != "buffer" and _has_own_dtype(w)]
    trained = sums["weight"] + sums["bias"]
    cached = facts.inputs[0].nbytes if trained and owns and facts.inputs else 0
    if tied:
        sums = dict.fromkeys(sums, 0)
    counted = convention.count(type_name, facts)
    return Figures(
        sums["weight"],
        sums["bias"],
        sums["buffer"],
        facts.work or NO_WORK,
        counted or 0,
        int(facts.work is None),
        int(counted is None),
        size,
        cached,
        sum(weight.numel for weight in own),
        sum(weight.numel * DTYPE_BYTES[weight.dtype or ""] for weight in own),
    )


def _has_own_dtype(weight: Weight) -> bool:
    """Return whether a weight keeps its dtype where the model's is another; float32 follows it."""
    return weight.dtype not in (None, "float32")
