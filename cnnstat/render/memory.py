"""A memory plan as a document: live bytes layer by layer, the memory needed and its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstat.count.layer import Layer
from cnnstat.memory.fit import CUDA_RESERVE_PERCENT, Fit
from cnnstat.memory.memory import LayerMemory, Measured, MemoryPlan
from cnnstat.memory.passes import Settings
from cnnstat.render.columns import operator_text
from cnnstat.render.document import (
    NEVER_DROPPED,
    Cell,
    Column,
    Document,
    Section,
    cells_of,
    definitions,
)
from cnnstat.render.memory_payload import memory_payload
from cnnstat.render.numbers import bytes_text, count, fixed
from cnnstat.render.totals import Line, aligned

PARTS = {
    "input": "inputs",
    "activation": "activations",
    "weight_copy": "weights in the lower dtype",
    "parameter_gradient": "gradients of parameters",
    "activation_gradient": "gradients of activations",
}
"""Parts of a peak, in plain words."""

HEAVIEST = 3


NAMED = (
    Column("layer", "Layer", keep=NEVER_DROPPED),
    Column("operator", "Type and kernel", keep=NEVER_DROPPED),
    Column("output", "Output", "shape", 5),
    Column(
        *("live_bytes", "Live", "bytes", 8),
        "alive at the layer's peak in the forward pass, weights left out",
        heat=True,
    ),
)
COLUMNS = {
    "inference": (
        *NAMED,
        Column("ideal_bytes", "Ideal", "bytes", 4, "the same, in place wherever possible"),
    ),
    "training": (
        *NAMED,
        Column(
            *("saved_bytes", "Saved", "bytes", 8),
            "first saved here for the backward pass, each storage once",
            heat=True,
        ),
        Column(
            *("backward_bytes", "Backward", "bytes", 6),
            "alive at the layer's peak in the backward pass",
            heat=True,
        ),
    ),
}
"""The columns of each mode."""

MEASURED = {
    "param_bytes": "parameters",
    "buffer_bytes": "buffers",
    "gradient_bytes": "gradients",
    "optimizer_bytes": "optimiser state",
    "saved_bytes": "saved for backward",
    "peak_live_bytes": "peak of the forward pass",
    "backward_peak_bytes": "peak of the backward pass",
    "optimizer_step_bytes": "temporary memory of the optimiser's step",
    "workspace_bytes": "workspaces and rounding",
}
"""Quantities of both a measurement and a plan, in the order of the table."""

MOST_ALIVE = 4
"""Tensors at the ideal peak that the text names; JSON has them all."""


def memory_document(
    plan: MemoryPlan,
    *,
    reference: str,
    measured: tuple[Measured, Measured] | None = None,
    fits: Sequence[Fit] = (),
    next_batch: MemoryPlan | None = None,
) -> Document:
    """Return the document of ``cnnstat memory``.

    ``measured`` is a measurement and the prediction for it; ``next_batch`` the plan with one image
    more, which tells the memory of an image.
    """
    columns = COLUMNS[plan.settings.mode]
    rows = [(layer, plan.of(layer)) for layer in plan.report.layers]
    shape = "x".join(map(str, plan.report.input_shape))
    sums: dict[str, Cell] = {"layer": "total", "saved_bytes": plan.saved_bytes}
    return Document(
        title=f"{plan.report.name}: memory of {_doing(plan.settings)}",
        subtitle=f"input {shape} {plan.report.input.dtype}, batch {plan.batch:,}, "
        + _how(plan.settings),
        columns=columns,
        rows=tuple(cells_of(columns, _row(*row)) for row in rows),
        total=cells_of(columns, sums) if plan.settings.mode == "training" else None,
        lower_bound=plan.status == "partial",
        sections=tuple(_sections(plan, rows, measured, fits, next_batch)),
        payload=memory_payload(plan, reference, rows, measured, fits),
    )


def _row(layer: Layer, memory: LayerMemory) -> dict[str, Cell]:
    named = {"layer": layer.name, "operator": operator_text(layer)}
    return {**named, "output": layer.output_without_batch, **memory._asdict()}


def setting_words(settings: Settings) -> str:
    """Return the mode and the settings in words."""
    return f"{_doing(settings)}, {_how(settings)}"


def _how(settings: Settings) -> str:
    words = [f"autocast to {settings.amp}"] if settings.amp else []
    words += ["blocks recomputed"] if settings.checkpoint else []
    return ", ".join([*words, f"eager PyTorch on {settings.device}"])


def _doing(settings: Settings) -> str:
    if settings.mode == "inference":
        return "an inference pass"
    return f"a training step with {settings.optimizer}"


def _sections(
    plan: MemoryPlan,
    rows: Sequence[tuple[Layer, LayerMemory]],
    measured: tuple[Measured, Measured] | None,
    fits: Sequence[Fit],
    next_batch: MemoryPlan | None,
) -> Iterator[Section]:
    yield Section("In short", tuple(_short(plan, rows, fits, next_batch)))
    yield Section("Memory needed", aligned(_totals(plan)))
    if measured is not None:
        lines = (*aligned(_measured_lines(*measured)), *_unwatched_lines(plan, measured[1]))
        yield Section("Measured and predicted", lines)
    if plan.unknown:
        named = f"the memory of the following is unknown: {', '.join(plan.unknown)}"
        yield Section("Partial", (f"{named}; every figure is a lower bound",))
    yield Section("Definitions", tuple(_definitions(plan)))


def _least(plan: MemoryPlan) -> str:
    return ">= " if plan.status == "partial" else ""


def _short(
    plan: MemoryPlan,
    rows: Sequence[tuple[Layer, LayerMemory]],
    fits: Sequence[Fit],
    next_batch: MemoryPlan | None,
) -> Iterator[str]:
    least = _least(plan)
    total = f"{_doing(plan.settings).capitalize()} needs {least}{_both(plan.total_bytes)}"
    yield f"{total} at batch {plan.batch:,}."
    if next_batch is not None:
        image = next_batch.total_bytes - plan.total_bytes
        stays = plan.total_bytes - plan.batch * image
        kinds = "parameters, gradients, optimiser state" if plan.gradient_bytes else "parameters"
        yield (
            f"About {bytes_text(stays)} of it ({kinds}) is independent of the batch; "
            f"each image adds {least}{bytes_text(image)}."
        )
    if plan.saved_bytes:
        keeping = [row for row in rows if row[1].saved_bytes]
        heaviest = sorted(keeping, key=lambda row: -row[1].saved_bytes)[:HEAVIEST]
        named = ", ".join(f"{layer.name} {bytes_text(f.saved_bytes)}" for layer, f in heaviest)
        share = fixed(100 * sum(f.saved_bytes for _, f in heaviest), plan.saved_bytes, 0)
        yield f"Most is saved at {named}: {share} % of all saved bytes."
    for each in fits:
        yield from fit_lines(each)


def _both(size: int) -> str:
    """Return bytes in powers of 1000, as in tables, and of 1024, as of graphics cards."""
    power = max(power for power in (1, 2, 3) if power == 1 or size >= 1024**power)
    return f"{bytes_text(size)} ({fixed(size, 1024**power, 2)} {'KMG'[power - 1]}iB)"


def fit_lines(fit: Fit) -> Iterator[str]:
    """Yield the largest batch and input for one memory, or the bytes that are missing."""
    size = f"{fit.memory.with_unit} ({count(fit.memory.bytes)} bytes)"
    if fit.reserved_bytes:
        size += f" less {bytes_text(fit.reserved_bytes)}"
    least = _least(fit.smallest)
    if fit.missing_state_bytes:
        yield (
            f"{size} is too small for parameters, buffers and optimiser state: "
            f"{bytes_text(fit.missing_state_bytes)} are missing."
        )
    elif fit.at_batch is None:
        yield f"{size} is {bytes_text(fit.missing_bytes)} too small for a single image."
    else:
        plan = fit.at_batch
        yield f"{size} fits a batch of at most {plan.batch:,}: {least}{breakdown(plan)}."
    if fit.at_input is not None:
        shape = "x".join(map(str, fit.at_input.report.input_shape))
        need = f"{least}{breakdown(fit.at_input)}"
        yield f"{size} fits an input of at most {shape} at batch 1: {need}."
    elif fit.fixed_input:
        yield "The model takes no square input of another size."


def breakdown(plan: MemoryPlan) -> str:
    """Return a plan's total as a sum."""
    parts = [
        ("parameters", plan.param_bytes),
        ("buffers", plan.buffer_bytes),
        ("optimiser state", plan.optimizer_bytes),
    ]
    if plan.update_bytes > plan.peak.bytes:
        parts.append(("the optimiser's step with gradients and inputs", plan.update_bytes))
    else:
        parts += [(PARTS[kind], size) for kind, size in plan.peak.parts.items()]
    terms = " + ".join(f"{bytes_text(size)} {name}" for name, size in parts if size)
    return f"{bytes_text(plan.total_bytes)} = {terms}"


