"""The totals of a report in words: each figure with its unit and definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from cnnstat.count.report import Report
from cnnstat.count.saved import SavedReport
from cnnstat.ir.tensor import DTYPE_BYTES
from cnnstat.render.numbers import bytes_text, count, scaled, shape_text

if TYPE_CHECKING:
    from cnnstat.count.training import StepWork, Training

Line = tuple[str, str, str]
"""Name, figure, words."""


def aligned(lines: Iterable[Line]) -> tuple[str, ...]:
    """Return lines of three columns."""
    rows = list(lines)
    names, figures = (max(len(row[place]) for row in rows) for place in (0, 1))
    return tuple(f"{a:<{names}}  {b:>{figures}}  {c}".rstrip() for a, b, c in rows)


def _totals_line(report: Report) -> str:
    """Return what the total row of a table does not say, in one line."""
    totals = report.totals
    least, known, stored = _bounds(report)
    params = f"params {stored}{bytes_text(totals.param_bytes)}"
    if report.has_weights_alone:
        return params
    parts = [params, f"FLOPs {least}{scaled(totals.flops)}"]
    if report.convention.name != "paper":
        parts.append(f"{report.convention.name} convention {_counted(report, scaled)}")
    parts += [
        f"activations {known}{bytes_text(totals.activation_bytes)} "
        f"(cached {known}{bytes_text(totals.cached_activation_bytes)}, "
        f"peak {known}{bytes_text(totals.peak_activation_bytes)} at {totals.peak_layer})",
        f"depth {count(totals.depth)}",
    ]
    layer = report.last_map
    if layer is not None:
        field = layer.receptive_field
        parts.append(f"receptive field {'?' if field is None else shape_text(field.size)}")
    return ", ".join(parts)


def _bounds(report: Report) -> tuple[str, str, str]:
    """Return what stands before figures of work, of activations and of parameters."""
    states = report.status, report.shapes_status, report.params_status
    work, shapes, params = [">= " if state == "partial" else "" for state in states]
    return work, shapes, params


def brief_lines(report: Report) -> tuple[str, ...]:
    """Return that line, and one for each total of a training step where it was asked for."""
    steps = () if report.training is None else training_totals(report.training, report.batch)
    return (_totals_line(report), *(f"{name} {figure}: {words}" for name, figure, words in steps))


def totals(report: Report) -> Iterator[Line]:
    """Yield every total: its name, its figure and its definition."""
    totals = report.totals
    least, known, stored = _bounds(report)
    yield (
        "parameters",
        f"{stored}{count(totals.params)}",
        f"weights {count(totals.weights)} + biases {count(totals.biases)}, "
        f"a tensor used twice counts once; {bytes_text(totals.param_bytes)}",
    )
    if totals.buffers:
        yield "buffers", count(totals.buffers), "stored, not trained"
    if report.has_weights_alone:
        return
    yield (
        "MACs",
        f"{least}{count(totals.macs)}",
        f"{scaled(totals.macs)}: multiply-accumulates of convolutions, fully connected layers and "
        "matrix products (what papers call FLOPs or ops)",
    )
    yield (
        "FLOPs",
        f"{least}{count(totals.flops)}",
        f"{scaled(totals.flops)}: 2 per MAC plus every other operation of the forward pass",
    )
    rule = report.convention
    if rule.name != "paper":
        figure = _counted(report, count)
        yield f"{rule.name} convention", figure, f"{rule.unit}: {rule.title}"
    if report.training is not None:
        yield from training_totals(report.training, report.batch)
    cached = "activations, plus a copy of each weighted layer's input for the backward pass"
    peak = f"the most bytes alive at once in the forward pass, at {totals.peak_layer}"
    for name, size, words in (
        ("activations", totals.activation_bytes, "sum of the rows' outputs, the input included"),
        ("with cached inputs", totals.cached_activation_bytes, cached),
        ("peak activations", totals.peak_activation_bytes, peak),
    ):
        yield name, f"{known}{bytes_text(size)}", f"{_values(report, size)}{words}"
    yield "depth", count(totals.depth), "weighted layers on the longest path"
    yield "paths", count(totals.paths), "distinct paths from input to output"
    yield from _last_map(report)


def _counted(report: Report, text: Callable[[int], str]) -> str:
    figures = report.totals_figures
    return f"{'>= ' if figures.unknown_counted else ''}{text(figures.counted)}"


def _values(report: Report, size: int) -> str:
    """Return the number of values, if all tensors of the model have one dtype."""
    facts = () if isinstance(report, SavedReport) else report.shaped.facts
    dtypes = {spec.dtype for each in facts for spec in each.outputs}
    if len(dtypes) != 1:
        return ""
    return f"{count(size // DTYPE_BYTES[dtypes.pop()])} values: "


def _last_map(report: Report) -> Iterator[Line]:
    """Yield the receptive field of the last layer that does not read everything."""
    layer = report.last_map
    if layer is None:
        return
    field = layer.receptive_field
    if field is None:
        words = f"of {layer.name}: an operator before it has no rule for it"
    else:
        words = f"of one element of {layer.name}"
        if field.jump is not None:
            jump = shape_text(dict.fromkeys(field.jump))
            words += f", {jump} apart; inputs beyond the border included"
    yield "receptive field", "?" if field is None else shape_text(field.size), words


def training_totals(training: Training, batch: int) -> Iterator[Line]:
    """Yield name, figure and definition of each total of a training step."""
    step, least = training.total, "" if training.is_complete else ">= "
    images = f"{batch:,} image{'' if batch == 1 else 's'}"
    yield (
        "training step",
        f"{least}{count(step.macs)}",
        f"{scaled(step.macs)} MACs for {images}: forward {count(step.forward_macs)} + input "
        f"gradients {count(step.input_gradient_macs)} + weight gradients "
        f"{count(step.weight_gradient_macs)}",
    )
    yield "FlopCounterMode", f"{least}{count(step.flop_counter)}", _counter(step)
    if training.epoch is not None:
        epoch = training.epoch
        words = (
            f"{scaled(epoch.macs)} MACs for {count(epoch.images)} images in "
            f"{count(epoch.steps)} steps"
        )
        yield "epoch", f"{least}{count(epoch.macs)}", words


def _counter(step: StepWork) -> str:
    """Return how PyTorch's count comes about, and why it is not twice that of the products."""
    words = "FLOPs of the forward and backward pass as PyTorch counts them"
    more = step.flop_counter - 2 * step.macs
    if more > 0:
        return (
            f"{words}: 2 per MAC, plus {count(more)} that no kernel computes (the counter "
            "multiplies weight gradients of grouped convolutions by the number of groups)"
        )
    if more < 0:
        return f"{words}: 2 per MAC, for operators with a formula"
    return f"{words}: 2 per MAC"
