"""The outline of a drawing: rows as boxes, modules and stages as frames around them, edges.

Equal blocks are drawn once. Knows no output format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.count.tree import members_of
from cnnstat.render.graph.items import Box, Frame, Item, boxes_of, collapsed, is_training_only

STAGE = re.compile(r"(.+?\d)(_[a-z]*\d+|[a-z])")
"""Names of one stage: ``conv2_1``, ``conv2_block12``, ``inception_3a``; its name comes first."""


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
        return any(map(self.is_back, self.edges))

    def is_back(self, edge: Edge) -> bool:
        """Return whether an edge leads to a box that comes before its source."""
        return self.order[edge.source] > self.order[edge.target]


def outline(report: Report, *, depth: int | None = None) -> Outline:
    """Return the outline of a report; modules deeper than ``depth`` are one box each."""
    rows = report.view(depth=depth)
    items = _stages(_modules(rows))
    once = collapsed(items, report.shaped)
    return Outline(report, once, tuple(_edges(rows, once)))


def sections(rows: Sequence[Layer]) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """Yield the stages, single modules and single layers at the top, in order, with their rows.

    ``rows`` are one view of a report.
    """
    for item in _stages(_modules(rows)):
        yield (item.name if isinstance(item, Box) else item.names[0]), item.rows


def _modules(rows: Sequence[Layer]) -> tuple[Item, ...]:
    """Return the rows in frames by the modules of their paths, in order of first appearance.

    A module that does not run in one go (a list of the levels of a U-Net, a module that runs again)
    has no frame, which would enclose empty space: its parts stand between what runs between them.
    """
    inside = members_of(rows)
    place = {row.name: number for number, row in enumerate(rows)}
    reads = _reads(rows)

    def items(module: str) -> tuple[Item, ...]:
        made: list[Item] = []
        for member in inside[module]:
            made += frame(member) if isinstance(member, str) else [Box((member,))]
        return tuple(sorted(made, key=lambda item: place[item.rows[0].name]))

    def frame(module: str) -> Sequence[Item]:
        members = items(module)
        places = {place[row.name] for item in members for row in item.rows}
        if len(places) == 1 or _is_interrupted(places, reads):
            return members
        return [Frame((module,), members)]

    return items("")


def _reads(rows: Sequence[Layer]) -> list[set[int]]:
    """Return for each row the places of the rows that it reads."""
    row_of = {index: place for place, row in enumerate(rows) for index in row.nodes}
    return [
        {
            row_of[value.node]
            for index in row.nodes
            for value in row.report.shaped.nodes[index].inputs
        }
        for row in rows
    ]


def _is_interrupted(places: set[int], reads: Sequence[set[int]]) -> bool:
    """Return whether a row inside depends, through rows outside, on another one inside."""
    behind: set[int] = set()  # rows outside that depend on one inside
    for place in range(min(places), max(places) + 1):
        if place in places:
            if not behind.isdisjoint(reads[place]):
                return True
        elif any(source in places or source in behind for source in reads[place]):
            behind.add(place)
    return False


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
        if members and is_training_only(item.rows):
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


class _Place(NamedTuple):
    """The box that a row is drawn in, and which repeat it is of each frame around.

    A frame is told by its depth and the name of its first row.
    """

    box: str
    repeats: dict[tuple[int, str], int]


def _edges(rows: Sequence[Layer], items: Sequence[Item]) -> Iterator[Edge]:
    """Yield each edge once; those that lead from one repeat to the next are left out."""
    places = dict(_places(items, {}))
    row_of = {index: row.name for row in rows for index in row.nodes}
    edges: dict[Edge, None] = {}
    for row in rows:
        target = places[row.name]
        for index in row.nodes:
            for value in row.report.shaped.nodes[index].inputs:
                source = places[row_of[value.node]]
                common = source.repeats.keys() & target.repeats.keys()
                between = any(source.repeats[key] != target.repeats[key] for key in common)
                if source.box != target.box and not between:
                    edges[Edge(source.box, target.box)] = None
    yield from edges


def _places(
    items: Sequence[Item], around: dict[tuple[int, str], int]
) -> Iterator[tuple[str, _Place]]:
    """Yield the place of every row; ``around`` has how often the frames around repeat."""
    for item in items:
        if isinstance(item, Frame):
            frame = {(len(around), item.rows[0].name): item.repeat.times}
            yield from _places(item.items, around | frame)
            continue
        for number, row in enumerate(item.rows):
            rest = number // item.repeat.times
            repeats = {}
            for key, times in reversed(around.items()):
                rest, repeats[key] = divmod(rest, times)
            yield row.name, _Place(item.name, repeats)
