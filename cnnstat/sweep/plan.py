"""The plan of a sweep, as plain data that travels to a worker, and the batches that come back.

Names of columns: a parameter of the space comes first, a figure of the same name is then written
``figures.depth``; ``parameters.depth`` and ``figures.depth`` are always understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from cnnstat.errors import unknown
from cnnstat.sweep.columns import BY_KEY, Mode, check_mode
from cnnstat.sweep.expression import Expression, parse
from cnnstat.sweep.space import Sample, Space
from cnnstat.sweep.values import AxisValue, spelled

SETTING_COLUMNS = ("input", "batch", "dtype")
FIXED_COLUMNS = ("position", "model", *SETTING_COLUMNS, "classes", "status", "error")
"""Names of a row that are neither parameters nor figures."""

SKIPPED, DROPPED, KEPT, FAILED = b"sdkf"
"""Outcome of a point: invalid, filtered out, a row, a row that says why there are no figures."""


class Row(NamedTuple):
    """One model of the result. ``position`` is its place in the order of drawing."""

    position: int
    model: str
    values: tuple[AxisValue, ...]
    input: tuple[int, ...]
    batch: int
    dtype: str
    status: str
    """``complete``; ``partial``: MACs, FLOPs are lower bounds; ``failed``: ``error`` says why."""
    figures: tuple[int | None, ...]
    """Parallel to ``Plan.figures``."""
    error: str = ""


class Batch(NamedTuple):
    """Results of consecutive points: an outcome each, the rows, and the time it took.

    ``reason`` is the rule that the first invalid combination breaks, ``error`` that of the first
    row that failed. ``lines`` are the rows as a file takes them; ``rows`` is then empty.
    """

    start: int
    outcomes: bytes
    rows: tuple[Row, ...]
    seconds: float
    reason: str = ""
    error: str = ""
    lines: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with rows as plain tuples, which takes a third of the time."""
        plain = [tuple(row) for row in self.rows]
        return _batch, (self.start, self.outcomes, plain, *self[3:])


def _batch(start: int, outcomes: bytes, rows: list[tuple[Any, ...]], *others: Any) -> Batch:
    return Batch(start, outcomes, tuple(map(Row._make, rows)), *others)


@dataclass(frozen=True)
class Plan:
    """A space, the figures to compute, the filter, and how the models run.

    ``sample`` is the number of valid models to draw, None for all points in order.
    """

    space: Space
    figures: tuple[str, ...]
    where: str | None = None
    mode: Mode = "inference"
    optimizer: str = "sgd"
    sample: int | None = None
    seed: int = 0

    @cached_property
    def key(self) -> str:
        """Text that tells plans apart."""
        return repr(self)

    @cached_property
    def order(self) -> Sample | range:
        """The number of the point at each position."""
        size = self.space.size
        return range(size) if self.sample is None else Sample(size, self.seed)

    @cached_property
    def condition(self) -> Expression | None:
        """The filter, parsed."""
        return None if self.where is None else parse(self.where, names_of(self.space))

    def described(self) -> dict[str, object]:
        """Return the plan as plain data: two results with equal ones can continue one another."""
        return {
            **self.space.described(),
            "where": self.where,
            "mode": self.mode,
            "optimizer": self.optimizer if self.mode == "training" else None,
            "sample": self.sample,
            "seed": None if self.sample is None else self.seed,
            "figures": list(self.figures),
        }


def names_of(space: Space) -> tuple[str, ...]:
    """Return every name that a condition or an order may use, the plain ones first."""
    figures, parameters = tuple(BY_KEY), space.parameters
    return (
        *parameters,
        *(key for key in figures if key not in parameters),
        *(name for name in (*SETTING_COLUMNS, "classes", *space.inputs) if name not in parameters),
        *(f"figures.{key}" for key in figures),
        *(f"parameters.{name}" for name in parameters),
    )


def cells_of(space: Space) -> dict[str, list[object]]:
    """Return cells of each column that a condition may name, one for each kind that it holds."""
    cells: dict[str, list[object]] = {}
    axes = dict(space.axes)
    for name in names_of(space):
        plain = name.removeprefix("parameters.")
        if figure_of(name, space) is not None:
            cells[name] = [1]
        elif plain in space.parameters:
            cells[name] = _kinds(axes[plain])
        elif name in space.inputs:
            cells[name] = _kinds([side_of(value) for value in axes[name]])
        elif name in axes and name != "input":
            cells[name] = _kinds(axes[name])
        elif name in ("batch", "classes"):
            cells[name] = [1]
        elif name == "dtype":
            cells[name] = ["float32"]
        elif name in axes:
            cells[name] = _kinds([_side_of(value) for value in axes[name]])
    return cells


def _side_of(value: AxisValue) -> AxisValue:
    """Return a value of the axis ``input`` as the column shows it."""
    extents = value.split("x") if isinstance(value, str) else value
    if not isinstance(extents, list | tuple):
        return value
    height, width = extents[-2:] if len(extents) > 1 else extents * 2
    return 1 if str(height) == str(width) else spelled(value)


def _kinds(values: Sequence[AxisValue]) -> list[object]:
    """Return the first text and the first number among values."""
    if isinstance(values, range):
        return [values[0]]
    plain = [plain_value(value) for value in values]
    kinds = {isinstance(value, str): value for value in reversed(plain) if value is not None}
    return list(kinds.values()) or [None]


def figure_of(name: str, space: Space) -> str | None:
    """Return the key of the figure that a name means; None for any other column."""
    if name.startswith("figures."):
        return name.removeprefix("figures.")
    return name if name in BY_KEY and name not in space.parameters else None


def check_names(names: tuple[str, ...], space: Space, mode: Mode) -> tuple[str, ...]:
    """Return the figures among names of columns.

    Raises ``UsageError`` for an unknown name with the nearest ones, and for a figure of another
    mode.
    """
    known = names_of(space)
    for name in names:
        if name not in known:
            raise unknown("column", name, known)
    keys = [key for key in (figure_of(name, space) for name in names) if key is not None]
    check_mode(keys, mode)
    return tuple(dict.fromkeys(keys))


def side(shape: tuple[int, ...]) -> int | str:
    """Return the side of a square input, else its shape as ``3x224x320``, without the batch."""
    if len(set(shape[1:])) == 1 or len(shape) == 1:
        return shape[-1]
    return "x".join(map(str, shape))


def side_of(value: AxisValue) -> AxisValue:
    """Return the same of an input as an axis writes it (``int64:128``); another text as it is."""
    if not isinstance(value, str):
        return value
    for part in re.split("[:!]", value):
        if re.fullmatch(r"\d+(x\d+)*", part):
            return side(tuple(map(int, part.split("x"))))
    return value


def plain_value(value: AxisValue) -> int | float | str | None:
    """Return a value as a condition sees it: a list as text."""
    return spelled(value) if isinstance(value, tuple) else value