def _alive(plan: MemoryPlan) -> str:
    """Return the tensors that are alive at the ideal peak, and the arena of the whole pass."""
    from cnnstat.count.liveness import arena, at_peak, extent

    report = plan.report
    tensors = at_peak(report.shaped, report.placement)
    shown = [f"{report.shaped.nodes[node].name} {bytes_text(size)}" for node, size in tensors]
    more = f" and {len(shown) - MOST_ALIVE} more" if len(shown) > MOST_ALIVE else ""
    planned = arena(report.shaped, report.placement)
    words = f"{' + '.join(shown[:MOST_ALIVE])}{more} alive"
    return words if planned is None else f"{words}; an arena takes {bytes_text(extent(planned))}"


def _totals(plan: MemoryPlan) -> Iterator[Line]:
    for name, size, words in _figures(plan):
        bound = _least(plan) if name.startswith(("saved", "peak", "memory")) else ""
        yield name, f"{bound}{bytes_text(size)}", words


def _figures(plan: MemoryPlan) -> Iterator[tuple[str, int, str]]:
    yield "parameters", plan.param_bytes, f"{count(plan.param_bytes)} bytes"
    if plan.buffer_bytes:
        yield "buffers", plan.buffer_bytes, "running statistics and other stored tensors"
    if plan.settings.mode == "training":
        yield "gradients", plan.gradient_bytes, "one value per parameter"
        optimizer = f"{plan.settings.optimizer}: {_state(plan)}"
        yield "optimiser state", plan.optimizer_bytes, optimizer
        saved = f"{count(plan.saved_bytes)} bytes that autograd saves until the backward pass"
        yield "saved for backward", plan.saved_bytes, saved
    for peak in filter(None, (plan.forward_peak, plan.backward_peak)):
        parts = ", ".join(f"{PARTS[kind]} {bytes_text(n)}" for kind, n in peak.parts.items() if n)
        yield f"peak of the {peak.phase} pass", peak.bytes, f"at {peak.layer}: {parts}"
    if plan.backward_peak is not None:
        step = "inputs, gradients and temporary memory of the step"
        yield "optimiser's step", plan.update_bytes, step
    else:
        ideal = f"at {plan.ideal_peak_layer}, in place wherever possible: {_alive(plan)}"
        yield "ideal peak", plan.ideal_peak_bytes, ideal
    yield "memory needed", plan.total_bytes, f"{_sum_words(plan)}; {count(plan.total_bytes)} bytes"


