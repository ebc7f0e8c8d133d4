"""The outline of a drawing: rows as boxes, modules and stages as frames around them, edges.

Consecutive blocks that are equal inside (operators, shapes, edges) and form a chain or are side by
side are drawn once, marked with how often they occur; so are three and more that differ in a
constant number of channels alone, as those of DenseNet do. Knows no output format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.count.tree import members_of
from cnnstat.ir.graph import ShapedGraph, Value
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec

STAGE = re.compile(r"(.+?\d)(_[a-z]*\d+|[a-z])")
"""Names of one stage: ``conv2_1``, ``conv2_block12``, ``inception_3a``; its name comes first."""


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


class Edge(NamedTuple):
    """A tensor that one box makes and another reads, by their names."""

    source: str
    target: str


@dataclass(frozen=True)
class Outline:
    """The drawing of a report, from the inputs to the outputs."""

    report: Report
    items: tuple[Item, ...]
    edges: tuple[Edge, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Every box, in order."""
        return tuple(boxes_of(self.items))

    @cached_property
    def order(self) -> dict[str, int]:
        """When every box runs, by its name: when its first layer does, not an earlier view."""
        row = self.report.placement.row
        return {box.name: min([row[index] for index in box.rows[0].nodes]) for box in self.boxes}

    @property
    def has_back_edges(self) -> bool:
        """Whether a module is drawn once and runs again."""
        return any(is_back(self, edge.source, edge.target) for edge in self.edges)


def outline(report: Report, *, depth: int | None = None) -> Outline:
    """Return the outline of a report; modules deeper than ``depth`` are one box each."""
    rows = report.view(depth=depth)
    items = _stages(_modules(rows))
    collapsed = tuple(_collapse(items, _Surroundings.of(report.shaped)))
    return Outline(report, collapsed, tuple(_edges(rows, collapsed)))


def sections(rows: Sequence[Layer]) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """Yield the stages, single modules and single layers at the top, in order, with their rows.

    ``rows`` are one view of a report.
    """
    for item in _stages(_modules(rows)):
        yield (item.name if isinstance(item, Box) else item.names[0]), item.rows


def is_back(outline: Outline, source: str, target: str) -> bool:
    """Return whether an edge leads to a box that comes before its source."""
    return outline.order[source] > outline.order[target]


def boxes_of(items: Sequence[Item]) -> Iterator[Box]:
    """Yield every box in the items, in order."""
    for item in items:
        if isinstance(item, Box):
            yield item
        else:
            yield from boxes_of(item.items)


def _modules(rows: Sequence[Layer]) -> tuple[Item, ...]:
    """Return the rows in frames by the modules of their paths, in order of first appearance."""
    inside = members_of(rows)

    def items(module: str) -> tuple[Item, ...]:
        return tuple(
            frame(member) if isinstance(member, str) else Box((member,))
            for member in inside[module]
        )

    def frame(module: str) -> Item:
        members = items(module)
        only = len(members) == 1 and isinstance(members[0], Box)
        return members[0] if only else Frame((module,), members)

    return items("")


def _stages(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the items with those of one stage in a frame.

    Items of training alone lead nowhere: they do not split a stage and follow it.
    """
    staged: list[Item] = []
    members: list[Item] = []
    heads: list[Item] = []

    def close() -> None:
        if len(members) > 1:
            staged.append(Frame((_stage(members[0]),), tuple(members), "stage"))
        else:
            staged.extend(members)
        staged.extend(heads)
        members.clear()
        heads.clear()

    for item in items:
        if members and _training_only(item):
            heads.append(item)
            continue
        stage = _stage(item)
        if not (members and stage and stage == _stage(members[0])):
            close()
        members.append(item)
    close()
    return tuple(staged)


def _stage(item: Item) -> str:
    name = item.name if isinstance(item, Box) else item.names[0]
    matched = STAGE.fullmatch(name)
    return matched[1] if matched else ""


def _training_only(item: Item) -> bool:
    nodes = item.rows[0].report.shaped.nodes
    return all(nodes[index].training_only for row in item.rows for index in row.nodes)


class _Surroundings(NamedTuple):
    """A shaped graph, and for each node who reads it; a result of the graph has the reader -1."""

    shaped: ShapedGraph
    readers: list[list[int]]

    @classmethod
    def of(cls, shaped: ShapedGraph) -> _Surroundings:
        readers = shaped.graph.consumers()
        for value in (*shaped.graph.outputs, *shaped.graph.training_outputs):
            readers[value.node].append(-1)
        return cls(shaped, readers)


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


class _Place(NamedTuple):
    """The box that a row is drawn in, and which repeat it is of each frame around, outermost first.

    A frame is told by the name of the first box in it.
    """

    box: str
    repeats: dict[tuple[int, str], int]


def _edges(rows: Sequence[Layer], items: Sequence[Item]) -> Iterator[Edge]:
    """Yield each edge once; those that lead from one repeat to the next are left out."""
    places = dict(_places(items, ()))
    row_of = {index: row.name for row in rows for index in row.nodes}
    seen: set[Edge] = set()
    for row in rows:
        target = places[row.name]
        for index in row.nodes:
            for value in row.report.shaped.nodes[index].inputs:
                source = places[row_of[value.node]]
                edge = Edge(source.box, target.box)
                common = source.repeats.keys() & target.repeats.keys()
                between = any(source.repeats[key] != target.repeats[key] for key in common)
                if source.box == target.box or between or edge in seen:
                    continue
                seen.add(edge)
                yield edge


def _places(
    items: Sequence[Item], around: tuple[tuple[tuple[int, str], int], ...]
) -> Iterator[tuple[str, _Place]]:
    """Yield the place of every row; ``around`` are the frames with their numbers of repeats."""
    for item in items:
        if isinstance(item, Frame):
            key = (len(around), item.rows[0].name)
            yield from _places(item.items, (*around, (key, item.repeat.times)))
            continue
        for number, row in enumerate(item.rows):
            rest = number // item.repeat.times
            repeats = {}
            for key, times in reversed(around):
                rest, repeats[key] = divmod(rest, times)
            yield row.name, _Place(item.name, repeats)
