"""Facts about a model other than its graph: names, paper, training, results.

Data alone; nothing here is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnnstat.errors import UsageError
from cnnstat.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class Paper:
    """Where an architecture was published."""

    authors: str
    title: str
    venue: str
    year: int
    url: str


@dataclass(frozen=True, slots=True)
class Training:
    """How the model was trained, as its paper says; ``corrections`` names where a source errs."""

    optimizer: str
    batch: str
    learning_rate: str
    decay: str
    regularization: str
    initialization: str = ""
    corrections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One published error rate in percent.

    ``setting`` says what was averaged: one model, crops, an ensemble.
    """

    dataset: str
    setting: str
    source: str
    top1_error: float | None = None
    top5_error: float | None = None
    ensemble: bool = False


def on_imagenet(
    setting: str, source: str, top1: float | None, top5: float | None = None, ensemble: bool = False
) -> Accuracy:
    """Return an error on the validation set of ILSVRC 2012."""
    return Accuracy("ILSVRC 2012 validation", setting, source, top1, top5, ensemble)


def on_cifar(error: float | None, setting: str, source: str) -> tuple[Accuracy, ...]:
    """Return an error on the test set of CIFAR-10; nothing where the paper has none."""
    return () if error is None else (Accuracy("CIFAR-10", setting, source, error),)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One named model. ``build(classes)`` returns its graph; ``input_shape`` leaves the batch out.

    ``departs`` says how a variant differs from the paper or from the name it is a variant of;
    ``classes`` is 0 where nothing is classified.
    """

    name: str
    title: str
    family: str
    paper: Paper
    build: Callable[[int], Graph]
    input_shape: tuple[int, ...] = (3, 224, 224)
    classes: int = 1000
    departs: str = ""
    task: str = "image classification"
    result: str = ""
    ideas: tuple[str, ...] = ()
    training: Training | None = None
    accuracy: tuple[Accuracy, ...] = ()
    facts: tuple[str, ...] = ()
    """Further sentences with their source, for the card."""

    @property
    def year(self) -> int:
        """Year of the paper."""
        return self.paper.year


def refuse_classes(name: str, classes: int) -> None:
    """Raise ``UsageError`` where classes are asked of a model that classifies nothing."""
    if classes:
        raise UsageError(f"{name}: it has no classifier; leave the number of classes out")
