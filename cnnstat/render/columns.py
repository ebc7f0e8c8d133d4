"""Every column of a layer table: one entry with its name, its kind and its value.

Every format, ``--columns`` and ``--sort`` use the same entries. A new column is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.count.saved import SavedLayer
from cnnstat.ops import FAMILIES
from cnnstat.render.document import NEVER_DROPPED, Cell, Column

Getter = Callable[[Layer], Cell]
Total = Callable[[Report], Cell]

SHORT = {
    "Conv1d": "Conv",
    "Conv2d": "Conv",
    "Conv3d": "Conv",
    "ConnectedConv2d": "Conv",
    "ConvTranspose1d": "ConvT",
    "ConvTranspose2d": "ConvT",
    "ConvTranspose3d": "ConvT",
    "Linear": "FC",
    "BatchNorm2d": "BN",
    "LocalResponseNorm": "LRN",
}
"""Names of operators as the literature shortens them; any other loses its ``2d``."""

TYPE_NAMES = frozenset(name for family in FAMILIES.values() for name in family)
"""Names of all operators."""

SILENT = frozenset({"Flatten", "Identity"})
"""Operators that compute nothing and are not named in their row."""


class LayerColumn(NamedTuple):
    """A column, its cell of one row, and its cell of the total row (None: it does not add up).

    ``figure`` is what adds up where the cell itself is text.
    """

    column: Column
    get: Getter
    total: Total | None = None
    figure: Getter | None = None
    needs: str = ""
    """Option that the command needs for this column, or empty."""

    @property
    def key(self) -> str:
        """The column's machine-readable name."""
        return self.column.key


def short_type(type_name: str) -> str:
    """Return an operator's name as a table shows it."""
    return SHORT.get(type_name) or type_name.removesuffix("2d")


def operator_text(layer: Layer) -> str:
    """Return type, kernel and fused operators in short: ``Conv 3x3/2 pad 1 + BN + ReLU``."""
    if layer.grouped:
        return ", ".join(filter(None, (layer.class_name, layer.detail)))
    if isinstance(layer, SavedLayer):
        return _saved_text(layer)
    nodes = layer.report.shaped.nodes
    anchor = nodes[layer.anchor].op
    names = [op.type_name for op in layer.acting]
    extras = [short_type(name) for name in names if name not in SILENT]
    return " + ".join([f"{short_type(anchor.type_name)} {anchor.detail}".strip(), *extras])


def _saved_text(layer: SavedLayer) -> str:
    """Return the same from the saved words: ``3x3/2 pad 1 + BatchNorm2d + ReLU``."""
    first, *others = layer.detail.split(" + ") if layer.detail else [""]
    if first in TYPE_NAMES:  # the operator has no detail of its own
        first, others = "", [first, *others]
    extras = [short_type(name) for name in others if name not in SILENT]
    return " + ".join([f"{short_type(layer.type)} {first}".strip(), *extras])


def _inputs(layer: Layer) -> str:
    return ", ".join(str(spec) for spec in layer.inputs)


def _field(layer: Layer) -> Cell:
    field = layer.receptive_field
    return None if field is None else field.size


def _jump(layer: Layer) -> Cell:
    field = layer.receptive_field
    if field is None:
        return None
    return "" if field.jump is None else "x".join(map(str, field.jump))


def _stored(key: str) -> Getter:
    """Return a layer's parameters by key; None where some of its weights are not counted."""
    return lambda layer: getattr(layer, key) if layer.counts_all_weights else None


def _known_bytes(key: str) -> Getter:
    """Return a layer's bytes by key; None where the shape of a result is unknown."""
    return lambda layer: getattr(layer, key) if layer.has_all_shapes else None


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None else part / whole if whole else 0.0


def _formula(name: str) -> Getter:
    return lambda layer: layer.formulas.get(name, "")


TRAINING, DEVICE = "--mode training", "--device NAME, or --peak and --bandwidth"
"""Options that some columns need."""


def _trained(field: str) -> Getter:
    """Return a figure of a layer's training step; None where an operator has no rule."""

    def get(layer: Layer) -> Cell:
        step = layer.training
        return None if step is None else int(getattr(step, field))

    return get


def _trained_total(field: str) -> Total:
    def total(report: Report) -> Cell:
        return None if report.training is None else int(getattr(report.training.total, field))

    return total


