"""Two models layer by layer: which layers stand in both, which changed, which are new.

Layers are aligned by name where both models use it, else by what they are, in order (the longest
common sequence).
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from cnnstat.engine.report import Layer, Report

Change = Literal["same", "changed", "removed", "added"]


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One pair of layers; ``left`` or ``right`` is None where the other model has no such layer.

    ``fields`` names what differs: ``detail``, ``input``, ``output``, ``params``, ``macs``.
    """

    change: Change
    left: Layer | None
    right: Layer | None
    fields: tuple[str, ...] = ()


def diff(left: Report, right: Report) -> tuple[DiffRow, ...]:
    """Return the layers of two models aligned, in the order of both."""
    if _share_names(left, right):
        one, other = [row.name for row in left.layers], [row.name for row in right.layers]
    else:
        one, other = list(map(_kind, left.layers)), list(map(_kind, right.layers))
    rows: list[DiffRow] = []
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        lefts, rights = left.layers[a:a_end], right.layers[b:b_end]
        if tag == "equal":
            rows += [_pair(x, y) for x, y in zip(lefts, rights, strict=True)]
            continue
        rows += _replaced(lefts, rights)
    return tuple(rows)


def _share_names(left: Report, right: Report) -> bool:
    ours, theirs = {row.name for row in left.layers}, {row.name for row in right.layers}
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def _kind(layer: Layer) -> str:
    return f"{layer.type} {layer.output.rank}"


def _replaced(lefts: tuple[Layer, ...], rights: tuple[Layer, ...]) -> list[DiffRow]:
    """Pair layers of one kind in order within a stretch that differs.

    What is left over was removed or added.
    """
    rows: list[DiffRow] = []
    waiting = list(rights)
    for layer in lefts:
        same = next((other for other in waiting if other.type == layer.type), None)
        if same is None:
            rows.append(DiffRow("removed", layer, None))
            continue
        for skipped in waiting[: waiting.index(same)]:
            rows.append(DiffRow("added", None, skipped))
        waiting = waiting[waiting.index(same) + 1 :]
        rows.append(_pair(layer, same))
    return rows + [DiffRow("added", None, layer) for layer in waiting]


def _pair(left: Layer, right: Layer) -> DiffRow:
    checks = {
        "type": (left.type, right.type),
        "detail": (left.detail, right.detail),
        "input": ([s.shape for s in left.inputs], [s.shape for s in right.inputs]),
        "output": (left.output.shape, right.output.shape),
        "params": (left.params, right.params),
        "macs": (left.macs, right.macs),
    }
    fields = tuple(name for name, (a, b) in checks.items() if a != b)
    return DiffRow("changed" if fields else "same", left, right, fields)
