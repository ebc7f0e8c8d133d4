"""The papers' own tables: one row per stage, one column per model, derived from the graphs.

A stage is what happens at one output size. Layers inside a module are written as in ResNet's table
1, ``[3x3, 64; 3x3, 64] x 2``: the weighted layers of its longest branch where the branches are
added, every branch where they are concatenated. A model without modules is written as in VGG's
table 1, ``conv3-64``, one entry per layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from cnnstat.engine.report import Layer, Report
from cnnstat.ir.op import Sliding
from cnnstat.ir.tensor import TensorSpec


class Stage(NamedTuple):
    """What one model does at one output size: ``entries`` are the lines of its cell."""

    size: str
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
    """``rows`` by falling output size; ``macs`` is the last row, FLOPs in the papers' sense."""

    models: tuple[str, ...]
    rows: tuple[StageRow, ...]
    macs: tuple[int, ...]


def stage_table(reports: tuple[Report, ...]) -> StageTable:
    """Return the stages of several models side by side, aligned by output size."""
    columns = [stages(report) for report in reports]
    keys: list[tuple[str, bool]] = []
    for column in columns:
        position = 0
        for stage in column:
            key = (stage.size, stage.pooling)
            if key in keys:
                position = keys.index(key) + 1
            else:
                keys.insert(position, key)
                position += 1
    rows = []
    for size, pooling in keys:
        found = [
            [s for s in column if (s.size, s.pooling) == (size, pooling)] for column in columns
        ]
        names = [stage.name for matches in found for stage in matches]
        cells = tuple(tuple(e for stage in matches for e in stage.entries) for matches in found)
        name = next((name for name in names if name.endswith("_x")), names[0])
        rows.append(StageRow(name, size, cells))
    return StageTable(
        tuple(report.name for report in reports),
        tuple(rows),
        tuple(report.totals.macs for report in reports),
    )


def stages(report: Report) -> list[Stage]:
    """Return the stages of one model in order; a pooling between two stages is one of its own."""
    units = _units(report)
    modular = any(len(unit) > 1 for unit in units)
    pieces: list[tuple[str, bool, str, str]] = []  # size, pooling, name, entry
    for unit in units:
        entry = _module(report, unit) if len(unit) > 1 else _layer(unit[0], modular=modular)
        if entry:
            size = _size(unit[-1].output)
            pooling = len(unit) == 1 and _is_pool(unit[0]) and size != "1x1"
            pieces.append((size, pooling, _unit_name(unit), entry))
    found = []
    for (size, pooling), run in groupby(pieces, key=lambda piece: piece[:2]):
        members = list(run)
        entries = [
            _repeated(text, len(list(same))) for text, same in groupby(m[3] for m in members)
        ]
        if not modular:
            entries = [member[3] for member in members]
        found.append(Stage(size, _stage_name([m[2] for m in members]), pooling, tuple(entries)))
    return found


def _units(report: Report) -> list[list[Layer]]:
    """Return the layers, those of one module together.

    The input and everything free is left out.
    """
    units: dict[str, list[Layer]] = {}
    for layer in report.layers:
        if report.shaped.nodes[layer.anchor].inputs:
            units.setdefault(layer.path or layer.name, []).append(layer)
    return list(units.values())


def _unit_name(unit: list[Layer]) -> str:
    return unit[0].path if len(unit) > 1 else unit[0].name


def _stage_name(names: list[str]) -> str:
    """Return ``conv2_x`` for conv2_1, conv2_2 ...; the only name of a stage as it is."""
    stems = {name.rpartition("_")[0] or name for name in names}
    if len(names) == 1:
        return names[0]
    return f"{stems.pop()}_x" if len(stems) == 1 else f"{names[0]} ... {names[-1]}"


def _size(spec: TensorSpec) -> str:
    return "x".join(map(str, spec.shape[2:])) or "1x1"


def _is_pool(layer: Layer) -> bool:
    return "Pool" in layer.type


def _is_weighted(layer: Layer) -> bool:
    op = layer.report.shaped.nodes[layer.anchor].op
    return op.is_layer and layer.params > 0


def _repeated(entry: str, count: int) -> str:
    return f"{entry} x {count}" if count > 1 or entry.startswith("[") else entry


def _layer(layer: Layer, *, modular: bool) -> str:
    """Return one layer outside any module.

    ``7x7, 64, stride 2`` or, in a plain model, ``conv7-64``.
    """
    facts = layer.report.shaped.facts[layer.anchor]
    extras = layer.detail
    if isinstance(facts.reach, Sliding):
        window = facts.reach.windows[0]
        kernel = "x".join(str(w.kernel) for w in facts.reach.windows)
        stride = f", stride {window.stride}" if window.stride > 1 else ""
        if _is_pool(layer) or not _is_weighted(layer):
            if not _is_pool(layer):
                return ""
            kind = "max pool" if "Max" in layer.type else "average pool"
            return f"{kernel} {kind}{stride}" if modular else kind.replace(" ", "")
        width = layer.output.shape[1]
        text = f"{kernel}, {width}{stride}" if modular else f"conv{window.kernel}-{width}{stride}"
        return f"{text} LRN" if "LocalResponseNorm" in extras else text
    if _is_pool(layer):
        return "average pool" if "Avg" in layer.type else "max pool"
    if _is_weighted(layer):
        width = layer.output.shape[1]
        text = f"{width}-d fc" if modular else f"FC-{width}"
        return f"{text}, softmax" if "Softmax" in extras else text
    return ""


def _module(report: Report, unit: list[Layer]) -> str:
    """Return one module: its branches, the layers of each joined by semicolons, in brackets."""
    row_of = report.placement.row
    inside = {layer.anchor for layer in unit}
    chains: dict[int, list[Layer]] = {}
    branches: list[list[Layer]] = []
    added = False
    for layer in unit:
        entering = {
            row_of[value.node]
            for index in layer.nodes
            for value in report.shaped.nodes[index].inputs
            if value.node not in layer.nodes
        }
        before = [chains[row] for row in entering if row in inside and row in chains]
        if layer.type == "Add":
            added = True
        grown = max(before, key=len, default=[])
        shown = _is_weighted(layer) or _is_pool(layer)
        chains[layer.anchor] = [*grown, layer] if shown else grown
        if shown:
            branches = [b for b in branches if b is not grown]
            branches.append(chains[layer.anchor])
    weighted = [branch for branch in branches if any(map(_is_weighted, branch))]
    if added and weighted:
        weighted = [max(weighted, key=len)]
    text = " | ".join("; ".join(map(_inner, branch)) for branch in weighted or branches)
    return f"[{text}]" if text else ""


def _inner(layer: Layer) -> str:
    reach = layer.report.shaped.facts[layer.anchor].reach
    if _is_pool(layer) or not isinstance(reach, Sliding):
        return "pool" if _is_pool(layer) else f"fc {layer.output.shape[-1]}"
    kernel = "x".join(str(w.kernel) for w in reach.windows)
    groups = layer.detail.partition("groups ")[2].split(" ")[0]
    return f"{kernel}, {layer.output.shape[1]}" + (f", C={groups}" if groups else "")
