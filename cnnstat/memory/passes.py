"""An inference pass and a training step of a model on a tape: forward, backward, recomputation.

The caller holds the inputs. Between two nodes a result lives until its last reader is done. A block
that is recomputed (``torch.utils.checkpoint``, not re-entrant) keeps only what enters it; when the
backward pass first asks for one of its saved tensors, it runs again up to the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cnnstat.count.placement import place
from cnnstat.ir.graph import ShapedGraph, Value
from cnnstat.ir.op import Weight
from cnnstat.ir.tensor import PER_BYTE, TensorSpec
from cnnstat.memory.call import Call
from cnnstat.memory.lowering import lower, lowering, overwriting
from cnnstat.memory.tape import (
    Record,
    Step,
    Tape,
    Tensor,
    backward,
    free_unreached,
    reached,
)

Mode = Literal["inference", "training"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is run. ``amp`` is the lower dtype of autocast, None for one dtype throughout.

    ``tracked`` predicts a measurement by storage tracking (see ``Tape``).
    """

    mode: Mode = "inference"
    optimizer: str = "sgd"
    amp: str | None = None
    checkpoint: bool = False
    device: str = "cpu"
    tracked: bool = False


class StateBytes(NamedTuple):
    """Bytes that a module stores, read off the module; ``trained``: each parameter with a gradient.

    Gradients may share memory: those of tensors that were concatenated do.
    """

    param_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    trained: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """A written tape. ``forward_steps`` is where the forward pass ends.

    ``saved`` are the bytes that each node is the first to save for the backward pass; ``unknown``
    the nodes whose kernels are not known. Of a pass that PyTorch rehearsed, ``foreign`` names the
    functions whose memory is not known, or why there was no rehearsal, and ``state`` is what the
    module stores. ``trained`` are the bytes of each parameter that gets a gradient.
    """

    tape: Tape
    forward_steps: int
    saved: tuple[int, ...]
    unknown: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()
    state: StateBytes | None = None
    trained: tuple[int, ...] = ()


@dataclass(slots=True)
class _Run:
    shaped: ShapedGraph
    tape: Tape
    overwriting: frozenset[int]
    dtype: str
    training: bool
    values: dict[Value, Tensor] = field(default_factory=dict)
    stored: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def call(self, index: int) -> None:
        """Run one node: its results become values."""
        node, facts = self.shaped.nodes[index], self.shaped.facts[index]
        self.tape.node = index
        if node.op.is_input:
            made = [self.tape.enter(spec.shape, spec.dtype) for spec in facts.outputs]
        else:
            call = Call(
                node,
                facts,
                tuple([self.values[value] for value in node.inputs]),
                self._stored(index),
                self.training,
                index in self.overwriting,
            )
            made = lower(self.tape, call, lowering(self.shaped, index))
        for number, tensor in enumerate(made):
            self.values[Value(index, number)] = tensor

    def _dtype_of(self, weight: Weight) -> str:
        """Return the dtype in which a kernel sees a weight: packed ones are unpacked."""
        dtype = weight.dtype or self.dtype
        return "int8" if dtype in PER_BYTE else dtype

    def _stored(self, index: int) -> dict[str, Tensor]:
        owner = self.shaped.nodes[index].tied_to
        at = index if owner is None else owner
        if at not in self.stored:
            self.stored[at] = {
                weight.name: self.tape.parameter(
                    weight.shape,
                    self._dtype_of(weight),
                    trained=weight.role != "buffer" and not self.shaped.nodes[at].frozen,
                )
                for weight in self.shaped.facts[at].weights
            }
        names = [weight.name for weight in self.shaped.facts[index].weights]
        return {name: self.stored[at][name] for name in names if name in self.stored[at]}


def parameter_dtype(shaped: ShapedGraph) -> str:
    """Return the dtype of the weights: that of the first input, float32 for an integer one."""
    first = next(iter(shaped.entering.values()), TensorSpec(()))
    return first.dtype if "float" in first.dtype else "float32"


def _begin(shaped: ShapedGraph, settings: Settings, *, training: bool) -> _Run:
    tape = Tape(training, settings.amp, settings.device, settings.tracked)
    return _Run(shaped, tape, frozenset(overwriting(shaped)), parameter_dtype(shaped), training)


def _unknown(shaped: ShapedGraph) -> tuple[int, ...]:
    return tuple(
        index
        for index, node in enumerate(shaped.nodes)
        if not node.op.is_input and lowering(shaped, index) is None
    )


def inference(shaped: ShapedGraph, settings: Settings) -> Pass:
    """Return a forward pass in evaluation mode without gradients."""
    run = _begin(shaped, settings, training=False)
    for index, node in enumerate(shaped.nodes):
        if not node.training_only:
            run.call(index)
    tape = run.tape
    tape.hold([run.values[value] for value in shaped.graph.outputs])
    tape.hold(tape.lowered.values())
    return Pass(tape, len(tape.steps), (0,) * len(shaped.nodes), _unknown(shaped))


def training(shaped: ShapedGraph, settings: Settings) -> Pass:
    """Return a forward pass in training mode and the backward pass after it, without the loss."""
    run = _begin(shaped, settings, training=True)
    tape, graph = run.tape, shaped.graph
    block_of: list[int | None] = [None] * len(shaped.nodes)
    if settings.checkpoint:
        block_of = blocks(shaped)
    for index in range(len(shaped.nodes)):
        tape.block = block_of[index]
        run.call(index)
    outputs = [run.values[value] for value in (*graph.outputs, *graph.training_outputs)]
    tape.hold(outputs)
    tape.hold(tape.lowered.values())
    forward_steps = len(tape.steps)
    if settings.checkpoint:
        recomputation = _Recomputation(run, block_of)
        saved = recomputation.saved()
        backward(tape, outputs, recomputation.unpack)
    else:
        records = reached(tape, outputs)
        saved = _saved(run, records)
        free_unreached(tape, records)
        backward(tape, outputs)
    trained = tuple(size for leaf, size in enumerate(tape.leaves) if leaf in tape.learned)
    return Pass(tape, forward_steps, saved, _unknown(shaped), trained=trained)


