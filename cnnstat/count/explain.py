"""Every figure of a layer or a model as steps that a reader can redo: rule, numbers put in, result.

A step is written from shapes, windows and stored tensors alone, with no case per operator; its
result is read from the report, never from the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnnstat.count.figures import float_dtype
from cnnstat.count.formulas import activation_formula, macs_formula, weight_product
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.errors import unknown
from cnnstat.ir.reach import Sliding
from cnnstat.ir.tensor import DTYPE_BYTES, PER_BYTE, TensorSpec
from cnnstat.ir.window import Window
from cnnstat.ir.work import FLOPS_PER_UNIT, Work

Result = int | float | str | tuple[int, ...] | None

KINDS: dict[str, str] = {
    **{kind: kind for kind in Work._fields},
    **{"macs": "multiply-accumulates", "bias_adds": "bias additions"},
    **{"normalized": "normalised elements", "activations": "nonlinearities"},
}
"""Kinds of work in words."""


@dataclass(frozen=True, slots=True)
class Step:
    """One figure: what it is, how it comes about, the result (None if unknown), its unit."""

    quantity: str
    derivation: str
    result: Result
    unit: str = ""


def window_rule(window: Window, n: int, out: int) -> str:
    """Return floor((n + padding - extent)/stride) + 1 with the numbers of one axis put in."""
    padding = "".join(f" + {p}" for p in (window.before, window.after) if p)
    if window.before == window.after and window.before:
        padding = f" + 2*{window.before}"
    extent = f"{window.kernel}"
    if window.dilation > 1:
        extent = f"({window.dilation}*({window.kernel} - 1) + 1)"
    rounding = "ceil" if window.ceil_mode else "floor"
    rule = f"{rounding}(({n}{padding} - {extent})/{window.stride}) + 1"
    span = n + window.before + window.after - window.extent
    if window.ceil_mode and -(-span // window.stride) + 1 != out:
        return f"{rule}, less the window that would start in the padding = {out}"
    return f"{rule} = {out}"


def transposed_rule(window: Window, n: int, out: int) -> str:
    """Return (n - 1)*stride - padding + extent of one axis of a transposed window."""
    padding = f" - 2*{window.before}" if window.before else ""
    usual = window.transposed_out(n)
    extra = f" {'+' if out > usual else '-'} {abs(out - usual)}" if out != usual else ""
    return f"({n} - 1)*{window.stride}{padding} + {window.extent}{extra} = {out}"


def layer_steps(layer: Layer) -> tuple[Step, ...]:
    """Return the steps behind every figure of one row."""
    return (
        *_shape_steps(layer),
        *_weight_steps(layer),
        *_work_steps(layer),
        *_memory_steps(layer),
        *_field_steps(layer),
    )


def output_rule(layer: Layer) -> str:
    """Return the shape rule of the row's anchor with its numbers, both axes where they differ."""
    facts = layer.report.shaped.facts[layer.anchor]
    out = facts.outputs[0]
    if isinstance(facts.reach, Sliding) and facts.inputs:
        before, after = facts.inputs[0].shape[2:], out.shape[2:]
        rule = transposed_rule if facts.reach.transposed else window_rule
        axes = [
            rule(window, n, size)
            for window, n, size in zip(facts.reach.windows, before, after, strict=True)
        ]
        return "; ".join(dict.fromkeys(axes))
    entering = facts.inputs
    if not entering:
        return "given"
    channels = [spec.shape[1] for spec in entering if spec.rank > 1]
    if len(entering) > 1 and out.rank > 1 and sum(channels) == out.shape[1] != channels[0]:
        return f"channels {' + '.join(map(str, channels))} = {out.shape[1]}"
    if all(spec.shape == out.shape for spec in entering):
        return "the input's shape"
    return f"{', '.join(_text(layer, spec) for spec in entering)} -> {_text(layer, out)}"


def _text(layer: Layer, spec: TensorSpec) -> str:
    return "x".join(map(str, layer.without_batch(spec))) or "scalar"


def _shape_steps(layer: Layer) -> Iterator[Step]:
    for spec in layer.inputs:
        yield Step("input", "as it enters", layer.without_batch(spec))
    yield Step("output", output_rule(layer), layer.output_without_batch)


