"""Which storages a pass of PyTorch makes and when it frees them, without running it.

A ``Tape`` is written by the kernels of ``kernels.py`` in the order in which PyTorch runs them:
every step makes and reads storages, every differentiable kernel leaves a record of what it saves
and of its backward pass. A storage lives from the step that makes it to the last step that reads
or holds it: PyTorch counts references, and the last reader has the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple, get_args

from cnnstat.ir.tensor import DTYPE_BYTES

Kind = Literal["input", "activation", "weight_copy", "parameter_gradient", "activation_gradient"]
"""Purposes of the bytes of a storage."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Source = tuple[int, int]
"""Where a gradient goes: a record and the number of its result; a parameter is (-1 - leaf, 0)."""

Shape = tuple[int, ...]


class Tensor(NamedTuple):
    """A tensor in its storage; ``source`` is None where nothing needs its gradient.

    ``whole``: the elements fill the storage without gaps and stand there once.
    """

    storage: int
    shape: Shape
    dtype: str
    source: Source | None = None
    whole: bool = True
    parameter: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return prod(self.shape) * DTYPE_BYTES[self.dtype]


Gradient = Tensor | None
Backward = Callable[["Tape", Sequence[Tensor], Sequence[bool]], Sequence[Gradient]]
"""Writes the backward pass of one kernel: the gradients of its results (only the known ones) and
which inputs need theirs -> a gradient for each input."""


class Step(NamedTuple):
    """One kernel at one node of the graph: storages that it makes, and those that it needs."""

    node: int
    makes: tuple[int, ...]
    uses: tuple[int, ...]


@dataclass(slots=True)
class Record:
    """Autograd's record of one kernel, whose step is the tape's ``step``-th.

    ``outputs`` and ``saves`` name storages; ``unpacks`` tells whether it saves any tensor, a
    parameter included.
    """

    node: int
    step: int
    inputs: tuple[Source | None, ...]
    outputs: tuple[int, ...]
    saves: tuple[int, ...]
    unpacks: bool
    backward: Backward
    block: int | None = None


@dataclass(slots=True)
class Tape:
    """The steps so far, in order. ``training`` leaves records; ``tracked`` forbids in-place sums.

    ``autocast`` is the lower dtype of mixed precision, for the operators on the device's lists.
    Under storage tracking PyTorch does not add up gradients in place, as it does otherwise.
    ``leaves`` are the bytes of each parameter, ``learned`` the numbers of those with a gradient.
    """

    training: bool
    autocast: str | None = None
    device: str = "cpu"
    tracked: bool = False
    node: int = 0
    block: int | None = None
    sizes: list[int] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)
    learned: set[int] = field(default_factory=set)
    lasting: set[int] = field(default_factory=set)
    making: Kind = "activation"
    lowered: dict[int, Tensor] = field(default_factory=dict)

    def parameter(self, shape: Shape, dtype: str, *, trained: bool) -> Tensor:
        """Return a stored tensor: its bytes are counted elsewhere, its gradient here."""
        storage = self._storage(0, "activation")
        source = None
        if trained and self.training:
            self.leaves.append(prod(shape) * DTYPE_BYTES[dtype])
            source = (-len(self.leaves), 0)
        return Tensor(storage, shape, dtype, source, parameter=True)

    def enter(self, shape: Shape, dtype: str) -> Tensor:
        """Return a tensor of the caller, who refers to it all the time."""
        tensor = Tensor(self._storage(prod(shape) * DTYPE_BYTES[dtype], "input"), shape, dtype)
        self.steps.append(Step(self.node, (tensor.storage,), ()))
        self.lasting.add(tensor.storage)
        return tensor

    def run(self, uses: Iterable[Tensor], *makes: tuple[Shape, str]) -> list[Tensor]:
        """Write one step and return the tensors that it makes."""
        made = [
            Tensor(self._storage(prod(shape) * DTYPE_BYTES[dtype], self.making), shape, dtype)
            for shape, dtype in makes
        ]
        used = tuple([tensor.storage for tensor in uses])
        self.steps.append(Step(self.node, tuple([tensor.storage for tensor in made]), used))
        return made

    def like(self, tensor: Tensor, *uses: Tensor) -> Tensor:
        """Write a step that makes one tensor of this one's shape and dtype out of ``uses``."""
        return self.run(uses, (tensor.shape, tensor.dtype))[0]

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Keep tensors alive up to here: a reference remains."""
        self.steps.append(Step(self.node, (), tuple([tensor.storage for tensor in tensors])))

    def record(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        backward: Backward,
        *,
        saves: Iterable[Tensor | None] = (),
    ) -> list[Tensor]:
        """Leave a record if any input has a gradient; return the results, which have one then."""
        sources = tuple([tensor.source for tensor in inputs])
        if not self.training or not any(source is not None for source in sources):
            return list(outputs)
        saved = [tensor for tensor in saves if tensor is not None]
        own = tuple(dict.fromkeys(t.storage for t in saved if not t.parameter))
        results = tuple([tensor.storage for tensor in outputs])
        step, unpacks = len(self.steps) - 1, bool(saved)
        self.records.append(
            Record(self.node, step, sources, results, own, unpacks, backward, self.block)
        )
        at = len(self.records) - 1
        return [tensor._replace(source=(at, i)) for i, tensor in enumerate(outputs)]

    def needs(self, tensor: Tensor) -> bool:
        """Return whether a kernel has to keep what this tensor's gradient takes."""
        return self.training and tensor.source is not None

    def _storage(self, size: int, kind: Kind) -> int:
        self.sizes.append(size)
        self.kinds.append(kind)
        return len(self.sizes) - 1


