"""The report: every figure of a model, by layer and in total, under one convention.

Rows are grouped from the same per-operator figures in every view (by layer, expanded, by depth), so
the sum of the rows is the total always. An operator without a rule leaves its row unknown and the
report ``partial``: its totals are lower bounds then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from cnnstat.count.conventions import PAPER, Convention
from cnnstat.count.figures import Figures, figures_of, summed, total_of
from cnnstat.count.layer import Layer
from cnnstat.count.liveness import allocated_bytes, peak_bytes
from cnnstat.count.paths import depth_of, paths_of, shortest_depth_of
from cnnstat.count.placement import Placement, place
from cnnstat.ir.graph import ShapedGraph, Value
from cnnstat.ir.tensor import UNKNOWN, TensorSpec

if TYPE_CHECKING:
    from cnnstat.count.receptive.field import Fields, ReceptiveField
    from cnnstat.count.traffic import Traffic
    from cnnstat.count.training import Training


class Note(NamedTuple):
    """A remark on the figures: a stable ``code``, the place, and one sentence."""

    code: str
    path: str
    message: str


RUN = 4
"""From this number on, functions that a module calls in a row are one row at a ``--depth``."""

WEIGHTS_ALONE = "weights_alone"
"""Code of the note on a file that holds weights and nothing else."""

NAMELESS = "?"
"""Type of an operator of which not even the name is known; a note of its reader's says why."""

UNCOUNTED_WEIGHTS = "uncounted_weights"
"""Code of a note on a node some of whose weights are not counted: parameters are a lower bound."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the model; a partial report's ``macs``, ``flops``, ``counted`` are lower bounds."""

    weights: int
    biases: int
    params: int
    trainable_params: int
    buffers: int
    macs: int
    flops: int
    counted: int
    param_bytes: int
    activation_bytes: int
    cached_activation_bytes: int
    peak_activation_bytes: int
    peak_layer: str
    depth: int
    paths: int


OF_WEIGHTS = {"weights", "biases", "params", "trainable_params", "buffers", "param_bytes"}
"""The totals that a file of weights alone tells."""


