"""The papers' own tables: one row per stage, one column per model, derived from the graphs.

A stage is the layers of one output size; ``modules`` writes those between two of its merges.
Layers inside a module are written as in ResNet's table 1, ``[3x3, 64; 3x3, 64] x 2``. A model
without modules is written as in VGG's table 1, ``conv3-64``, one entry per layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import NamedTuple

from cnnstat import ops
from cnnstat.count.layer import Layer
from cnnstat.count.modules import (
    is_pool,
    is_shown,
    module_text,
    op_of,
    pool_text,
    units,
    window_text,
)
from cnnstat.count.report import Report
from cnnstat.ir.reach import Sliding

ONE_ELEMENT = "1x1"


class Stage(NamedTuple):
    """The layers of one model at one output size: ``entries`` are the lines of its cell.

    A pooling between two stages is a stage of its own (``pooling``).
    """

    size: str
    area: int
    name: str
    pooling: bool
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageRow:
    """One row of the table.

    ``cells`` run parallel to the models, empty where a model has no such stage.
    """

    name: str
    size: str
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class StageTable:
    """``rows`` in the order of every model; ``macs`` is the last row, FLOPs in the papers' sense.

    None in ``macs`` where a model's work is not known in full.
    """

    models: tuple[str, ...]
    rows: tuple[StageRow, ...]
    macs: tuple[int | None, ...]


class _Key(NamedTuple):
    """Key of aligned stages: output size, pooling or not, and a number among equal ones."""

    size: str
    pooling: bool
    occurrence: int


def stage_table(models: Sequence[tuple[str, Report]]) -> StageTable:
    """Return the stages of several models, by name, side by side, aligned by output size."""
    columns = [_keyed(stages(report)) for _, report in models]
    rows = []
    for key in _ordered(columns):
        aligned = [column.get(key) for column in columns]
        names = [stage.name for stage in aligned if stage]
        cells = tuple(stage.entries if stage else () for stage in aligned)
        rows.append(StageRow(_common(names), key.size, cells))
    return StageTable(
        tuple(name for name, _ in models),
        tuple(rows),
        tuple(r.totals.macs if r.status == "complete" else None for _, r in models),
    )


def _keyed(column: list[Stage]) -> dict[_Key, Stage]:
    keyed: dict[_Key, Stage] = {}
    for stage in column:
        occurrence = 0
        while (key := _Key(stage.size, stage.pooling, occurrence)) in keyed:
            occurrence += 1
        keyed[key] = stage
    return keyed


def _ordered(columns: list[dict[_Key, Stage]]) -> list[_Key]:
    """Return the keys in an order that is each model's own; where two are free, the larger first.

    Where the orders of two models contradict each other, the larger goes first as well.
    """
    areas = {key: stage.area for column in columns for key, stage in column.items()}
    waiting = [list(column) for column in columns]
    order: list[_Key] = []
    while any(waiting):
        heads = [column[0] for column in waiting if column]
        free = [k for k in heads if not any(k in column[1:] for column in waiting)] or heads
        chosen = max(free, key=lambda key: areas[key])
        order.append(chosen)
        waiting = [[key for key in column if key != chosen] for column in waiting]
    return order


def _common(names: list[str]) -> str:
    """Return the name of one stage in several models; ``conv1_x`` also covers ``conv1_1``.

    Where two models name it differently both names stand, of more names the first.
    """
    stems = {name.removesuffix("_x") for name in names if name.endswith("_x")}
    stage_names = [
        f"{stem}_x" if (stem := name.rpartition("_")[0]) in stems else name for name in names
    ]
    different = list(dict.fromkeys(stage_names))
    return " / ".join(different) if len(different) < 3 else f"{different[0]} / ..."


def stages(report: Report) -> list[Stage]:
    """Return the stages of one model in the order of its graph."""
    members = [(unit, [row for row in unit if is_shown(row)]) for unit in units(report)]
    modular = any(len(shown) > 1 for _, shown in members)
    pieces: list[tuple[Stage, bool]] = []  # a stage of one unit, and whether that is a module
    for unit, shown in members:
        if not shown:
            continue
        module = len(shown) > 1
        entries = (
            (f"[{module_text(report, unit)}]",) if module else _layer(shown[0], plain=not modular)
        )
        output = unit[-1].output if module else shown[0].output
        size = "x".join(map(str, output.shape[2:])) or ONE_ELEMENT
        pooling = not module and is_pool(shown[0]) and size != ONE_ELEMENT
        name = (unit[0].path or f"{unit[0].name} ... {unit[-1].name}") if module else shown[0].name
        pieces.append((Stage(size, prod(output.shape[2:]), name, pooling, entries), module))
    merged = []
    for _, run in groupby(pieces, key=lambda piece: (piece[0].size, piece[0].pooling)):
        same = list(run)
        lines: list[str] = []
        for (entries, module), equal in groupby(same, key=lambda p: (p[0].entries, p[1])):
            count = len(list(equal))
            times = f" x {count}" if count > 1 else ""
            lines += [f"{entries[0]}{times}"] if module else list(entries) * count
        names = [stage.name for stage, _ in same]
        merged.append(same[0][0]._replace(name=_stage_name(names), entries=tuple(lines)))
    return merged


def _stage_name(names: list[str]) -> str:
    """Return ``conv2_x`` for conv2_1, conv2_2 ...; the only name of a stage as it is."""
    if len(names) == 1:
        return names[0]
    stems = {name.rpartition("_")[0] for name in names}
    stem = stems.pop()
    return f"{stem}_x" if stem and not stems else f"{names[0]} ... {names[-1]}"


def _layer(layer: Layer, *, plain: bool) -> tuple[str, ...]:
    """Return one layer outside any module.

    ``7x7, 64, stride 2`` and ``1000-d fc`` or, in a plain model, ``conv7-64`` and ``FC-1000``;
    response normalisation and softmax are entries of their own.
    """
    acting = {type(layer.report.shaped.nodes[index].op) for index in layer.nodes}
    norm = ("LRN",) if ops.LocalResponseNorm in acting else ()
    if is_pool(layer):
        return (pool_text(layer, plain=plain), *norm)
    width = layer.output.shape[1]
    reach = layer.report.shaped.facts[layer.anchor].reach
    if isinstance(reach, Sliding):
        return (window_text(layer, stride=True, plain=plain), *norm)
    kind = "fc" if isinstance(op_of(layer), ops.Linear) else layer.type
    text = f"{kind.upper()}-{width}" if plain else f"{width}-d {kind}"
    soft = ("soft-max" if plain else "softmax",) if ops.Softmax in acting else ()
    return (text, *soft)