def reached(tape: Tape, outputs: Iterable[Tensor]) -> set[int]:
    """Return the records that the backward pass from ``outputs`` runs."""
    waiting = [output.source for output in outputs]
    records: set[int] = set()
    while waiting:
        source = waiting.pop()
        if source is not None and source[0] >= 0 and source[0] not in records:
            records.add(source[0])
            waiting += tape.records[source[0]].inputs
    return records


def free_unreached(tape: Tape, records: set[int]) -> None:
    """Let what the other records save live as long as any result after them does."""
    last = spans(tape)
    ends = [max([record.step, *[last[each] for each in record.outputs]]) for record in tape.records]
    for number in range(len(tape.records) - 1, -1, -1):
        if number in records:
            continue
        record, end = tape.records[number], min(ends[number], len(tape.steps) - 1)
        for source in record.inputs:
            if source is not None and source[0] >= 0:
                ends[source[0]] = max(ends[source[0]], end)
        step = tape.steps[end]
        tape.steps[end] = step._replace(uses=(*step.uses, *record.saves))


Unpack = Callable[[int], None]


def backward(tape: Tape, outputs: Sequence[Tensor], unpack: Unpack | None = None) -> None:
    """Write the backward pass from gradients of ``outputs``, which the loss makes and gives away.

    Autograd runs the youngest record first. ``unpack`` is called with a record's number before its
    saved tensors are read, and may replace it; they are freed when it is done.
    """
    tape.making = "activation_gradient"
    tape.training = False
    sums = _Sums(tape)
    for output in outputs:
        if output.source is not None:
            sums.add(output.source, tape.like(output))
    for at in range(len(tape.records) - 1, -1, -1):
        gradients = sums.take(at)
        if not gradients:
            continue
        if unpack is not None and tape.records[at].unpacks:
            unpack(at)
        record = tape.records[at]
        tape.node = record.node
        needed = [source is not None for source in record.inputs]
        made = record.backward(tape, gradients, needed)
        tape.steps.append(Step(record.node, (), record.saves))
        sums.distribute(record.inputs, made)
    tape.making = "activation"


