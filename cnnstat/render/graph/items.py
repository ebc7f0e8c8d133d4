"""The items of a drawing: boxes for rows, frames for modules and stages, equal ones as one.

Equal blocks are found by their operators, shapes and edges. Consecutive blocks that are equal
inside and form a chain or are side by side are one item with the number of its repeats; so are
three and more that differ in a constant number of channels alone, as those of DenseNet do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.ir.graph import ShapedGraph, Value
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec


class Repeat(NamedTuple):
    """Number of equal blocks; each has ``step`` more channels than the last."""

    times: int = 1
    step: int = 0
    parallel: bool = False


ONCE = Repeat()


@dataclass(frozen=True, slots=True)
class Box:
    """One row of the report.

    ``rows`` are the same row in every repeat of it and of the frames around it, in order.
    """

    rows: tuple[Layer, ...]
    repeat: Repeat = ONCE

    @property
    def name(self) -> str:
        """Name of the first row, which no other box has."""
        return self.rows[0].name


@dataclass(frozen=True, slots=True)
class Frame:
    """A module, or a stage of modules or layers; ``names`` are those of its repeats."""

    names: tuple[str, ...]
    items: tuple[Box | Frame, ...]
    kind: Literal["module", "stage"] = "module"
    repeat: Repeat = ONCE

    @property
    def rows(self) -> tuple[Layer, ...]:
        """Every row inside, of every repeat."""
        return tuple(row for item in self.items for row in item.rows)

    @property
    def survivals(self) -> tuple[float, ...]:
        """Probabilities with which training keeps the paths inside, in order; none where all."""
        ops = [row.report.shaped.nodes[index].op for row in self.rows for index in row.nodes]
        return tuple(op.survival for op in ops if op.survival != 1)


Item = Box | Frame


def items_in(items: Sequence[Item]) -> Iterator[Item]:
    """Yield every item in the items, a frame before what is inside it."""
    for item in items:
        yield item
        if isinstance(item, Frame):
            yield from items_in(item.items)


def boxes_of(items: Sequence[Item]) -> list[Box]:
    """Return every box in the items, in order."""
    return [item for item in items_in(items) if isinstance(item, Box)]


def is_training_only(rows: Sequence[Layer]) -> bool:
    """Return whether an inference form leaves all these rows out."""
    pairs = [(row.report.shaped.nodes, index) for row in rows for index in row.nodes]
    return all(nodes[index].training_only for nodes, index in pairs)


def collapsed(items: Sequence[Item], shaped: ShapedGraph) -> tuple[Item, ...]:
    """Return the items with every run of equal ones as one, innermost first."""
    readers = shaped.graph.consumers()
    for value in (*shaped.graph.outputs, *shaped.graph.training_outputs):
        readers[value.node].append(-1)
    return tuple(_collapse(items, _Surroundings(shaped, readers)))


class _Surroundings(NamedTuple):
    """A shaped graph, and for each node who reads it; a result of the graph has the reader -1."""

    shaped: ShapedGraph
    readers: list[list[int]]


def _collapse(items: Sequence[Item], around: _Surroundings) -> Iterator[Item]:
    """Yield the items with every run of equal ones as one, innermost first."""
    inner = [_collapsed_inside(item, around) for item in items]
    blocks = [_Block.of(item, around.shaped) for item in inner]
    relations = [
        _relation(first, second, around) if _form(one) == _form(other) else None
        for first, second, one, other in zip(blocks, blocks[1:], inner, inner[1:], strict=False)
    ]
    start = 0
    while start < len(inner):
        stop = start + 1
        relation = relations[start] if start < len(relations) else None
        while relation is not None and stop <= len(relations) and relations[stop - 1] == relation:
            stop += 1
        if relation is None or stop - start < (3 if any(relation.steps) else 2):
            yield inner[start]
            start += 1
            continue
        repeat = Repeat(stop - start, relation.steps[-1], relation.parallel)
        yield replace(_merged(inner[start:stop]), repeat=repeat)
        start = stop


def _collapsed_inside(item: Item, around: _Surroundings) -> Item:
    if isinstance(item, Box):
        return item
    items = tuple(_collapse(item.items, around))
    alone = item.kind == "stage" and len(items) == 1 and isinstance(items[0], Frame)
    return items[0] if alone else replace(item, items=items)


def _form(item: Item) -> object:
    """Return how an item is nested: what is merged must have the same form."""
    inside = () if isinstance(item, Box) else tuple(map(_form, item.items))
    return type(item), item.repeat, inside


def _merged(items: Sequence[Item]) -> Item:
    """Return items of one form as one that holds the rows of all."""
    first = items[0]
    if isinstance(first, Box):
        return replace(first, rows=tuple(row for item in items for row in item.rows))
    frames = [item for item in items if isinstance(item, Frame)]
    inside = zip(*(frame.items for frame in frames), strict=True)
    return replace(
        first,
        names=tuple(name for frame in frames for name in frame.names),
        items=tuple(_merged(each) for each in inside),
    )


class _Block(NamedTuple):
    """The operators of an item, with every reference relative, so that blocks can be compared."""

    positions: dict[int, int]
    entering: tuple[Value, ...]
    operators: tuple[tuple[object, ...], ...]
    specs: tuple[TensorSpec, ...]

    @classmethod
    def of(cls, item: Item, shaped: ShapedGraph) -> _Block:
        members = sorted(index for row in item.rows for index in row.nodes)
        positions = {index: position for position, index in enumerate(members)}
        slots: dict[Value, int] = {}
        operators, specs = [], []
        for index in members:
            node, facts = shaped.nodes[index], shaped.facts[index]
            reads = tuple(
                [
                    (positions[value.node], value.result)
                    if value.node in positions
                    else (-1 - slots.setdefault(value, len(slots)), 0)
                    for value in node.inputs
                ]
            )
            operators.append((_kind(node.op), node.tied_to is None, node.training_only, reads))
            specs += [*facts.inputs, *facts.outputs]
        return cls(positions, tuple(slots), tuple(operators), tuple(specs))


def _kind(op: Op) -> object:
    """Return what two operators share if blocks with them are equal.

    How likely a path is to be dropped in training, which stochastic depth changes from block to
    block, is not of it: in inference the blocks are equal.
    """
    return op if op.survival == 1 else type(op)


class _Relation(NamedTuple):
    """How a block follows another that is equal but for channels.

    ``reads`` are the places in the first that the second reads, ``steps`` what each tensor has more
    channels; the last tensor is the block's result.
    """

    parallel: bool
    reads: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]


def _relation(first: _Block, second: _Block, around: _Surroundings) -> _Relation | None:
    """Return the relation of two neighbours; None where they cannot be drawn as one."""
    if not second.entering or first.operators != second.operators:
        return None
    steps = _steps(first.specs, second.specs)
    if steps is None:
        return None
    if first.entering == second.entering:
        if _outside(first, around) == _outside(second, around):
            return _Relation(True, (), steps)
        return None
    if any(value.node not in first.positions for value in second.entering):
        return None
    if any(value.node in second.positions for value in first.entering):
        return None  # they run in turns
    allowed = second.positions
    if any(reader not in allowed for _, reader in _outside(first, around)):
        return None
    reads = tuple((first.positions[value.node], value.result) for value in second.entering)
    return _Relation(False, reads, steps)


def _outside(block: _Block, around: _Surroundings) -> list[tuple[int, int]]:
    """Return who reads which place of a block from outside it."""
    return [
        (position, reader)
        for index, position in block.positions.items()
        for reader in around.readers[index]
        if reader not in block.positions
    ]


def _steps(first: Sequence[TensorSpec], second: Sequence[TensorSpec]) -> tuple[int, ...] | None:
    """Return what each tensor has more channels; None where anything else differs."""
    if len(first) != len(second):
        return None
    steps = []
    for one, other in zip(first, second, strict=True):
        same = one.dtype == other.dtype and len(one.shape) == len(other.shape)
        if not same or one.shape[:1] + one.shape[2:] != other.shape[:1] + other.shape[2:]:
            return None
        steps.append(other.shape[1] - one.shape[1] if len(one.shape) > 1 else 0)
    return tuple(steps)