def _weight_steps(layer: Layer) -> Iterator[Step]:
    shaped = layer.report.shaped
    flat = layer.inputs[0].shape[1:] if layer.inputs else ()
    for index in layer.nodes:
        node, facts = shaped.nodes[index], shaped.facts[index]
        if node.tied_to is not None and facts.weights:
            owner = shaped.nodes[node.tied_to].name
            yield Step("parameters", f"{node.name} shares those of {owner}", 0)
            continue
        for weight in facts.weights:
            role = {"weight": "weights", "bias": "biases", "buffer": "stored, not trained"}
            what = f"{role[weight.role]}: {node.name} {weight.name}"
            yield Step(what, weight_product(weight, flat), weight.numel)
    if layer.params:
        parts = f"weights {layer.weights:,} + biases {layer.biases:,}"
        yield Step("parameters", parts, layer.params)


def _work_steps(layer: Layer) -> Iterator[Step]:
    facts = layer.report.shaped.facts
    if layer.macs is None:
        yield Step("MACs", "an operator of this layer has no work rule", None)
        return
    if layer.macs:
        flat = layer.inputs[0].shape[1:] if layer.inputs else ()
        single = [i for i in layer.nodes if (facts[i].work or Work()).macs]
        formula = macs_formula(facts[single[0]], flat) if len(single) == 1 else "sum of operators"
        yield Step("MACs", _product(formula), layer.macs)
    yield from flops_steps(layer.figures.work)


def flops_steps(work: Work) -> Iterator[Step]:
    """Yield each kind of work with the FLOPs that it stands for, then their sum."""
    terms = []
    for kind, words in KINDS.items():
        amount = getattr(work, kind)
        if amount:
            each = FLOPS_PER_UNIT[kind]
            terms.append(each * amount)
            yield Step(f"FLOPs: {words}", f"{each}*{amount:,}", each * amount)
    yield Step("FLOPs", " + ".join(f"{t:,}" for t in terms) or "nothing to compute", work.flops)


def _memory_steps(layer: Layer) -> Iterator[Step]:
    size = DTYPE_BYTES[layer.output.dtype]
    if layer.activation_bytes == layer.output.nbytes:
        values = activation_formula(layer.output)
        product = f"{values} values, {size} B each"
        yield Step("activation memory", product, layer.activation_bytes, "bytes")
    elif layer.activation_bytes:
        yield Step("activation memory", "all outputs of the row", layer.activation_bytes, "bytes")
    else:
        yield Step("activation memory", "none of its own", 0, "bytes")
    cached = layer.cached_activation_bytes - layer.activation_bytes
    if cached and layer.inputs:
        derivation = f"{layer.activation_bytes:,} + a copy of the input, {cached:,}"
        yield Step("with cached input", derivation, layer.cached_activation_bytes, "bytes")


def _field_steps(layer: Layer) -> Iterator[Step]:
    report = layer.report
    after = layer.receptive_field
    if after is None:
        return
    if after.everywhere:
        yield Step("receptive field", "the whole input", after.size, "input elements")
        return
    node, facts = report.shaped.nodes[layer.anchor], report.shaped.facts[layer.anchor]
    derivation = "one element of the input" if not node.inputs else "the widest that it joins"
    before = report.receptive_field(node.inputs[0].node) if node.inputs else None
    reach = facts.reach
    if (
        isinstance(reach, Sliding)
        and not reach.transposed
        and before
        and before.jump
        and after.jump
    ):
        window, size, jump = reach.windows[0], before.size[0], before.jump[0]
        derivation = f"{size} + ({window.extent} - 1)*{jump}"
        spread = f"; jump {jump}*{window.stride} = {after.jump[0]}"
        derivation += f" = {after.size[0]}{spread}"
    elif isinstance(reach, Sliding) and reach.transposed:
        derivation = "taps of a transposed window, the largest of its phases"
    elif before and before.size == after.size:
        derivation = "that of its input"
    yield Step("receptive field", derivation, after.size, "input elements")


def select(report: Report, name: str) -> tuple[Layer, ...]:
    """Return the row of this name, the operator of this name, or all rows of the module.

    Raises ``UsageError`` with the nearest names if there is none.
    """
    layer = report.layer(name)
    if layer is not None:
        return (layer,)
    inside = tuple(row for row in report.layers if row.name.startswith(f"{name}/"))
    if inside:
        return inside
    names = [row.name for row in report.layers]
    raise unknown("layer", name, names, listing=f"'cnnstat summary {report.name}' shows all")


def overview(layer: Layer) -> tuple[Step, ...]:
    """Return the steps of one row in a table of many: output, parameters, MACs."""
    steps = [Step("output", output_rule(layer), layer.output_without_batch)]
    formulas = layer.formulas
    if layer.params:
        steps.append(Step("parameters", _product(formulas["params"]), layer.params))
    if layer.macs is None or layer.macs:
        steps.append(Step("MACs", _product(formulas["macs"]), layer.macs))
    return tuple(steps)


