"""Every column of a layer table, and the columns that a list of keys names.

Every format, ``--columns`` and ``--sort`` use the same entries: name, kind and value. A new column
is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from cnnstat import ops
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.count.saved import SavedLayer
from cnnstat.errors import UsageError
from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Kind, column_of

if TYPE_CHECKING:
    from cnnstat.bench.roofline import Peak
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
    *(
        LayerColumn(Column(key, title, definition=definition), attrgetter(attribute))
        for key, attribute, title, definition in (
            ("path", "path", "Module", "module that contains the layer"),
            ("type", "type", "Operator", "name of the operator"),
            ("class", "class_name", "Class", "class of the module that the row stands for"),
            ("detail", "detail", "Detail", "hyper-parameters and operators that follow"),
        )
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

DEFAULT: tuple[str, ...] = tuple(entry.key for entry in LAYER_COLUMNS[:9])
"""The columns of the lecture tables."""

IN_TRAINING = (
    *("layer", "operator", "output", "params"),
    *("macs", "input_gradient_macs", "weight_gradient_macs", "training_macs"),
)
"""The default columns with --mode training."""

FORMULA_OF = {
    "params": "params_formula",
    "activation_bytes": "activation_formula",
    "macs": "macs_formula",
}
"""The column that writes out the arithmetic of a figure."""

WITH_FORMULAS = ("layer", "operator", "output", *FORMULA_OF.values())
"""The default columns with --formulas."""


def named_keys(text: str, default: Sequence[str], every: Iterable[str]) -> list[str]:
    """Return the keys that a list names (``a,b``); ``+a,b`` adds to the default, ``all`` is every.

    Raises ``UsageError`` if it names none.
    """
    named = [key.strip().replace("-", "_") for key in text.removeprefix("+").split(",")]
    keys = [key for each in named if each for key in (every if each == "all" else [each])]
    if not keys:
        raise UsageError(f"columns {text!r}: name at least one of {', '.join(every)}")
    return list(dict.fromkeys([*default, *keys] if text.startswith("+") else keys))


def chosen(
    text: str | None,
    convention: str,
    *,
    formulas: bool = False,
    training: bool = False,
    peak: Peak | None = None,
) -> tuple[LayerColumn, ...]:
    """Return the columns that a list of keys names (``a,b``); ``+a,b`` adds to the default.

    After the default ones, a convention other than ``paper`` has its own column, under its name,
    and a device's ``peak`` the bound.
    With ``formulas`` a figure's formula takes the figure's place, whichever columns are chosen. A
    ``training`` report has columns of its own.
    """
    default = WITH_FORMULAS if formulas else IN_TRAINING if training else DEFAULT
    keys = [*default, *(["counted"] if convention != "paper" else [])]
    keys += ["bound_ms"] if peak is not None else []
    if text is not None:
        ready = [entry.key for entry in LAYER_COLUMNS if _is_ready(entry, training, peak)]
        keys = named_keys(text, keys, ready)
    keys = _with_formulas(keys) if formulas else keys
    entries = [column_for(key, training=training, peak=peak) for key in dict.fromkeys(keys)]
    return tuple(
        entry._replace(column=replace(entry.column, title=convention))
        if entry.key == "counted"
        else entry
        for entry in entries
    )


def column_for(key: str, *, training: bool = False, peak: Peak | None = None) -> LayerColumn:
    """Return a column that has all that it needs; raise ``UsageError`` for what is missing."""
    column = column_of(key, [entry.column for entry in LAYER_COLUMNS])
    entry = next(entry for entry in LAYER_COLUMNS if entry.column is column)
    if not _is_ready(entry, training, peak):
        raise UsageError(f"column {entry.key}: add {entry.needs}")
    return entry if entry.key != "bound_ms" or peak is None else _bound_column(entry, peak)


def _bound_column(entry: LayerColumn, peak: Peak) -> LayerColumn:
    """Return the column of the bound of each layer at a device's peak rates."""
    from cnnstat.bench.roofline import node_bounds_ms, row_bound_ms

    known: list[tuple[Report, tuple[float | None, ...]]] = []  # the report at hand, once

    def parts(report: Report) -> tuple[float | None, ...]:
        if not known or known[0][0] is not report:
            known[:] = [(report, node_bounds_ms(report, peak))]
        return known[0][1]

    return entry._replace(
        get=lambda layer: row_bound_ms(parts(layer.report), layer),
        total=lambda report: sum(part for part in parts(report) if part is not None),
    )


def _is_ready(entry: LayerColumn, training: bool, peak: Peak | None) -> bool:
    return {"": True, TRAINING: training, DEVICE: peak is not None}[entry.needs]


def _with_formulas(keys: Sequence[str]) -> list[str]:
    """Return the keys with formulas in place of their figures; all formulas if there is neither."""
    formulas = FORMULA_OF.values()
    if any(key in formulas for key in keys):
        return list(keys)
    if not any(key in FORMULA_OF for key in keys):
        return [*keys, *formulas]
    return [FORMULA_OF.get(key, key) for key in keys]
