"""The tree of a model's modules: each module with the sum of its rows, above the rows in it.

A module is what names share up to a slash. ``pool1/lrn`` belongs to the layer ``pool1``, which is
no module: both are rows of the module around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cnnstat.count.figures import summed
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report


class Branch(NamedTuple):
    """A row of the tree: its level, its name within its module, and its figures.

    ``is_module``: the row sums up the rows below it.
    """

    level: int
    label: str
    layer: Layer
    is_module: bool


def tree(report: Report, *, expand: bool = False, depth: int | None = None) -> list[Branch]:
    """Return the modules and the rows in them, in order of first appearance.

    Rows are those of ``report.view(expand=expand, depth=depth)``: without the modules, they add up
    to the total.
    """
    rows = report.view(expand=expand, depth=depth)
    return list(_branches(report, "", members_of(rows), level=0))


Members = dict[str, list[Layer | str]]
"""The rows and the paths of the modules in each module, by its path; the model is ``""``."""


def members_of(rows: Sequence[Layer]) -> Members:
    """Return the contents of every module, in order of first appearance."""
    names = {row.name for row in rows}
    members: Members = {"": []}
    for row in rows:
        path = row.path
        while path in names:
            path = path.rpartition("/")[0]
        parts = path.split("/") if path else []
        for end in range(1, len(parts) + 1):
            module = "/".join(parts[:end])
            if module not in members:
                members[module] = []
                members["/".join(parts[: end - 1])].append(module)
        members[path].append(row)
    return members


def _branches(report: Report, module: str, members: Members, *, level: int) -> Iterator[Branch]:
    prefix = f"{module}/" if module else ""
    for member in members[module]:
        if isinstance(member, Layer):
            yield Branch(level, member.name.removeprefix(prefix), member, is_module=False)
            continue
        below = list(_branches(report, member, members, level=level + 1))
        summed = _summed(report, member, [each.layer for each in below if not each.is_module])
        yield Branch(level, member.removeprefix(prefix), summed, is_module=True)
        yield from below


def _summed(report: Report, module: str, rows: Sequence[Layer]) -> Layer:
    nodes = sorted(index for row in rows for index in row.nodes)
    figures = summed([row.figures for row in rows])
    return Layer(report, module, nodes[0], tuple(nodes), figures, grouped=True)