@dataclass(frozen=True, repr=False)
class Report:
    """Everything about one shaped graph under one convention.

    ``notes`` may be extended by whoever loads the model.
    """

    shaped: ShapedGraph
    convention: Convention
    placement: Placement
    nodes: tuple[Figures, ...]
    """Figures of each operator, parallel to the graph's nodes."""
    notes: tuple[Note, ...] = ()
    frozen_params: int = 0
    """Parameters that training leaves alone, without those of frozen nodes."""
    training: Training | None = None
    """Work of a training step, where it was asked for."""
    single: bool = False
    """Whether the first input has no batch axis: all axes are those of one example."""

    def __repr__(self) -> str:
        least = ">= " if self.status == "partial" else ""
        figures = self.totals_figures
        return (
            f"<Report {self.name}: {len(self.layers)} layers, {figures.params:,} parameters, "
            f"{least}{figures.work.macs:,} MACs, {self.status}>"
        )

    @property
    def name(self) -> str:
        """Name of the graph."""
        return self.shaped.graph.name

    @property
    def status(self) -> Literal["complete", "partial"]:
        """``partial`` when any operator has no rule."""
        return "partial" if self.totals_figures.unknown else "complete"

    @cached_property
    def uncounted(self) -> frozenset[str]:
        """Names of nodes with weights that are not counted."""
        return frozenset(note.path for note in self.notes if note.code == UNCOUNTED_WEIGHTS)

    @property
    def shapes_status(self) -> Literal["complete", "partial"]:
        """``partial`` when the shape of any result is unknown: bytes are lower bounds then."""
        unknown = any(UNKNOWN in facts.outputs for facts in self.shaped.facts)
        return "partial" if unknown else "complete"

    @property
    def has_weights_alone(self) -> bool:
        """Whether nothing but weights is known of the model."""
        return any(note.code == WEIGHTS_ALONE for note in self.notes)

    def knows(self, total: str) -> bool:
        """Whether a total is known at all: of weights alone, those of the parameters are."""
        return total in OF_WEIGHTS or not self.has_weights_alone

    @property
    def params_status(self) -> Literal["complete", "partial"]:
        """``partial`` when some weights are not counted: ``params`` is a lower bound then."""
        return "partial" if self.uncounted else "complete"

    @property
    def training_status(self) -> Literal["complete", "partial"]:
        """``partial`` when an operator has no rule for its gradients, of what was asked for."""
        known = self.training is None or self.training.is_complete
        return "complete" if known else "partial"

    @cached_property
    def inputs(self) -> dict[str, TensorSpec]:
        """Spec of every input by name."""
        return {
            node.name: self.shaped.shown(Value(index))
            for index, node in enumerate(self.shaped.nodes)
            if node.op.is_input
        }

    @property
    def input(self) -> TensorSpec:
        """Spec of the first input as it is shown; a scalar where the graph has none."""
        return next(iter(self.inputs.values()), TensorSpec(()))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input without the batch."""
        return self.without_batch(self.input)

    @property
    def entering(self) -> dict[str, TensorSpec]:
        """Spec of every input by name, its axes in the graph's own order."""
        return self.shaped.entering

    @property
    def batch(self) -> int:
        """Extent of the first axis of the first input that has one; 1 for a single example."""
        return 1 if self.single else batch_of(self.inputs)

    def without_batch(self, spec: TensorSpec) -> tuple[int, ...]:
        """Return the shape of an input without the batch; the whole shape of a single example."""
        return spec.shape if self.single else spec.shape[1:]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """One row per layer as the literature draws it."""
        return self.view()

    def view(self, *, expand: bool = False, depth: int | None = None) -> tuple[Layer, ...]:
        """Return the rows: by layer, or every operator (``expand``).

        Modules deeper than ``depth`` are one row each.
        """
        nodes, row = self.shaped.nodes, self.placement.row
        names = [node.name if expand else node.row or node.name for node in nodes]
        keys: list[str] = []
        for index in range(len(nodes)):
            name = names[index if expand else row[index]]
            keys.append(name if depth is None else "/".join(name.split("/")[:depth]))
        members: dict[str, list[int]] = {}
        for index, key in enumerate(keys):
            members.setdefault(key, []).append(index)
        rows = []
        sums: dict[tuple[int, ...], Figures] = {}  # a repeated block adds up once
        for key, inside in members.items():
            parts = tuple([id(self.nodes[index]) for index in inside])
            figures = sums.get(parts)
            if figures is None:
                figures = sums[parts] = summed([self.nodes[index] for index in inside])
            anchors = {index if expand else self.placement.row[index] for index in inside}
            grouped = len(anchors) > 1 or names[next(iter(anchors))] != key
            anchor = inside[0] if grouped else next(iter(anchors))
            rows.append(Layer(self, key, anchor, tuple(inside), figures, grouped))
        if not expand:  # what a row reads may be made or viewed earlier
            rows.sort(key=lambda layer: min([row[index] for index in layer.nodes]))
        if depth is not None and not expand:
            rows = list(self._with_runs(rows))
        return tuple(rows)

    def _with_runs(self, rows: list[Layer]) -> Iterator[Layer]:
        """Yield the rows, with functions that a module calls one after the other as one row.

        Only functions that neither store nor multiply anything, where the modules are known.
        """
        for (_, free), run in groupby(rows, key=lambda row: (row.path, row.is_free_function)):
            members = list(run)
            if not free or len(members) < RUN:
                yield from members
                continue
            first, last = members[0].name, members[-1].name.rpartition("/")[2]
            figures = summed([member.figures for member in members])
            nodes = tuple(sorted(index for member in members for index in member.nodes))
            yield Layer(self, f"{first} ... {last}", nodes[0], nodes, figures, grouped=True)

    def layer(self, name: str) -> Layer | None:
        """Return the row or the single operator of this name; None if there is neither."""
        row = self._by_name.get(name)
        if row is None:
            row = next((each for each in self.view(expand=True) if each.name == name), None)
        return row

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {row.name: row for row in self.layers}

    @cached_property
    def totals_figures(self) -> Figures:
        """Sum of the figures of all operators."""
        repeats = Counter(map(id, self.nodes))  # equal operators share one instance
        distinct = dict(zip(map(id, self.nodes), self.nodes, strict=True))
        return total_of([(figures, repeats[key]) for key, figures in distinct.items()])

    @cached_property
    def traffic(self) -> tuple[Traffic, ...]:
        """Bytes that each operator reads and writes, parallel to the graph's nodes."""
        from cnnstat.count.traffic import traffic_of

        return traffic_of(self.shaped, self.placement)

    @cached_property
    def totals(self) -> Totals:
        """The model's totals."""
        sums = self.totals_figures
        peak, where = peak_bytes(self.shaped, self.placement)
        return Totals(
            weights=sums.weights,
            biases=sums.biases,
            params=sums.params,
            trainable_params=sums.params - self.frozen_params - params_of_frozen(self.shaped),
            buffers=sums.buffers,
            macs=sums.work.macs,
            flops=sums.work.flops,
            counted=sums.counted,
            param_bytes=sums.param_bytes,
            activation_bytes=sums.activation_bytes,
            cached_activation_bytes=sums.activation_bytes + sums.cached_bytes,
            peak_activation_bytes=peak,
            peak_layer=self.shaped.nodes[self.placement.row[where]].name,
            depth=depth_of(self.shaped),
            paths=paths_of(self.shaped),
        )

    @cached_property
    def last_map(self) -> Layer | None:
        """The last row of maps whose elements do not all read the same; None without any.

        Behind it, all of the input is read. Where it is unknown what a later row reads, it is that
        row, whose field is None.
        """
        for layer in reversed(self.layers):
            field = layer.receptive_field
            local = field is not None and not field.everywhere and layer.output.rank > 2
            if local or self.fields.is_unknown(Value(layer.nodes[-1])):
                return layer
        return None

    @cached_property
    def shallowest_path(self) -> int:
        """Weighted layers on the shortest way through; ``totals.depth`` is the longest."""
        return shortest_depth_of(self.shaped)

    @cached_property
    def fields(self) -> Fields:
        """The receptive field of every result."""
        from cnnstat.count.receptive.field import Fields

        return Fields(self.shaped)

    def receptive_field(self, node: int) -> ReceptiveField | None:
        """Return what an element of a node's first result reads of the input; None if unknown."""
        return self.fields.receptive_field(Value(node))


