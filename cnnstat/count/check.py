"""cnnstat's own figures against independent counts: equality, operator by operator.

Measurements come in as plain data (``Measurement``), so nothing here runs anything. There is
no tolerance; what is allowed to differ is a ``Limitation`` with a sentence, and is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cnnstat.count.conventions import FVCORE, TORCH, Convention
from cnnstat.count.report import UNCOUNTED_WEIGHTS, Report
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph, module_path
from cnnstat.ir.op import Op
from cnnstat.ops import BatchNorm2d

Shapes = tuple[tuple[int, ...], ...]
Figure = int | Shapes | tuple[tuple[str, tuple[int, ...]], ...]
"""A count, the shapes of an operator's results, or the names and shapes of its stored tensors."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Results of running a graph; per-node tuples run parallel to the graph's nodes.

    ``stored`` holds the name and shape of each parameter and buffer; ``left_out`` the operators
    that fvcore has no rule for, with how often it met them.
    """

    shapes: tuple[Shapes, ...]
    stored: tuple[Mapping[str, tuple[int, ...]], ...]
    torch_flops: tuple[int, ...]
    torch_total: int
    fvcore_flops: tuple[int, ...]
    fvcore_total: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModuleMeasurement:
    """Results of running a user's own module, and the tensors that it stores.

    ``torch_flops`` has the calls that each module makes itself, by its path: ``block/conv``, empty
    for the whole. fvcore, which traces modules with real tensors, does not count it.
    """

    params: int
    buffers: int
    torch_flops: Mapping[str, int]
    torch_total: int
    fvcore_total: None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


class Limitation(NamedTuple):
    """A difference that is known and allowed: the stored tensor of an operator, and why."""

    op: type[Op]
    tensor: str
    reason: str


LIMITATIONS: tuple[Limitation, ...] = (
    Limitation(
        BatchNorm2d,
        "num_batches_tracked",
        "PyTorch stores a counter per batch normalisation, which no paper and no other framework "
        "has",
    ),
)
"""Everything that PyTorch stores and cnnstat leaves out."""


class Difference(NamedTuple):
    """One figure that is not the same: ``ours`` against ``theirs``, as ``counter`` counts it.

    ``name`` is a node's, or ``total`` for a sum.
    """

    name: str
    type_name: str
    quantity: str
    counter: str
    ours: Figure
    theirs: Figure


@dataclass(frozen=True, slots=True)
class Check:
    """One model compared with its measurement."""

    shaped: ShapedGraph
    measured: Measurement | ModuleMeasurement
    differences: tuple[Difference, ...]
    hidden: tuple[str, ...] = ()
    """Weights that the model uses and that neither side counted, a sentence each."""

    @property
    def name(self) -> str:
        """Name of the graph."""
        return self.shaped.graph.name

    @property
    def by_sums(self) -> bool:
        """Whether sums were compared, as of a module of the user's own, not every operator."""
        return isinstance(self.measured, ModuleMeasurement)

    @property
    def agree(self) -> bool:
        """Whether every figure that was compared is the same."""
        return not self.differences

    @property
    def uncounted(self) -> tuple[Node, ...]:
        """Operators without a rule: cnnstat has no count to compare, so agreement is partial."""
        pairs = zip(self.shaped.nodes, self.shaped.facts, strict=True)
        return tuple(node for node, facts in pairs if facts.work is None)

    def counted(self, convention: Convention) -> int:
        """Return cnnstat's own count of the whole under a convention."""
        pairs = zip(self.shaped.nodes, self.shaped.facts, strict=True)
        return sum(_count(convention, node, facts) for node, facts in pairs)


def check(shaped: ShapedGraph, measured: Measurement) -> Check:
    """Compare a graph's own figures with a measurement of the same graph."""
    return Check(shaped, measured, differences(shaped, measured))


def check_module(report: Report, measured: ModuleMeasurement) -> Check:
    """Compare the figures of a captured module with the module itself.

    Sums decide: a weight that one module holds and another uses has no one place. Where the sum of
    FLOPs differs, the modules whose own calls differ are named.
    """
    shaped, totals = report.shaped, report.totals
    ours = dict.fromkeys(measured.torch_flops, 0)
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        ours[module_path(node.name, ours)] += _count(TORCH, node, facts)
    total = sum(ours.values())
    sums: list[tuple[str, str, Figure, Figure]] = [
        ("total", "params", totals.params, measured.params),
        ("total", "buffers", totals.buffers, measured.buffers),
        ("total", "flops", total, measured.torch_total),
    ]
    if total != measured.torch_total:
        calls = measured.torch_flops.items()
        sums[:0] = [(path or "forward", "flops", ours[path], flops) for path, flops in calls]
    rows = [
        Difference(name, "", quantity, "torch", here, there)
        for name, quantity, here, there in sums
        if here != there
    ]
    hidden = [f"{n.path}: {n.message}" for n in report.notes if n.code == UNCOUNTED_WEIGHTS]
    return Check(shaped, measured, tuple(rows), tuple(hidden))


def differences(shaped: ShapedGraph, measured: Measurement) -> tuple[Difference, ...]:
    """Return every figure that differs, in the order of the nodes, the totals last."""
    rows: list[Difference] = []
    totals = {TORCH.name: 0, FVCORE.name: 0}
    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        for quantity, counter, ours, theirs in _figures(node, facts, measured, index):
            if quantity == "flops" and isinstance(ours, int):
                totals[counter] += ours
            if ours != theirs:
                rows.append(
                    Difference(node.name, node.op.type_name, quantity, counter, ours, theirs)
                )
    for counter, theirs in (
        (TORCH.name, measured.torch_total),
        (FVCORE.name, measured.fvcore_total),
    ):
        if totals[counter] != theirs:
            rows.append(Difference("total", "", "flops", counter, totals[counter], theirs))
    return tuple(rows)


def _figures(
    node: Node, facts: NodeFacts, measured: Measurement, index: int
) -> Iterator[tuple[str, str, Figure, Figure]]:
    yield "shape", "torch", tuple(spec.shape for spec in facts.outputs), measured.shapes[index]
    allowed = {row.tensor for row in LIMITATIONS if row.op is type(node.op)}
    stored = {name: shape for name, shape in measured.stored[index].items() if name not in allowed}
    ours = {weight.name: weight.shape for weight in facts.weights}
    yield "params", "torch", tuple(sorted(ours.items())), tuple(sorted(stored.items()))
    yield "flops", TORCH.name, _count(TORCH, node, facts), measured.torch_flops[index]
    yield "flops", FVCORE.name, _count(FVCORE, node, facts), measured.fvcore_flops[index]


def _count(convention: Convention, node: Node, facts: NodeFacts) -> int:
    return convention.count(node.op, facts) or 0
