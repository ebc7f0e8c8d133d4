"""The work of training of a loaded model: a step, an epoch, and notes on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cnnstat.api.models import shaped_graph
from cnnstat.errors import ModelError, UsageError, one_line
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.api.model import Model
    from cnnstat.count.report import Note
    from cnnstat.count.training import Training
    from cnnstat.importers.reference import Imported

MOST_IMAGES = 10**18


def check_training(mode: str, images: int | None) -> None:
    """Raise ``UsageError`` for an unknown mode, and for images without training."""
    if mode == "inference" and images is None:
        return
    from cnnstat.bench.benchplan import mode_of

    if mode_of(mode) == "inference":
        raise UsageError("images: only training has epochs; add --mode training")
    if images is not None and not 1 <= images <= MOST_IMAGES:
        raise UsageError(f"images must be 1 to 10^18, got {images}")


def in_training_form(
    model: Model, specs: Mapping[str, TensorSpec], shaped: ShapedGraph, imported: Imported
) -> tuple[ShapedGraph, Imported]:
    """Return a module's graph in training mode where it multiplies there what it does not here.

    That is the case of auxiliary heads, and of detectors, which sample their boxes. Raises
    ``UsageError`` where the forward pass needs another argument in training mode.
    """
    if model.own is None:
        return shaped, imported
    try:
        form = shaped_graph(replace(model, trace=partial(model.own.trace, training=True)), specs)
    except ModelError as error:
        if hint := model.own.missing_argument(one_line(error.__cause__ or error)):
            raise UsageError(f"{model.reference}: {hint}") from error
        text = f"counted in evaluation mode: the forward pass fails in training mode ({error})"
        return shaped, _noted(imported, text)
    if _macs(form[0]) == _macs(shaped):
        return shaped, imported
    return form[0], _noted(form[1], "counted in training mode, where other layers run")


def _noted(imported: Imported, text: str) -> Imported:
    from cnnstat.count.report import Note

    note = Note("training_form", "", text)
    return imported._replace(training_notes=(*imported.training_notes, note))


def _macs(shaped: ShapedGraph) -> int | None:
    from cnnstat.count.report import analyze

    return analyze(shaped).totals.macs


def training_of(shaped: ShapedGraph, imported: Imported) -> Training:
    """Return the work of one training step."""
    from cnnstat.count.training import Training, training_work

    return Training(training_work(shaped, imported.needs))


def with_epoch(training: Training, images: int, batch: int, last: Training) -> Training:
    """Return the work with that of an epoch: full steps, and a last one with the images left."""
    from cnnstat.count.training import Epoch

    full, rest = divmod(images, batch)
    step, final = training.total, last.total
    macs = full * step.macs + (final.macs if rest else 0)
    return replace(training, epoch=Epoch(images, full + bool(rest), macs))


def training_notes(shaped: ShapedGraph) -> tuple[Note, ...]:
    """Return the notes of a training step: paths that it may drop are counted."""
    from cnnstat.count.report import Note

    if all(node.op.survival == 1 for node in shaped.nodes):
        return ()
    message = "a training step is counted with every path: none is dropped"
    return (Note("no_path_dropped", "", message),)
