"""Reports of single models and comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnstat.api.inputs import FullSpec, single_example
from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import (
    called,
    complete,
    extents,
    input_specs,
    inputs_of,
    load,
    load_all,
    shaped_graph,
    with_example,
    with_input,
)
from cnnstat.api.results import Analysis, ModelComparison
from cnnstat.api.training import (
    check_training,
    in_training_form,
    training_notes,
    training_of,
    with_epoch,
)
from cnnstat.count.compare import Entry
from cnnstat.count.compare import compare as side_by_side
from cnnstat.count.conventions import convention as find_convention
from cnnstat.count.report import Note, Report, batch_of
from cnnstat.count.report import analyze as analyze_graph
from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.catalog import canonical, find

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.api.useraccuracy import AccuracyFile
    from cnnstat.count.saved import SavedReport
    from cnnstat.ir.graph import ShapedGraph
    from cnnstat.ledger.claim import Quoted
    from cnnstat.ledger.figure import Printed


QUANTIZED = "quantized"
"""Code of the note on a report in a quantised type."""

QUANTIZED_DTYPES = ("int8", "uint8", "int4")
"""Names of ``--dtype`` that quantise; equal to those of ``count.quantized``, tested."""


def analyze(
    reference: str | Model | Module,
    *,
    input: Inputs | None = None,
    batch: int = 1,
    dtype: str | None = None,
    classes: int | None = None,
    convention: str = "paper",
    mode: str = "inference",
    images: int | None = None,
    example: object = None,
    forward_method: str | None = None,
) -> Analysis:
    """Count the parameters, memory and operations of a model, layer by layer.

    Args:
        reference: name of a model, a file, an ``nn.Module``, or a ``Model`` that ``load`` returned.
        input: shape of the first input without the batch: (c, h, w), (h, w), or (h,) for a square
            image; or a dictionary of input names to shapes. For a module, values may also be
            tensors, lists and dictionaries of shapes, and other arguments of the forward pass:
            ``{"x": [(3, 8, 8), (5,)], "deep": True}``.
        batch: images per batch.
        dtype: element type of weights and activations, such as ``"float16"`` or ``"int8"``.
        classes: number of classes of a named model.
        convention: counting convention of ``totals.counted``.
        mode: ``"inference"``, or ``"training"`` to add the work of a training step.
        images: images per epoch; adds the work of an epoch of training.
        example: the arguments of a module's forward pass, instead of ``input`` and ``batch``: a
            tensor, a tuple in order, or a dictionary by name.
        forward_method: method of a module to run instead of ``forward``.

    Raises:
        UsageError: bad arguments.
        ModelError: the shapes do not fit the model.
    """
    rule = find_convention(convention)
    check_training(mode, images)
    bits = quantized_dtype(dtype, mode)
    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    model = called(model, None, forward_method)
    if example is not None and (input is not None or batch != 1):
        raise UsageError("example is the call itself: leave out input and batch")
    if model.saved is not None:
        _check_saved(model, model.saved, input, batch, dtype)
        return Analysis(model, model.saved.under(rule).without_training(mode))
    dtype = None if bits else dtype
    model, shapes = with_input(model, input) if example is None else with_example(model, example)
    specs = input_specs(model, input=shapes, batch=batch, dtype=dtype)
    single = single_example(specs, model.inputs)
    shaped, imported = shaped_graph(model, specs)
    training = None
    if mode == "training":
        shaped, imported = in_training_form(model, specs, shaped, imported)
        training = training_of(shaped, imported)
        if images is not None:
            size, last = 1 if single else batch_of(specs), training
            if rest := images % size:
                smaller = input_specs(model, input=shapes, batch=rest, dtype=dtype)
                if batch_of(smaller) != rest:
                    raise UsageError(
                        f"{model.reference}: its batch is fixed at {size}, and images must be a "
                        "multiple"
                    )
                last = training_of(*shaped_graph(model, smaller))
            training = with_epoch(training, images, size, last)
    notes = imported.notes
    if training is not None:
        notes = (*notes, *training_notes(shaped), *imported.training_notes)
    if bits:
        shaped, note = _quantized(shaped, bits)
        notes = (*notes, note)
    report = analyze_graph(
        shaped,
        convention=rule,
        notes=notes,
        frozen_params=imported.frozen_params,
        training=training,
        single=single,
    )
    return Analysis(model, report)


def quantized_dtype(dtype: str | None, mode: str = "inference") -> str | None:
    """Return the quantised type that a name chooses; None for any other name.

    Raises ``UsageError`` in training, which needs floating-point numbers.
    """
    name = None if dtype is None else str(dtype).removeprefix("torch.")
    if name not in QUANTIZED_DTYPES:
        return None
    if mode == "training":
        raise UsageError(f"dtype {name}: training needs a floating-point type")
    return name


def check_runs(report: Report, purpose: str) -> None:
    """Raise ``UsageError`` where a quantised report is to be compared with a run of the model."""
    if any(note.code == QUANTIZED for note in report.notes):
        raise UsageError(
            f"{report.name}: {purpose} runs in floating point, and a quantised --dtype is for "
            "sizes: leave it out"
        )


def _quantized(shaped: ShapedGraph, dtype: str) -> tuple[ShapedGraph, Note]:
    """Return the graph in a quantised type, and the note on it."""
    from cnnstat.count import quantized

    weights, activations = quantized.QUANTIZED[dtype]
    message = (
        f"sized as if every floating-point weight were {weights} and every activation "
        f"{activations}, without scales and zero points; operations are those of the model"
    )
    return quantized.quantized(shaped, dtype), Note(QUANTIZED, "", message)


def _check_saved(
    model: Model, saved: SavedReport, input: Inputs | None, batch: int, dtype: str | None
) -> None:
    """Raise ``UsageError`` for an input, batch or dtype other than those of a saved result."""
    spec = saved.input
    if isinstance(input, Mapping):
        shapes = [each.shape if isinstance(each, TensorSpec) else each for each in input.values()]
        shape = tuple(shapes[0]) if len(shapes) == 1 else ()
    else:
        own = saved.input_shape
        shape = own if input is None else complete(extents(input), own)
    requested = {"input": shape, "dtype": dtype or spec.dtype, "batch": batch}
    counted = {"input": saved.input_shape, "dtype": spec.dtype, "batch": saved.batch}
    for name, value in counted.items():
        if requested[name] != value and not (name == "batch" and batch == 1):
            counted_value, wanted = (
                "x".join(map(str, each)) if isinstance(each, tuple) else each
                for each in (value, requested[name])
            )
            raise UsageError(
                f"{model.reference}: saved with {name} {counted_value}, not {wanted}: "
                "a saved result cannot be counted again"
            )


def compare(
    *references: str | Model | Module,
    inputs: Sequence[Inputs | None] = (None,),
    batch: int = 1,
    arguments: Mapping[str, Any] | None = None,
    convention: str = "paper",
    accuracy: AccuracyFile | None = None,
    baseline: str | None = None,
    sort: str | None = None,
) -> ModelComparison:
    """Compare models; without references, a line-up of published ones in historical order.

    Args:
        references: models, as for ``analyze``.
        inputs: input shapes; each model is counted on each of them (None: the model's own).
        batch: images per batch.
        arguments: arguments of Python callables and parameters of spec files.
        convention: counting convention of ``totals.counted``.
        accuracy: error rates of your own models.
        baseline: name of the model that ratios refer to; ``NAME@SHAPE`` for one of several inputs.
        sort: figure to sort by, largest first.

    Raises:
        UsageError: bad arguments.
        ModelError: the shapes do not fit a model.
    """
    from cnnstat.zoo.lineup import LINEUP

    entries = []
    models = load_all(references or LINEUP, arguments)
    chosen = [inputs_of(models, each) for each in inputs]
    for place, model in enumerate(models):
        own = [each[place] for each in chosen]
        for each in own if any(size is not None for size in own) else (None,):
            report = analyze(model, input=each, batch=batch, convention=convention).report
            if report.batch != batch and model.saved is not None:
                raise UsageError(
                    f"{model.reference}: saved with batch {report.batch}, not {batch}: "
                    f"add --batch {report.batch}"
                )
            entries.append(_entry(model, report, accuracy))
    if baseline is not None and not any(
        baseline.partition("@")[0] in (entry.name, entry.reference) for entry in entries
    ):
        name, at, shape = baseline.partition("@")
        baseline = f"{canonical(name)}{at}{shape}"
    comparison = side_by_side(entries, baseline=baseline, sort=sort)
    return ModelComparison(comparison, _quoted(entries))


def _entry(model: Model, report: Report, accuracy: AccuracyFile | None = None) -> Entry:
    from cnnstat.zoo.lineup import leading_accuracy

    card = model.card
    names = (model.reference, card.name if card else "")
    own = None if accuracy is None else accuracy.of(*names)
    if model.saved is not None:
        title, year = model.saved.saved.title, model.saved.saved.year
        return Entry(model.reference, report, model.reference, title, year=year, error=own)
    if card is None:
        return Entry(model.reference, report, model.reference, error=own)
    published_on = report.input_shape == card.input_shape
    error = own or (leading_accuracy(card) if published_on else None)
    name, title = card.name, card.title
    return Entry(name, report, model.reference, title, card.family, card.year, error)


def papers_macs(entries: Sequence[Entry]) -> list[Printed | None]:
    """Return the multiply-accumulates that papers print of compared models; None for no figure."""
    from cnnstat.ledger.claims import printed_macs

    return [
        printed_macs(entry.report, find(entry.name)) if entry.family else None for entry in entries
    ]


def _quoted(entries: Sequence[Entry]) -> tuple[Quoted, ...]:
    """Return the published ratios between the compared models of the zoo."""
    names = dict.fromkeys(entry.name for entry in entries if entry.family)
    if len(names) < 2:
        return ()
    from cnnstat.ledger.claims import quoted

    return quoted(names)


def sizes_around(model: Model, report: Report) -> Iterator[tuple[str, Report | None]]:
    """Yield sizes around that of a report's first input, and the model's report at each.

    Several inputs are scaled together. None: the model cannot take this size.
    """
    from cnnstat.render.plots.scaling import default_sizes

    entering = report.entering or report.inputs
    shapes = {name: report.without_batch(spec) for name, spec in entering.items()}
    scaled = {name: default_sizes(shape[1:]) for name, shape in shapes.items()}
    kind = FullSpec if report.single else TensorSpec
    for sizes in zip(*scaled.values(), strict=True):
        specs = {}
        for (name, spec), sides in zip(entering.items(), sizes, strict=True):
            channels = shapes[name][:1]
            shape = (*sides, *channels) if model.channels_last else (*channels, *sides)
            specs[name] = kind(shape, spec.dtype)
        alone = len(specs) == 1 and not report.single
        inputs: Inputs = next(iter(specs.values())).shape if alone else specs
        try:
            sized = analyze(model, input=inputs, batch=report.batch).report
        except ModelError:
            yield "x".join(map(str, sizes[0])), None
        else:
            yield "x".join(map(str, sizes[0])), sized