class _Sums:
    """Gradients on their way: one for each result that has been read, summed up."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._gradients: dict[Source, Tensor] = {}
        self._of: dict[int, list[Source]] = {}
        self._holders: Counter[int] = Counter()

    def add(self, source: Source, gradient: Tensor) -> None:
        """Add a gradient to the one that is there, in place if it has no other reference."""
        there = self._gradients.get(source)
        if there is None:
            self._put(source, gradient)
            return
        alone = there.whole and self._holders[there.storage] == 1
        if alone and not self._tape.tracked and there.storage != gradient.storage:
            self._tape.run((there, gradient))
            return
        self._holders[there.storage] -= 1
        self._put(source, self._tape.like(there, there, gradient))

    def _put(self, source: Source, gradient: Tensor) -> None:
        if source not in self._gradients and source[0] >= 0:
            self._of.setdefault(source[0], []).append(source)
        self._gradients[source] = gradient
        self._holders[gradient.storage] += 1

    def take(self, record: int) -> list[Tensor]:
        """Give away the gradients of one record's results, the first result's first."""
        gradients = [self._gradients.pop(source) for source in sorted(self._of.pop(record, []))]
        for gradient in gradients:
            self._holders[gradient.storage] -= 1
        return gradients

    def distribute(self, inputs: Sequence[Source | None], made: Sequence[Gradient]) -> None:
        """Pass gradients on to where the inputs came from; those of parameters stay."""
        pairs = [(s, g) for s, g in zip(inputs, made, strict=True) if s is not None and g]
        for _, gradient in pairs:
            self._holders[gradient.storage] += 1
        for position, (source, gradient) in enumerate(pairs):
            self._holders[gradient.storage] -= 1
            if source[0] >= 0:
                self.add(source, gradient)
                self._tape.hold([later for _, later in pairs[position:]])
            else:
                self._accumulate(source, gradient)

    def _accumulate(self, source: Source, gradient: Tensor) -> None:
        there = self._gradients.get(source)
        if there is not None and not self._tape.tracked:
            self._tape.run((there, gradient))
            return
        if there is not None:
            self._tape.lasting.discard(there.storage)
            gradient = self._tape.like(gradient, there, gradient)
        elif self._holders[gradient.storage] or not gradient.whole:
            gradient = self._tape.like(gradient, gradient)
        self._gradients[source] = gradient
        self._tape.learned.add(-1 - source[0])
        self._tape.kinds[gradient.storage] = "parameter_gradient"
        self._tape.lasting.add(gradient.storage)


@dataclass(frozen=True, slots=True)
class Curve:
    """Live bytes at every step of a tape, split by what they are for at its highest step."""

    bytes: tuple[int, ...]
    nodes: tuple[int, ...]

    def by_node(self, count: int) -> list[int]:
        """Return the highest step of each of ``count`` nodes; 0 for a node without one."""
        highest = [0] * count
        for node, size in zip(self.nodes, self.bytes, strict=True):
            if size > highest[node]:
                highest[node] = size
        return highest

    def without_gaps(self, count: int) -> list[int]:
        """Return the same; a node without a step has what was alive at the node before it."""
        highest = self.by_node(count)
        last = dict(zip(self.nodes, self.bytes, strict=True))
        level = 0
        for node in range(count):
            level = last.get(node, level)
            highest[node] = highest[node] or level
        return highest


def spans(tape: Tape) -> list[int]:
    """Return the last step of each storage; the number of steps for one that outlives them."""
    last = [-1] * len(tape.sizes)
    for at, step in enumerate(tape.steps):
        for storage in step.makes:
            last[storage] = at
        for storage in step.uses:
            last[storage] = at
    for storage in tape.lasting:
        last[storage] = len(tape.steps)
    return last


def curve(tape: Tape) -> Curve:
    """Return the live bytes at every step: what it makes and uses, and all that lives on."""
    last = spans(tape)
    dying = [0] * (len(tape.steps) + 1)
    live = 0
    levels = []
    for at, step in enumerate(tape.steps):
        for storage in step.makes:
            size = tape.sizes[storage]
            live += size
            dying[last[storage]] += size
        levels.append(live)
        live -= dying[at]
    return Curve(tuple(levels), tuple([step.node for step in tape.steps]))


def alive(tape: Tape, at: int) -> dict[Kind, int]:
    """Return the bytes that are alive at one step, by what they are for."""
    last = spans(tape)
    sizes: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for step in tape.steps[: at + 1]:
        for storage in step.makes:
            if last[storage] >= at:
                sizes[tape.kinds[storage]] += tape.sizes[storage]
    return sizes