def inputs_alone(shaped: ShapedGraph, unknown: str, state: StateBytes) -> Pass:
    """Return the pass of a module of which nothing but its inputs and its state is known."""
    tape = Tape(training=False)
    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        if node.op.is_input:
            tape.node = index
            for spec in facts.outputs:
                tape.enter(spec.shape, spec.dtype)
    nothing = (0,) * len(shaped.nodes)
    return Pass(tape, len(tape.steps), nothing, foreign=(unknown,), state=state)


def _saved(run: _Run, records: set[int]) -> tuple[int, ...]:
    """Return the bytes that each node's records are the first to save, each storage once."""
    saving = [run.tape.records[number] for number in sorted(records)]
    return _first_kept(run, [(record.node, each) for record in saving for each in record.saves])


def _first_kept(run: _Run, pairs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return the bytes of each node's storages, each storage where it comes first."""
    sizes = [0] * len(run.shaped.nodes)
    first: dict[int, int] = {}
    for node, storage in pairs:
        first.setdefault(storage, node)
    for storage, node in first.items():
        sizes[node] += run.tape.sizes[storage]
    return tuple(sizes)


def blocks(shaped: ShapedGraph) -> list[int | None]:
    """Return for each node the block that is recomputed as one; None for inputs.

    A block is a module at the top level; of layers that stand at the top level themselves, those
    in a row with one resolution.
    """
    placement = place(shaped.graph)
    written = set(overwriting(shaped))
    block_of: list[int | None] = []
    keys: list[object] = []
    count = -1
    for index, node in enumerate(shaped.nodes):
        row = placement.row[index]
        path = shaped.nodes[row].name.rpartition("/")[0]
        extents = shaped.facts[row].outputs[0].shape[2:]
        keys.append(path.split("/")[0] or extents)
        if node.op.is_input:
            block_of.append(None)
            continue
        if index in written:
            keys[index] = keys[node.inputs[0].node]
        if index == 0 or block_of[index - 1] is None or keys[index] != keys[index - 1]:
            count += 1
        block_of.append(count)
    return block_of


class _Recomputation:
    """Blocks that run a second time when the backward pass asks for what they saved."""

    def __init__(self, run: _Run, block_of: list[int | None]) -> None:
        self._run = run
        self._autocast = run.tape.autocast
        self._done: set[int] = set()
        self._members: dict[int, list[int]] = {}
        for index, block in enumerate(block_of):
            if block is not None:
                self._members.setdefault(block, []).append(index)
        saving = {record.block for record in run.tape.records if record.unpacks}
        self._entering = {
            block: [run.values[value] for value in self._inputs(members)]
            for block, members in self._members.items()
            if block in saving  # the others are not needed again
        }

    def _inputs(self, members: list[int]) -> list[Value]:
        inside = set(members)
        nodes = self._run.shaped.nodes
        read = [value for index in members for value in nodes[index].inputs]
        return list(dict.fromkeys(value for value in read if value.node not in inside))

    def saved(self) -> tuple[int, ...]:
        """Return the bytes that the blocks keep, at the first node of the first that does."""
        rows = [(self._members[block][0], tensors) for block, tensors in self._entering.items()]
        return _first_kept(self._run, [(node, t.storage) for node, ts in rows for t in ts])

    def unpack(self, at: int) -> None:
        """Run the block of a record again, unless that is done; its records are the new ones.

        Each that saves anything keeps what enters the block, as the hook of its saved tensors does.
        """
        tape = self._run.tape
        block = tape.records[at].block
        if block is None or block in self._done:
            return
        self._done.add(block)
        numbers = [n for n, record in enumerate(tape.records) if record.block == block]
        saving = [n for n in numbers if tape.records[n].unpacks]
        before, node = tape.records, tape.node
        new = self._recompute(block, numbers[0])
        self._cut(new[saving[-1] - numbers[0]])
        tape.records, tape.node = before, node
        for number in numbers[: saving[-1] - numbers[0] + 1]:
            fresh = new[number - numbers[0]]
            entering = self._entering[block] if fresh.unpacks else []
            tape.records[number].saves = (*fresh.saves, *(t.storage for t in entering))
            tape.records[number].backward = fresh.backward

    def _recompute(self, block: int, first: int) -> list[Record]:
        tape, run = self._run.tape, self._run
        tape.records = tape.records[:first]
        tape.training, tape.making, tape.block = True, "activation", block
        tape.autocast, tape.lowered = self._autocast, {}
        values = dict(run.values)
        for index in self._members[block]:
            run.call(index)
        run.values = values
        tape.training, tape.making, tape.block = False, "activation_gradient", None
        return tape.records[first:]

    def _cut(self, last: Record) -> None:
        """Drop the steps after the last one that saves: their results are not needed.

        An input of a kernel is saved before the kernel runs, so that the kernel itself does not.
        """
        steps = self._run.tape.steps
        runs = any(storage in steps[last.step].makes for storage in last.saves)
        first = last.step + 1 if runs else last.step
        still_held = tuple(storage for step in steps[first:] for storage in step.uses)
        steps[first:] = [Step(last.node, (), still_held)]
