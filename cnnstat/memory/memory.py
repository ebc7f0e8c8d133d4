"""Memory that a model needs: weights, gradients, optimiser state, and the peak of a pass.

Everything is a sum of storages that a tape predicts (``passes.py``); nothing is an estimate. Not
included are the loss after the outputs, the framework itself, temporary workspaces of kernels and
gaps of the allocator. A model with operators whose kernels are not known has lower bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.liveness import live_bytes
from cnnstat.count.placement import place
from cnnstat.count.report import Report
from cnnstat.errors import UsageError, unknown
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import bytes_of
from cnnstat.memory.passes import (
    Mode,
    Pass,
    Settings,
    StateBytes,
    inference,
    parameter_dtype,
    training,
)
from cnnstat.memory.tape import KINDS, Curve, Kind, alive, curve
from cnnstat.ops import BatchNorm2d

MODES: tuple[Mode, ...] = ("inference", "training")
DEVICES = ("cpu", "cuda")
LOWER_DTYPES = ("bfloat16", "float16")

COUNTER_BYTES = 8
"""A tracked batch norm counts its batches in one int64."""

STEP_BYTES = 4
"""Adam keeps the number of steps as a float32 for every parameter tensor, on the CPU always."""


class Optimizer(NamedTuple):
    """Copies of the parameters that are its state; whether it counts steps; whether it needs room.

    The room is for the denominators of Adam's update.
    """

    copies: int
    adaptive: bool

    def step_bytes(self, tensors: list[int], device: str) -> int:
        """Return the temporary bytes of a step, for parameter tensors in order.

        CUDA updates all tensors at once: a copy of each. The CPU goes one by one: a root and the
        quotient of this tensor while the quotient of the one before is still alive.
        """
        if not self.adaptive:
            return 0
        if device == "cuda":
            return sum(tensors)
        before = [0, *tensors]
        return max(
            (2 * size + last for size, last in zip(tensors, before, strict=False)), default=0
        )


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(0, adaptive=False),
    "momentum": Optimizer(1, adaptive=False),
    "adam": Optimizer(2, adaptive=True),
    "adamw": Optimizer(2, adaptive=True),
}
"""Optimisers of ``torch.optim`` by name; momentum is SGD with momentum."""


def settings(
    *,
    mode: str = "inference",
    optimizer: str | None = None,
    amp: str | None = None,
    checkpoint: bool = False,
    device: str = "cpu",
) -> Settings:
    """Return settings by name; raise ``UsageError`` for unknown ones and for illegal pairs.

    Training has plain SGD unless ``optimizer`` says otherwise.
    """
    for kind, value, known in (
        ("mode", mode, MODES),
        ("optimizer", optimizer, tuple(OPTIMIZERS)),
        ("device", device, DEVICES),
        ("dtype of --amp", amp, LOWER_DTYPES),
    ):
        if value is not None and value not in known:
            raise unknown(kind, value, known)
    if mode == "inference" and optimizer is not None:
        raise UsageError(f"optimizer {optimizer!r}: only training has one; add --mode training")
    if mode == "inference" and checkpoint:
        raise UsageError("checkpoint: only training recomputes; add --mode training")
    checked: Mode = "training" if mode == "training" else "inference"
    return Settings(checked, optimizer or "sgd", amp, checkpoint, device)


class Peak(NamedTuple):
    """The highest step of a pass: its bytes, its layer, and the bytes by purpose."""

    bytes: int
    layer: str
    phase: Literal["forward", "backward"]
    parts: dict[Kind, int]


@dataclass(frozen=True)
class MemoryPlan:
    """The memory of one model under one setting; bytes throughout.

    The state is independent of the batch. All figures of a partial plan are lower bounds.
    """

    report: Report
    settings: Settings
    written: Pass
    param_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    optimizer_step_bytes: int
    ideal: tuple[int, ...]

    @property
    def batch(self) -> int:
        """Images per batch."""
        return self.report.batch

    @property
    def unknown(self) -> tuple[str, ...]:
        """Operators whose kernels are not known, each once."""
        nodes = self.report.shaped.nodes
        named = [nodes[i].op.type_name for i in self.written.unknown]
        return tuple(dict.fromkeys([*named, *self.written.foreign]))

    @property
    def status(self) -> Literal["complete", "partial"]:
        """``partial`` where anything is unknown."""
        return "partial" if self.unknown else "complete"

    @cached_property
    def _curve(self) -> Curve:
        return curve(self.written.tape)

    def _part(self, steps: slice) -> tuple[Curve, int]:
        """Return some steps of the curve, and how many nodes there are."""
        whole = self._curve
        return Curve(whole.bytes[steps], whole.nodes[steps]), len(self.report.shaped.nodes)

    @cached_property
    def live(self) -> list[int]:
        """Live bytes of the forward pass, the highest while each node runs.

        A module may run a node of its graph as a part of another: it has what is alive there.
        """
        forward, count = self._part(slice(self.written.forward_steps))
        rehearsed = self.written.state is not None
        return forward.without_gaps(count) if rehearsed else forward.by_node(count)

    @cached_property
    def backward(self) -> list[int]:
        """Live bytes of the backward pass, the highest while each node's gradients are made."""
        after, count = self._part(slice(self.written.forward_steps, None))
        return after.by_node(count)

    @property
    def saved_bytes(self) -> int:
        """Bytes that the forward pass saves for the backward pass, each storage once."""
        return sum(self.written.saved)

    @property
    def input_bytes(self) -> int:
        """Bytes of the inputs, which the caller holds all the time."""
        return sum(spec.nbytes for spec in self.report.inputs.values())

    @cached_property
    def forward_peak(self) -> Peak:
        """The highest step of the forward pass."""
        return self._peak("forward", 0, self.written.forward_steps)

    @cached_property
    def backward_peak(self) -> Peak | None:
        """The highest step of the backward pass; None where nothing goes back."""
        if self.written.forward_steps == len(self._curve.bytes):
            return None
        return self._peak("backward", self.written.forward_steps, len(self._curve.bytes))

    @property
    def peak(self) -> Peak:
        """The highest step of both passes."""
        peaks = [self.forward_peak, *([self.backward_peak] if self.backward_peak else [])]
        return max(peaks, key=lambda peak: peak.bytes)

    @property
    def ideal_peak_bytes(self) -> int:
        """The forward peak under an allocator that works in place wherever it can."""
        return max(self.ideal)

    @property
    def ideal_peak_layer(self) -> str:
        """The layer of the ideal peak."""
        return self.layer_of(self.ideal.index(self.ideal_peak_bytes))

    @property
    def state_bytes(self) -> int:
        """Parameters, buffers and optimiser state: there before a step begins."""
        return self.param_bytes + self.buffer_bytes + self.optimizer_bytes

    @property
    def predicted(self) -> Measured:
        """Prediction of a measurement; None for quantities that only a measurement has."""
        learns = self.settings.mode == "training"
        return Measured(
            self.param_bytes,
            self.buffer_bytes,
            self.forward_peak.bytes,
            self.backward_peak.bytes if self.backward_peak else None,
            self.saved_bytes if learns else None,
            self.gradient_bytes if learns else None,
            self.optimizer_bytes if learns else None,
            self.optimizer_step_bytes if learns else None,
        )

    @property
    def update_bytes(self) -> int:
        """Bytes of the optimiser's step without the state: inputs, gradients, temporaries."""
        if self.settings.mode == "inference":
            return 0
        return self.input_bytes + self.gradient_bytes + self.optimizer_step_bytes

    @property
    def total_bytes(self) -> int:
        """Bytes needed: the state, and the higher of the passes and the optimiser's step."""
        return self.state_bytes + max(self.peak.bytes, self.update_bytes)

    def layer_of(self, node: int) -> str:
        """Return the row that a node belongs to."""
        return self.report.shaped.nodes[self.report.placement.row[node]].name

    def of(self, layer: Layer) -> LayerMemory:
        """Return the bytes of one row."""
        return LayerMemory(
            max(self.live[node] for node in layer.nodes),
            max(self.backward[node] for node in layer.nodes),
            sum(self.written.saved[node] for node in layer.nodes),
            max(self.ideal[node] for node in layer.nodes),
        )

    def _peak(self, phase: Literal["forward", "backward"], begin: int, end: int) -> Peak:
        sizes = self._curve.bytes[begin:end]
        at = begin + sizes.index(max(sizes))
        layer = self.layer_of(self._curve.nodes[at])
        parts = alive(self.written.tape, at)
        return Peak(self._curve.bytes[at], layer, phase, {kind: parts[kind] for kind in KINDS})


