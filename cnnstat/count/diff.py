"""Two models layer by layer: which layers are in both, which changed, which are new.

Layers are aligned by name where the models share at least half of their names, else by what they
are, in order (the longest common sequence). Only what a layer is and does counts as a change: the
name of an aligned layer does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report

Change = Literal["same", "changed", "removed", "added"]
FIELDS = ("type", "detail", "input", "output", "params", "macs")
"""Figures of two layers that are compared."""


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One pair of layers; ``left`` or ``right`` is None where the other model has no such layer.

    ``fields`` names what differs, of ``FIELDS``; empty but for ``changed``.
    """

    change: Change
    left: Layer | None
    right: Layer | None
    fields: tuple[str, ...] = ()


def diff(left: Report, right: Report) -> tuple[DiffRow, ...]:
    """Return the layers of two models aligned, in the order of both."""
    from difflib import SequenceMatcher

    by_name = _share_names(left, right)
    one, other = [
        [row.name if by_name else row.type for row in report.layers] for report in (left, right)
    ]
    rows: list[DiffRow] = []
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        lefts, rights = left.layers[a:a_end], right.layers[b:b_end]
        if tag == "equal":
            rows += [_pair(x, y) for x, y in zip(lefts, rights, strict=True)]
        else:
            rows += _replaced(lefts, rights)
    return tuple(rows)


def _share_names(left: Report, right: Report) -> bool:
    ours, theirs = {row.name for row in left.layers}, {row.name for row in right.layers}
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def _replaced(lefts: Sequence[Layer], rights: Sequence[Layer]) -> list[DiffRow]:
    """Pair layers of one type in order within a stretch that differs.

    Layers left over were removed or added.
    """
    rows: list[DiffRow] = []
    waiting = list(rights)
    for layer in lefts:
        same = next((i for i, other in enumerate(waiting) if other.type == layer.type), None)
        if same is None:
            rows.append(DiffRow("removed", layer, None))
            continue
        rows += [DiffRow("added", None, skipped) for skipped in waiting[:same]]
        rows.append(_pair(layer, waiting[same]))
        waiting = waiting[same + 1 :]
    return rows + [DiffRow("added", None, layer) for layer in waiting]


def _pair(left: Layer, right: Layer) -> DiffRow:
    pairs = zip(FIELDS, _facts(left), _facts(right), strict=True)
    fields = tuple(name for name, ours, theirs in pairs if ours != theirs)
    return DiffRow("changed" if fields else "same", left, right, fields)


def _facts(layer: Layer) -> tuple[object, ...]:
    """Return what is compared, parallel to ``FIELDS``."""
    inputs = [spec.shape for spec in layer.inputs]
    return layer.type, layer.detail, inputs, layer.output.shape, layer.params, layer.macs