LAYER_COLUMNS: tuple[LayerColumn, ...] = (
    LayerColumn(
        Column(
            *("layer", "Layer"),
            keep=NEVER_DROPPED,
            distinct=True,
            definition="name of the layer",
        ),
        lambda layer: layer.name,
        lambda report: "total",
    ),
    LayerColumn(
        Column(
            "operator",
            "Type",
            keep=NEVER_DROPPED,
            definition="operator, kernel/stride, padding, and the operators that act on its result",
        ),
        operator_text,
    ),
    LayerColumn(
        Column("output", "Output", "shape", 7, definition="output shape without the batch"),
        lambda layer: layer.output_without_batch,
    ),
    LayerColumn(
        Column("weights", "Weights", "count", 3, definition="multiplicative parameters"),
        _stored("weights"),
        lambda report: report.totals_figures.weights,
    ),
    LayerColumn(
        Column("biases", "Biases", "count", 2, definition="additive parameters"),
        _stored("biases"),
        lambda report: report.totals_figures.biases,
    ),
    LayerColumn(
        Column("params", "Parameters", "count", 8, heat=True, definition="weights and biases"),
        _stored("params"),
        lambda report: report.totals_figures.params,
    ),
    LayerColumn(
        Column(
            "activation_bytes",
            "Memory",
            "bytes",
            6,
            heat=True,
            definition="bytes of the layer's output tensors, for the whole batch",
        ),
        _known_bytes("activation_bytes"),
        lambda report: report.totals_figures.activation_bytes,
    ),
    LayerColumn(
        Column("macs", "MACs", "count", 8, heat=True, definition="multiply-accumulates"),
        lambda layer: layer.macs,
        lambda report: report.totals_figures.work.macs,
    ),
    LayerColumn(
        Column("flops", "FLOPs", "count", 1, definition="2 per MAC plus every other operation"),
        lambda layer: layer.flops,
        lambda report: report.totals_figures.work.flops,
    ),
    LayerColumn(
        Column(
            "counted",
            "Counted",
            "count",
            8,
            definition="work under the chosen convention",
        ),
        lambda layer: layer.counted,
        lambda report: report.totals_figures.counted,
    ),
    LayerColumn(
        Column("path", "Module", definition="module that contains the layer"),
        lambda layer: layer.path,
    ),
    LayerColumn(
        Column("type", "Operator", definition="name of the operator"), lambda layer: layer.type
    ),
    LayerColumn(
        Column("class", "Class", definition="class of the module that the row stands for"),
        lambda layer: layer.class_name,
    ),
    LayerColumn(
        Column(
            "detail",
            "Detail",
            definition="hyper-parameters and operators that follow",
        ),
        lambda layer: layer.detail,
    ),
    LayerColumn(
        Column("input_shapes", "Input shapes", definition="input shapes, batch included"), _inputs
    ),
    LayerColumn(
        Column("output_shape", "Output shape", "shape", definition="output shape, batch included"),
        lambda layer: layer.output.shape,
    ),
    LayerColumn(
        Column("buffers", "Buffers", "count", definition="stored values that are not trained"),
        lambda layer: layer.buffers,
        lambda report: report.totals_figures.buffers,
    ),
    LayerColumn(
        Column(
            "cached_activation_bytes",
            "Cached memory",
            "bytes",
            heat=True,
            definition="activations, plus a copy of the input of each weighted layer",
        ),
        _known_bytes("cached_activation_bytes"),
        lambda report: report.totals.cached_activation_bytes,
    ),
    LayerColumn(
        Column(
            "receptive_field",
            "Receptive field",
            "shape",
            definition="extent of the input that one output element depends on",
        ),
        _field,
    ),
    LayerColumn(
        Column(
            "jump",
            "Jump",
            "shape",
            definition="input elements between neighbouring outputs; empty if an output reads the "
            "whole input",
        ),
        _jump,
    ),
    LayerColumn(
        Column(
            "traffic_bytes",
            "Traffic",
            "bytes",
            heat=True,
            definition="bytes of inputs and weights read and of outputs written, each once",
        ),
        lambda layer: layer.traffic.total,
        lambda report: sum(each.total for each in report.traffic),
    ),
    LayerColumn(
        Column("intensity", "FLOPs/byte", "number", definition="FLOPs per byte of traffic"),
        lambda layer: layer.intensity if layer.flops is None or layer.traffic.total else "",
    ),
    LayerColumn(
        Column(
            "bound_ms",
            "Bound ms",
            "number",
            heat=True,
            definition="the larger of FLOPs / peak and traffic / bandwidth: a lower bound",
        ),
        lambda layer: None,
        needs=DEVICE,
    ),
    *[
        LayerColumn(
            Column(key, title, "count", 8, heat=True, definition=definition),
            _trained(field),
            _trained_total(field),
            needs=TRAINING,
        )
        for key, field, title, definition in (
            (
                "input_gradient_macs",
                "input_gradient_macs",
                "Input gradients",
                "multiply-accumulates of the gradients of a layer's inputs",
            ),
            (
                "weight_gradient_macs",
                "weight_gradient_macs",
                "Weight gradients",
                "multiply-accumulates of the gradients of a layer's weights",
            ),
            (
                "training_macs",
                "macs",
                "Training MACs",
                "multiply-accumulates of one training step: forward pass and both gradients",
            ),
            (
                "torch_training_flops",
                "flop_counter",
                "FlopCounterMode",
                "FLOPs of one training step as PyTorch's FlopCounterMode counts them",
            ),
        )
    ],
    LayerColumn(
        Column("params_share", "Parameters share", "percent", definition="share of the parameters"),
        lambda layer: _share(layer.params, layer.report.totals_figures.params),
        lambda report: 1.0,
    ),
    LayerColumn(
        Column(
            "activation_share",
            "Memory share",
            "percent",
            definition="share of the activation memory",
        ),
        lambda layer: _share(layer.activation_bytes, layer.report.totals_figures.activation_bytes),
        lambda report: 1.0,
    ),
    LayerColumn(
        Column("macs_share", "MACs share", "percent", definition="share of the known MACs"),
        lambda layer: _share(layer.macs, layer.report.totals_figures.work.macs),
        lambda report: 1.0,
    ),
    LayerColumn(
        Column("params_formula", "Parameters", keep=8, definition="parameters as a product"),
        _formula("params"),
        lambda report: f"{report.totals_figures.params:,}",
        lambda layer: layer.params,
    ),
    LayerColumn(
        Column("activation_formula", "Values", keep=6, definition="values of the output"),
        _formula("activation"),
    ),
    LayerColumn(
        Column("macs_formula", "MACs", keep=8, definition="multiply-accumulates as a product"),
        _formula("macs"),
        lambda report: f"{report.totals_figures.work.macs:,}",
        lambda layer: layer.macs,
    ),
)
