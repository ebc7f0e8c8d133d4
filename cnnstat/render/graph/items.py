"""The items of a drawing: boxes for rows, frames for modules and stages, and their repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cnnstat.count.layer import Layer


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
