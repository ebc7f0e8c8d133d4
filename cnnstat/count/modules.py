"""Modules of a model in one line: the layers of a branch by ``;``, parallel branches by ``|``.

A module is what shares a path; in a model without paths, what lies between two layers that
everything passes through. Of branches that are added the longest is written, as ResNet's table 1
does it; of branches that are concatenated, every one.
"""

from __future__ import annotations

from cnnstat import ops
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.ir.op import Op
from cnnstat.ir.reach import Sliding
from cnnstat.ops.adaptive_pool import ADAPTIVE_MAXIMA, ADAPTIVE_MEANS
from cnnstat.ops.pool import MAXIMA, MEANS

POOLS: dict[type[Op], str] = {
    **dict.fromkeys((*MEANS, *ADAPTIVE_MEANS, ops.GlobalAvgPool2d), "average pool"),
    **dict.fromkeys((*MAXIMA, *ADAPTIVE_MAXIMA), "max pool"),
    ops.Subsampling: "subsampling",
}
"""Poolings in words."""


def op_of(layer: Layer) -> Op:
    """Return the operator that names a row."""
    return layer.report.shaped.nodes[layer.anchor].op


def units(report: Report) -> list[list[Layer]]:
    """Return the layers without the inputs, those of one module together."""
    layers = [row for row in report.layers if report.shaped.nodes[row.anchor].inputs]
    if not any(row.path for row in layers):
        return _between_cuts(report, layers)
    modules: dict[str, list[Layer]] = {}
    for row in layers:
        modules.setdefault(row.path or row.name, []).append(row)
    return list(modules.values())


def _between_cuts(report: Report, layers: list[Layer]) -> list[list[Layer]]:
    """Cut after each layer that is the only one read later."""
    shown = {row.anchor for row in layers}
    last_reader = dict.fromkeys((row.anchor for row in report.layers), -1)
    for row in layers:
        for source in _sources(report, row):
            last_reader[source] = row.anchor
    pieces: list[list[Layer]] = [[]]
    open_until = -1  # the furthest reader of anything before the layer at hand
    for row in report.layers:
        if row.anchor in shown:
            pieces[-1].append(row)
            if open_until <= row.anchor:
                pieces.append([])
        open_until = max(open_until, last_reader[row.anchor])
    return [piece for piece in pieces if piece]


def _sources(report: Report, layer: Layer) -> list[int]:
    """Return the anchors of the rows that a row reads, each once, in order."""
    nodes, row_of = report.shaped.nodes, report.placement.row
    inside = set(layer.nodes)
    values = [v for index in layer.nodes for v in nodes[index].inputs if v.node not in inside]
    return list(dict.fromkeys(row_of[value.node] for value in values))


def module_text(report: Report, unit: list[Layer]) -> str:
    """Return what a module does, without brackets; empty where it neither stores nor pools.

    A module of several merges (a fractal block) is not written as branches: its layers are counted.
    """
    by_anchor = {row.anchor: row for row in unit}
    sources = {
        row.anchor: [source for source in _sources(report, row) if source in by_anchor]
        for row in unit
    }
    merges = [row for row in unit if len(_sources(report, row)) > 1]
    if len(merges) > 1:
        return _counted(unit)
    if not merges:
        return _chain(unit)
    readers = [source for entering in sources.values() for source in entering]
    merge = merges[0]
    branches = [
        _branch(source, by_anchor, sources, readers)
        for source in _sources(report, merge)
        if source in by_anchor
    ]
    within = {row.anchor for branch in branches for row in branch} | {merge.anchor}
    before = [row for row in unit if row.anchor < merge.anchor and row.anchor not in within]
    after = [row for row in unit if row.anchor > merge.anchor]
    added = all(spec.shape == merge.output.shape for spec in merge.inputs)
    if added and branches:
        branches = [max(branches, key=lambda rows: len([r for r in rows if is_shown(r)]))]
    parallel = " | ".join(filter(None, map(_chain, branches)))
    return "; ".join(filter(None, (_chain(before), parallel, _chain(after))))


def _branch(
    source: int, rows: dict[int, Layer], sources: dict[int, list[int]], readers: list[int]
) -> list[Layer]:
    """Return the rows that lead to ``source``, back to where the branches part."""
    branch: list[Layer] = []
    while readers.count(source) == 1:
        branch.insert(0, rows[source])
        if not sources[source]:
            break
        source = sources[source][0]
    return branch


def _chain(rows: list[Layer]) -> str:
    return "; ".join(_inner(row) for row in rows if is_shown(row))


def _counted(rows: list[Layer]) -> str:
    texts = [_inner(row) for row in rows if is_shown(row)]
    counts = {text: texts.count(text) for text in dict.fromkeys(texts)}
    return "; ".join(f"{n} of {text}" if n > 1 else text for text, n in counts.items())


def _inner(layer: Layer) -> str:
    if is_pool(layer):
        return pool_text(layer)
    if isinstance(layer.report.shaped.facts[layer.anchor].reach, Sliding):
        return window_text(layer)
    return f"{layer.output.shape[-1]}-d fc"


def is_pool(layer: Layer) -> bool:
    """Whether a row pools: a maximum, a mean, or LeNet's trainable subsampling."""
    return type(op_of(layer)) in POOLS


def is_shown(layer: Layer) -> bool:
    """Whether a row is worth an entry: it pools, or stores something and is not a normalisation."""
    stores = bool(layer.report.shaped.facts[layer.anchor].weights)
    return is_pool(layer) or (stores and op_of(layer).is_layer)


def pool_text(layer: Layer, *, plain: bool = False) -> str:
    """Return ``3x3 max pool, stride 2``, ``average pool`` of everything, or ``maxpool``."""
    kind = POOLS[type(op_of(layer))]
    reach = layer.report.shaped.facts[layer.anchor].reach
    if plain:
        return kind.replace(" ", "")
    if not isinstance(reach, Sliding):
        return kind
    kernel = "x".join(str(window.kernel) for window in reach.windows)
    stride = reach.windows[0].stride
    return f"{kernel} {kind}" + (f", stride {stride}" if stride > 1 else "")


def window_text(layer: Layer, *, stride: bool = False, plain: bool = False) -> str:
    """Return ``3x3, 64``; ``3x3, 128, C=32`` in 32 groups; ``3x3 dw, 32`` with one per channel.

    In a ``plain`` model ``conv3-64``; of a transposed convolution ``deconv3-64``.
    """
    op = op_of(layer)
    reach = layer.report.shaped.facts[layer.anchor].reach
    if not isinstance(reach, Sliding):
        return ""
    width, groups = layer.output.shape[1], getattr(op, "groups", 1)
    depthwise = groups > 1 and groups == layer.inputs[0].shape[1]
    extents = [str(window.kernel) for window in reach.windows]
    if plain:
        kernel = extents[0] if len(set(extents)) == 1 else "x".join(extents)
        text = f"{'deconv' if reach.transposed else 'conv'}{kernel}-{width}"
        text += " dw" if depthwise else ""
    else:
        kind = " dw" if depthwise else " deconv" if reach.transposed else ""
        text = f"{'x'.join(extents)}{kind}, {width}"
    step = reach.windows[0].stride
    text += f", C={groups}" if groups > 1 and not depthwise else ""
    return text + (f", stride {step}" if stride and step > 1 else "")
