"""Reports of single models and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnstat.api.model import Inputs, Model
from cnnstat.api.models import (
    input_specs,
    inputs_of,
    load,
    load_all,
    shaped_graph,
    with_example,
    with_input,
)
from cnnstat.api.quantizing import quantized_dtype, quantized_graph, quantized_notes
from cnnstat.api.results import Analysis, ModelComparison
from cnnstat.api.saved import saved_report
from cnnstat.api.training import (
    batch_of,
    check_batch,
    check_training,
    training_notes,
    training_of,
    with_epoch,
)
from cnnstat.count.compare import Entry
from cnnstat.count.compare import compare as side_by_side
from cnnstat.count.conventions import convention as find_convention
from cnnstat.count.report import Report
from cnnstat.count.report import analyze as analyze_graph
from cnnstat.errors import UsageError
from cnnstat.zoo.catalog import canonical, find

if TYPE_CHECKING:
    from torch.nn import Module

    from cnnstat.api.accuracy import AccuracyFile
    from cnnstat.ledger.claim import Quoted
    from cnnstat.ledger.figure import Printed


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
    """Return the figures of a model, which show themselves in a notebook.

    ``reference`` names a model, or is one: a loaded ``Model`` or an ``nn.Module``. ``input`` is a
    shape without the batch for the model's first input: (c, h, w), or (h, w), or (h,) for a square
    one, with the model's own channels; or a mapping of names to shapes. A module also takes example
    tensors, lists and dictionaries of shapes, and settings: ``{"x": [(3, 8, 8), (5,)], "deep":
    True}``. ``mode`` "training" adds the work of a training step, ``images`` that of an epoch.
    ``example`` are the very arguments of a call instead: a tensor, a tuple in order, or a
    dictionary by name. ``forward_method`` names another method of the module as its forward pass.
    Raises ``UsageError`` for bad arguments, ``ModelError`` where the shapes do not fit.
    """
    rule = find_convention(convention)
    check_training(mode, images)
    bits = quantized_dtype(dtype, mode)
    model = reference if isinstance(reference, Model) else load(reference, classes=classes)
    if forward_method is not None:
        model = _with_method(model, forward_method)
    if example is not None and (input is not None or batch != 1):
        raise UsageError("example is the call itself: leave out input and batch")
    if model.saved is not None:
        saved = saved_report(
            model, model.saved, input=input, batch=batch, dtype=dtype, convention=rule
        )
        return Analysis(model, saved.without_training(mode))
    dtype = None if bits else dtype
    model, shapes = with_input(model, input) if example is None else with_example(model, example)
    specs = input_specs(model, input=shapes, batch=batch, dtype=dtype)
    shaped, imported = shaped_graph(model, specs)
    training = None
    if mode == "training":
        training = training_of(shaped, imported)
        if images is not None:
            rest = images % batch_of(specs)
            smaller = input_specs(model, input=shapes, batch=rest, dtype=dtype) if rest else specs
            check_batch(model.reference, smaller, rest or batch_of(specs))
            last = training_of(*shaped_graph(model, smaller)) if rest else training
            training = with_epoch(training, images, batch_of(specs), last)
    report = analyze_graph(
        quantized_graph(shaped, bits),
        convention=rule,
        notes=(
            *imported.notes,
            *((*training_notes(shaped), *imported.training_notes) if training else ()),
            *quantized_notes(bits),
        ),
        frozen_params=imported.frozen_params,
        training=training,
    )
    return Analysis(model, report)


def _with_method(model: Model, name: str) -> Model:
    if model.with_call is None:
        raise UsageError(f"{model.reference}: only a PyTorch module takes a method")
    return model.with_call({}, name)


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
    """Return models side by side, each on every one of ``inputs`` (None: its own).

    Without models, the line-up of the zoo. ``arguments`` go to the Python callables and spec files
    among them; ``accuracy`` has error rates of the user's own. ``baseline`` names the model that
    ratios refer to (``NAME@SHAPE`` on one of several inputs), ``sort`` a measure. Raises
    ``UsageError`` for bad arguments, ``ModelError`` where the shapes do not fit.
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
    published_on = report.input.shape[1:] == card.input_shape
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