def _state(plan: MemoryPlan) -> str:
    copies, rest = divmod(plan.optimizer_bytes, plan.param_bytes or 1)
    words = {0: "none", 1: "one value per parameter"}.get(copies, f"{copies} values per parameter")
    return f"{words}, and the steps of each tensor" if rest else words


def _sum_words(plan: MemoryPlan) -> str:
    state = "parameters + buffers" if plan.buffer_bytes else "parameters"
    if plan.optimizer_bytes:
        state += " + optimiser state"
    if plan.update_bytes > plan.peak.bytes:
        return f"{state} + the optimiser's step"
    return f"{state} + peak of the {plan.peak.phase} pass"


def _measured_lines(measured: Measured, predicted: Measured) -> Iterator[Line]:
    """Yield each quantity as measured, with its prediction."""
    for key, name in MEASURED.items():
        real, ours = getattr(measured, key), getattr(predicted, key)
        if real is None:
            continue
        if ours is None:
            yield name, count(real), "bytes measured, not predicted"
        else:
            share = f"{100 * (ours - real) / real:+.3g} %" if real else "all"
            off = "equal" if real == ours else f"predicted is {share} off"
            yield name, count(real), f"bytes measured, {count(ours)} predicted: {off}"


def _unwatched_lines(plan: MemoryPlan, predicted: Measured) -> Iterator[str]:
    """Yield why a measured peak differs from the plan's."""
    unwatched = [
        f"the {peak.phase} pass at {count(peak.bytes)} bytes"
        for peak, watched in (
            (plan.forward_peak, predicted.peak_live_bytes),
            (plan.backward_peak, predicted.backward_peak_bytes),
        )
        if peak is not None and watched not in (None, peak.bytes)
    ]
    if unwatched:
        yield (
            "PyTorch does not add gradients in place while they are measured; "
            f"otherwise the peaks are in {' and '.join(unwatched)}, as above."
        )


def reserve_words() -> str:
    """Return the part of a graphics card's memory that is left free."""
    return (
        f"{CUDA_RESERVE_PERCENT} % of a memory are left to CUDA's context, workspaces of kernels "
        "and gaps of the allocator: an allowance, not a prediction."
    )


def _definitions(plan: MemoryPlan) -> Iterator[str]:
    yield from definitions(COLUMNS[plan.settings.mode])
    yield (
        "Not included: the loss after the outputs, PyTorch itself, workspaces of "
        "kernels and the rounding of an allocator; MB is 1000^2 bytes, MiB 1024^2."
    )
    if plan.settings.mode == "training":
        yield (
            "Gradients are freed before a step (zero_grad sets them to None), so the forward pass "
            "has none."
        )
    if plan.settings.device == "cuda":
        yield f"For the largest batch and input, {reserve_words()}"
    if plan.settings.checkpoint:
        yield (
            "A block is a top-level module, or consecutive layers of one resolution; it saves "
            "its inputs alone and runs again in the backward pass."
        )