def _product(formula: str) -> str:
    return formula.rpartition(" = ")[0] or formula


def model_steps(report: Report) -> tuple[Step, ...]:
    """Return the steps behind every total of a model, its averages in training included."""
    return (
        *_parameter_totals(report),
        *_work_totals(report),
        *_memory_totals(report),
        *_structure_totals(report),
        *_expected_steps(report),
    )


def _by_type(report: Report, quantity: str) -> str:
    """Return a total as the sum over kinds of layers, the heaviest first."""
    sums: dict[str, int] = {}
    for layer in report.view(expand=True):
        sums[layer.type] = sums.get(layer.type, 0) + (getattr(layer, quantity) or 0)
    parts = sorted(((v, k) for k, v in sums.items() if v), reverse=True)
    return " + ".join(f"{kind} {value:,}" for value, kind in parts) or "nothing"


def _parameter_totals(report: Report) -> Iterator[Step]:
    totals = report.totals
    yield Step("weights", _by_type(report, "weights"), totals.weights)
    yield Step("biases", _by_type(report, "biases"), totals.biases)
    parts = f"weights {totals.weights:,} + biases {totals.biases:,}"
    yield Step("parameters", parts, totals.params)
    if totals.buffers:
        yield Step("stored, not trained", _by_type(report, "buffers"), totals.buffers)
    yield Step("parameter memory", _param_bytes(report), totals.param_bytes, "bytes")


def _param_bytes(report: Report) -> str:
    """Return the parameters of each element size: ``448*2 B + 90*4 B``."""
    numbers: dict[str, int] = {}
    for node, facts in zip(report.shaped.nodes, report.shaped.facts, strict=True):
        for weight in facts.weights if node.tied_to is None else ():
            if weight.role != "buffer":
                dtype = weight.dtype or float_dtype(facts.inputs)
                packed = PER_BYTE.get(dtype)
                size = f"/{packed}" if packed else f"*{DTYPE_BYTES[dtype]}"
                numbers[size] = numbers.get(size, 0) + weight.numel
    return " + ".join(f"{count:,}{size} B" for size, count in sorted(numbers.items())) or "none"


def _work_totals(report: Report) -> Iterator[Step]:
    partial = ", a lower bound" if report.status == "partial" else ""
    yield Step("MACs", f"{_by_type(report, 'macs')}{partial}", report.totals.macs)
    yield from flops_steps(report.totals_figures.work)


def _memory_totals(report: Report) -> Iterator[Step]:
    totals = report.totals
    size = DTYPE_BYTES[report.input.dtype]
    whole = totals.activation_bytes % size == 0
    values = f"{totals.activation_bytes // size:,} values*{size} B" if whole else "sum of the rows"
    rows = f"the rows' outputs, the input included: {values}"
    yield Step("activation memory", rows, totals.activation_bytes, "bytes")
    cached = totals.cached_activation_bytes - totals.activation_bytes
    copies = f"{totals.activation_bytes:,} + a copy of each weighted layer's input, {cached:,}"
    yield Step("with cached inputs", copies, totals.cached_activation_bytes, "bytes")
    most = f"the most bytes alive at once, while {totals.peak_layer} runs"
    yield Step("peak activation memory", most, totals.peak_activation_bytes, "bytes")


def _structure_totals(report: Report) -> Iterator[Step]:
    totals = report.totals
    yield Step("depth", "weighted layers on the longest path", totals.depth)
    yield Step("paths", "distinct paths from the inputs to the outputs", totals.paths)
    last = report.last_map
    if last is not None:
        size = last.receptive_field.size if last.receptive_field else None
        of = f"of one element of {last.name}, the last layer that does not read everything"
        yield Step("receptive field", of, size, "input elements")


def _expected_steps(report: Report) -> Iterator[Step]:
    from cnnstat.count.expected import expected

    average = expected(report.shaped)
    if average is None:
        return
    average_of = f"on average, of {average.droppable_paths:,} that can be dropped"
    yield Step("paths kept in training", average_of, round(average.kept_paths, 4))
    depth = f"on average, of {average.full_depth:,}"
    yield Step("depth in training", depth, round(average.depth, 4))
    share = average.macs / average.full_macs if average.full_macs else 1.0
    macs = f"on average, {share:.1%} of {average.full_macs:,}"
    yield Step("MACs in training", macs, round(average.macs))
