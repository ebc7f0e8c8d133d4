"""The lines of a box and of a frame of a drawing, the first in bold, in no particular format.

A box for several rows shows their common values, and the first and last of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from cnnstat.count.figures import Figures
from cnnstat.count.layer import Layer
from cnnstat.ir.reach import Sliding
from cnnstat.render.graph.items import Box, Frame, Item, Repeat, is_training_only, items_in
from cnnstat.render.graph.outline import Outline
from cnnstat.render.numbers import count, scaled, shape_text

Kind = Literal["input", "conv", "fc", "pool", "norm", "merge", "module", "other"]

COLOURS: dict[Kind, tuple[str, str]] = {
    "input": ("#ffffff", "#444444"),
    "conv": ("#d9edf9", "#0072b2"),
    "fc": ("#ccebe0", "#00795a"),
    "pool": ("#fae8c8", "#b07a00"),
    "norm": ("#f5e4ee", "#a85a88"),
    "merge": ("#fcf8cf", "#8f8600"),
    "module": ("#e6e6f2", "#55557f"),
    "other": ("#eeeeee", "#666666"),
}
"""Fill and line by kind: tints and shades of Okabe and Ito's palette, told apart in every vision.

The text of a box says its kind too.
"""


def kind_of(row: Layer) -> Kind:
    """Return what a row is, as the colours distinguish it."""
    shaped = row.report.shaped
    op = shaped.nodes[row.anchor].op
    if row.grouped:
        return "module"
    if op.is_input:
        return "input"
    if op.is_layer and row.macs != 0:
        return "conv" if isinstance(shaped.facts[row.anchor].reach, Sliding) else "fc"
    if "pool" in row.type.lower() or isinstance(shaped.facts[row.anchor].reach, Sliding):
        return "pool"
    if len(shaped.nodes[row.anchor].inputs) > 1:
        return "merge"
    return "norm" if row.params else "other"


def title_lines(outline: Outline, title: str = "") -> tuple[str, ...]:
    """Return the drawing's own lines: the model, its totals, how to read repeats."""
    report = outline.report
    totals = report.totals
    least = ">= " if report.status == "partial" else ""
    shapes = ", ".join(_shape(spec.shape) for spec in report.inputs.values())
    lines = [
        f"{report.name}: {title}" if title else report.name,
        f"input {shapes}, {count(totals.params)} params, {least}{scaled(totals.macs)} MACs",
    ]
    if any(item.repeat.times > 1 for item in items_in(outline.items)):
        lines.append("xN: N equal blocks, drawn once; the boxes inside show one of them")
    if any(is_training_only([row]) for box in outline.boxes for row in box.rows):
        lines.append("dashed: in training only")
    if outline.has_back_edges:
        lines.append("dashed arrow: back to a module that runs again")
    return tuple(lines)


class Entry(NamedTuple):
    """An item with the number of frames around it and its lines; None where a frame ends."""

    level: int
    item: Item | None
    lines: tuple[str, ...] = ()


def entries_of(
    items: Sequence[Item],
    folded: Collection[str] = (),
    *,
    level: int = 0,
    outer: int = 1,
    module: str = "",
) -> Iterator[Entry]:
    """Yield every item in the order of the drawing; nothing inside outermost ``folded`` frames.

    ``outer`` repeats and the ``module`` are around the items.
    """
    for item in items:
        if isinstance(item, Box):
            yield Entry(level, item, box_lines(item, module=module))
            continue
        yield Entry(level, item, frame_lines(item, module=module, outer=outer))
        if level == 0 and item.names[0] in folded:
            continue
        inside = item.names[0] if item.kind == "module" else module
        times = outer * item.repeat.times
        yield from entries_of(item.items, level=level + 1, outer=times, module=inside)
        yield Entry(level, None)


def box_lines(box: Box, *, module: str = "") -> tuple[str, ...]:
    """Return name, operator, output shape, and parameters and MACs where there are any.

    ``module`` is the path of the frame around the box, left out of its name.
    """
    row, last = box.rows[0], box.rows[-1]
    names = _span(_inside(row.name, module), _inside(box.rows[box.repeat.times - 1].name, module))
    lines = [
        _marked(names, box.repeat),
        _operator(row),
        _span(_shape(row.output.shape), _shape(last.output.shape)),
        _span(_figures(row.figures), _figures(last.figures)),
    ]
    return tuple(line for line in lines if line)


def _operator(row: Layer) -> str:
    """Return the operator, its hyper-parameters and what acts on its output."""
    if row.grouped:
        return row.detail
    own = row.report.shaped.nodes[row.anchor].op.detail
    joint = " " if own or not row.detail else " + "
    return f"{row.type}{joint}{row.detail}".strip()


def frame_lines(frame: Frame, *, module: str = "", outer: int = 1) -> tuple[str, ...]:
    """Return name, how it repeats, parameters and MACs; ``outer`` repeats are around it."""
    times = frame.repeat.times
    names = _span(_inside(frame.names[0], module), _inside(frame.names[times - 1], module))
    total = Figures()
    for row in frame.rows:
        total = total.plus(row.figures)
    each = times > 1 and frame.repeat.step == 0
    share = outer * (times if each else 1)
    figures = _figures(total, share=share)
    lead = "each " if each else "together " if times > 1 else ""
    survivals = sorted(set(frame.survivals), reverse=True)
    lines = [
        _marked(names, frame.repeat),
        f"{lead}{figures}" if figures else "",
        f"kept in training with {_span(f'{survivals[0]:.3g}', f'{survivals[-1]:.3g}')}"
        if survivals and times > 1
        else "",
    ]
    return tuple(line for line in lines if line)


def _marked(name: str, repeat: Repeat) -> str:
    """Return a name with its repeats: ``block2 to block5  x4``."""
    if repeat.times == 1:
        return name
    marks = f"{name}  x{repeat.times}"
    if repeat.parallel:
        marks += " side by side"
    return f"{marks}, {repeat.step:+d} channels each" if repeat.step else marks


def _figures(figures: Figures, *, share: int = 1) -> str:
    """Return parameters and MACs, each where there are any, of one of ``share`` equal parts."""
    least = ">= " if figures.unknown else ""
    params, macs = figures.params // share, figures.work.macs // share
    parts = [f"{count(params)} params"] if params else []
    if macs or figures.unknown:
        parts.append(f"{least}{scaled(macs)} MACs" if macs else "? MACs")
    return ", ".join(parts)


def _inside(name: str, module: str) -> str:
    return name.removeprefix(f"{module}/") if module else name


def _shape(shape: tuple[int, ...]) -> str:
    """Return a shape without its batch where that is one image."""
    return shape_text(shape[1:] if shape[:1] == (1,) else shape)


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