class Measured(NamedTuple):
    """Bytes measured on a device; None where they cannot be. Names are those of a plan."""

    param_bytes: int
    buffer_bytes: int
    peak_live_bytes: int
    backward_peak_bytes: int | None = None
    saved_bytes: int | None = None
    gradient_bytes: int | None = None
    optimizer_bytes: int | None = None
    optimizer_step_bytes: int | None = None
    workspace_bytes: int | None = None


class LayerMemory(NamedTuple):
    """Bytes of one row: live in each pass, first saved here, live under an ideal allocator."""

    live_bytes: int
    backward_bytes: int
    saved_bytes: int
    ideal_bytes: int


def plan(report: Report, chosen: Settings, rehearsed: Pass | None = None) -> MemoryPlan:
    """Return the memory of a report's model under a setting.

    ``rehearsed`` is the pass of a module; without it the operators' kernels make the pass.
    """
    shaped = report.shaped
    run = training if chosen.mode == "training" else inference
    written = rehearsed or run(shaped, chosen)
    params, buffers = _stored(shaped)
    gradients = written.trained
    state = written.state or StateBytes(sum(params), sum(buffers), sum(gradients), gradients)
    trained = list(state.trained)
    optimizer = OPTIMIZERS[chosen.optimizer]
    learns = chosen.mode == "training"
    counted_here = optimizer.adaptive and chosen.device == "cpu"
    counters = STEP_BYTES * len(trained) if counted_here else 0
    return MemoryPlan(
        report,
        chosen,
        written,
        param_bytes=state.param_bytes,
        buffer_bytes=state.buffer_bytes,
        gradient_bytes=state.gradient_bytes if learns else 0,
        optimizer_bytes=optimizer.copies * sum(trained) + counters if learns else 0,
        optimizer_step_bytes=optimizer.step_bytes(trained, chosen.device) if learns else 0,
        ideal=tuple(live_bytes(shaped, place(shaped.graph))),
    )


def _stored(shaped: ShapedGraph) -> tuple[list[int], list[int]]:
    """Return the bytes of each parameter and of each buffer; one that is used twice counts once."""
    dtype = parameter_dtype(shaped)
    trained: list[int] = []
    buffers: list[int] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        if node.tied_to is not None:
            continue
        for weight in facts.weights:
            (buffers if weight.role == "buffer" else trained).append(
                bytes_of(weight.numel, weight.dtype or dtype)
            )
        if isinstance(node.op, BatchNorm2d) and node.op.tracked:
            buffers.append(COUNTER_BYTES)
    return trained, buffers