def batch_of(inputs: Mapping[str, TensorSpec]) -> int:
    """Return the extent of the first axis of the first input that has one."""
    return next((spec.shape[0] for spec in inputs.values() if spec.shape), 1)


def params_of_frozen(shaped: ShapedGraph) -> int:
    """Return the parameters of the frozen nodes, each tensor once."""
    return sum(
        weight.numel
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        if node.frozen and node.tied_to is None
        for weight in facts.weights
        if weight.role != "buffer"
    )


def analyze(
    shaped: ShapedGraph,
    *,
    convention: Convention = PAPER,
    notes: tuple[Note, ...] = (),
    frozen_params: int = 0,
    training: Training | None = None,
    single: bool = False,
) -> Report:
    """Return the report of a shaped graph under a convention."""
    placement = place(shaped.graph)
    known: dict[tuple[int, bool, bool], Figures] = {}
    figures = []
    for node, facts, owns in zip(shaped.nodes, shaped.facts, placement.owns, strict=True):
        tied = node.tied_to is not None
        key = (id(facts), tied, owns)
        own = known.get(key)
        if own is None:
            size = allocated_bytes(node.op, facts.outputs, owns=owns)
            own = figures_of(node.op, facts, convention, size, tied=tied, owns=owns)
            known[key] = own
        figures.append(own)
    missing = tuple(
        Note("no_rule", node.name, f"{node.op.type_name} has no work rule; totals are lower bounds")
        for node, own in zip(shaped.nodes, figures, strict=True)
        if own.unknown and node.op.type_name != NAMELESS
    )
    notes += missing
    return Report(
        shaped, convention, placement, tuple(figures), notes, frozen_params, training, single
    )
