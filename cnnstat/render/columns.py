"""Every column of a layer table: one entry with its name, its kind and its value.

Every format, ``--columns`` and ``--sort`` use the same entries. A new column is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from cnnstat import ops
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.count.saved import SavedLayer
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Kind

if TYPE_CHECKING:
    from cnnstat.count.training import StepWork

Getter = Callable[[Layer], Cell]
Total = Callable[[Report], Cell]

SHORT = {
    op.__name__: short
    for short, classes in (
        ("Conv", (ops.Conv1d, ops.Conv2d, ops.Conv3d, ops.ConnectedConv2d)),
        ("ConvT", (ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)),
        ("FC", (ops.Linear,)),
        ("BN", (ops.BatchNorm2d,)),
        ("LRN", (ops.LocalResponseNorm,)),
    )
    for op in classes
}
"""Operators as the literature shortens them; the name of any other loses its ``2d``."""

TYPE_NAMES = frozenset(name for family in ops.FAMILIES.values() for name in family)
"""Names of all operators."""

SILENT = frozenset({"Flatten", "Identity"})
"""Operators that compute nothing and are not named in their row."""

TRAINING, DEVICE = "--mode training", "--device NAME, or --peak and --bandwidth"
"""Options that some columns need."""


class LayerColumn(NamedTuple):
    """A column, its cell of one row, and its cell of the total row (None: it does not add up).

    ``figure`` is what adds up where the cell itself is text. ``needs`` is the option that the
    command needs for this column, or empty.
    """

    column: Column
    get: Getter
    total: Total | None = None
    figure: Getter | None = None
    needs: str = ""

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


def _jump(layer: Layer) -> Cell:
    field = layer.receptive_field
    if field is None:
        return None
    return "" if field.jump is None else "x".join(map(str, field.jump))


def known(layer: Layer, key: str) -> Cell:
    """Return a figure of a layer by its key; None where only a part of it is known."""
    if key in ("weights", "biases", "params") and not layer.counts_all_weights:
        return None
    if key.endswith("activation_bytes") and not layer.has_all_shapes:
        return None
    figure: Cell = getattr(layer, key)
    return figure


def _total(report: Report, key: str) -> int:
    if key == "cached_activation_bytes":
        return report.totals.cached_activation_bytes
    figures = report.totals_figures
    total: int = getattr(figures.work if key in ("macs", "flops") else figures, key)
    return total


def _summed(
    key: str, title: str, kind: Kind, keep: int, definition: str, *, heat: bool = False
) -> LayerColumn:
    """Return the column of a figure that adds up."""
    column = Column(key, title, kind, keep, definition, heat)
    return LayerColumn(column, partial(known, key=key), partial(_total, key=key))


def _share(of: str, title: str, definition: str) -> LayerColumn:
    """Return the column of each layer's share of the model's total of a figure."""

    def get(layer: Layer) -> float | None:
        part, whole = getattr(layer, of), _total(layer.report, of)
        return None if part is None else part / whole if whole else 0.0

    key = f"{of.removesuffix('_bytes')}_share"
    return LayerColumn(Column(key, title, "percent", 5, definition), get, lambda report: 1.0)


TRAINED = {
    "input_gradient_macs": "input_gradient_macs",
    "weight_gradient_macs": "weight_gradient_macs",
    "training_macs": "macs",
    "torch_training_flops": "flop_counter",
}
"""Keys of the figures of a training step, and the figure of each."""


def trained(step: StepWork | None) -> dict[str, int | None]:
    """Return the figures of a training step by key; None where an operator has no rule."""
    return {key: None if step is None else getattr(step, figure) for key, figure in TRAINED.items()}


def _of_step(key: str, title: str, definition: str) -> LayerColumn:
    """Return the column of a figure of the training step."""
    return LayerColumn(
        Column(key, title, "count", 8, definition, heat=True),
        lambda layer: trained(layer.training)[key],
        lambda report: trained(report.training.total if report.training else None)[key],
        needs=TRAINING,
    )


LAYER_COLUMNS: tuple[LayerColumn, ...] = (
    LayerColumn(
        Column("layer", "Layer", "text", NEVER_DROPPED, "name of the layer", distinct=True),
        attrgetter("name"),
        lambda report: "total",
    ),
    LayerColumn(
        Column(
            *("operator", "Type", "text", NEVER_DROPPED),
            "operator, kernel/stride, padding, and the operators that act on its result",
        ),
        operator_text,
    ),
    LayerColumn(
        Column("output", "Output", "shape", 7, "output shape without the batch"),
        attrgetter("output_without_batch"),
    ),
    _summed("weights", "Weights", "count", 3, "multiplicative parameters"),
    _summed("biases", "Biases", "count", 2, "additive parameters"),
    _summed("params", "Parameters", "count", 8, "weights and biases", heat=True),
    _summed(
        *("activation_bytes", "Memory", "bytes", 6),
        "bytes of the layer's output tensors, for the whole batch",
        heat=True,
    ),
    _summed("macs", "MACs", "count", 8, "multiply-accumulates", heat=True),
    _summed("flops", "FLOPs", "count", 1, "2 per MAC plus every other operation"),
    _summed("counted", "Counted", "count", 8, "work under the chosen convention"),
    LayerColumn(
        Column("path", "Module", definition="module that contains the layer"), attrgetter("path")
    ),
    LayerColumn(Column("type", "Operator", definition="name of the operator"), attrgetter("type")),
    LayerColumn(
        Column("class", "Class", definition="class of the module that the row stands for"),
        attrgetter("class_name"),
    ),
    LayerColumn(
        Column("detail", "Detail", definition="hyper-parameters and operators that follow"),
        attrgetter("detail"),
    ),
    LayerColumn(
        Column("input_shapes", "Input shapes", definition="input shapes, batch included"),
        lambda layer: ", ".join(map(str, layer.inputs)),
    ),
    LayerColumn(
        Column("output_shape", "Output shape", "shape", definition="output shape, batch included"),
        attrgetter("output.shape"),
    ),
    _summed("buffers", "Buffers", "count", 5, "stored values that are not trained"),
    _summed(
        *("cached_activation_bytes", "Cached memory", "bytes", 5),
        "activations, plus a copy of the input of each weighted layer",
        heat=True,
    ),
    LayerColumn(
        Column(
            *("receptive_field", "Receptive field", "shape"),
            definition="extent of the input that one output element depends on",
        ),
        lambda layer: None if layer.receptive_field is None else layer.receptive_field.size,
    ),
    LayerColumn(
        Column(
            *("jump", "Jump", "shape", 5),
            "input elements between neighbouring outputs; empty if an output reads the whole input",
        ),
        _jump,
    ),
    LayerColumn(
        Column(
            *("traffic_bytes", "Traffic", "bytes", 5),
            "bytes of inputs and weights read and of outputs written, each once",
            heat=True,
        ),
        attrgetter("traffic.total"),
        lambda report: sum(each.total for each in report.traffic),
    ),
    LayerColumn(
        Column("intensity", "FLOPs/byte", "number", 5, "FLOPs per byte of traffic"),
        lambda layer: layer.intensity if layer.flops is None or layer.traffic.total else "",
    ),
    LayerColumn(
        Column(
            *("bound_ms", "Bound ms", "number", 8),
            "the larger of FLOPs / peak and traffic / bandwidth: a lower bound",
            heat=True,
        ),
        lambda layer: None,
        needs=DEVICE,
    ),
    _of_step(
        *("input_gradient_macs", "Input gradients"),
        "multiply-accumulates of the gradients of a layer's inputs",
    ),
    _of_step(
        *("weight_gradient_macs", "Weight gradients"),
        "multiply-accumulates of the gradients of a layer's weights",
    ),
    _of_step(
        *("training_macs", "Training MACs"),
        "multiply-accumulates of one training step: forward pass and both gradients",
    ),
    _of_step(
        *("torch_training_flops", "FlopCounterMode"),
        "FLOPs of one training step as PyTorch's FlopCounterMode counts them",
    ),
    _share("params", "Parameters share", "share of the parameters"),
    _share("activation_bytes", "Memory share", "share of the activation memory"),
    _share("macs", "MACs share", "share of the known MACs"),
    LayerColumn(
        Column("params_formula", "Parameters", "text", 8, "parameters as a product"),
        lambda layer: layer.formulas.get("params", ""),
        lambda report: f"{report.totals_figures.params:,}",
        lambda layer: layer.params,
    ),
    LayerColumn(
        Column("activation_formula", "Values", "text", 6, "values of the output"),
        lambda layer: layer.formulas.get("activation", ""),
    ),
    LayerColumn(
        Column("macs_formula", "MACs", "text", 8, "multiply-accumulates as a product"),
        lambda layer: layer.formulas.get("macs", ""),
        lambda report: f"{report.totals_figures.work.macs:,}",
        lambda layer: layer.macs,
    ),
)
