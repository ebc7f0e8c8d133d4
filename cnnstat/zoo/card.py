"""Facts about a model other than its graph: names, paper, training, results.

They are data: ``cards/<family>.toml`` has them. A ``[[card]]`` is of the models whose ``names``
match, without any of all; a later one adds to lists and tables and replaces the rest.
``unmeasured`` is what departs in a model without an error rate of its own. An entry of ``accuracy``
has the errors of several models, by name, and the ``result`` that they make. ``paper = "resnet"``
is the paper of that file, ``training = "resnet/resnet34"`` the training of that model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from cnnstat.errors import UsageError
from cnnstat.ir.graph import Graph
from cnnstat.zoo.torchvision_errors import SETTING, torchvision_errors


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


@cache
def _file(family: str) -> dict[str, Any]:
    import tomllib

    path = Path(__file__).parent / "cards" / f"{family}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _is_of(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name is among these; plain ones are not compiled as patterns."""
    wild = [pattern for pattern in patterns if "*" in pattern]
    return name in patterns or any(fnmatchcase(name, pattern) for pattern in wild)


def _entries(family: str, name: str) -> dict[str, Any]:
    """Return what a file says of a model, under the names of ``ModelCard``."""
    file = _file(family)
    entries: dict[str, Any] = {key: file[key] for key in ("family", "paper") if key in file}
    for part in file["card"]:
        if not _is_of(name, part.get("names", ("*",))):
            continue
        for key, value in part.items():
            if isinstance(value, list):
                value = [*entries.get(key, ()), *value]
            elif isinstance(value, dict) and isinstance(entries.get(key), dict):
                value = {**entries[key], **value}
            entries[key] = value
    if isinstance(entries["paper"], str):
        entries["paper"] = _file(entries["paper"])["paper"]
    if isinstance(entries.get("training"), str):
        entries["training"] = _entries(*entries["training"].split("/"))["training"]
    entries.pop("names", None)
    return entries


def _measured(family: str, name: str) -> tuple[list[Accuracy], str]:
    """Return the error rates of a model, as its file lists them, and the result they make."""
    rates, result = [], ""
    for row in _file(family).get("accuracy", ()):
        top1, top5 = [row.get(key, {}).get(name) for key in ("top1", "top5")]
        if top1 is top5 is None:
            continue
        place = row["dataset"], row["setting"], row["source"]
        rates.append(Accuracy(*place, top1, top5, row.get("ensemble", False)))
        if "result" in row:
            result = row["result"].format(top1=top1, top5=top5, accuracy=round(100 - top1, 1))
    return rates, result


def card_of(
    family: str,
    name: str,
    *,
    build: Callable[[int], Graph],
    facts: tuple[str, ...] = (),
    **computed: Any,
) -> ModelCard:
    """Return the card of a model: what its family's file says, and what is ``computed``.

    Computed ``facts`` come first; errors of torchvision's weights stand behind the paper's own, in
    front of those of ensembles.
    """
    entries = _entries(family, name)
    rates, result = _measured(family, name)
    unmeasured = entries.pop("unmeasured", "")
    entries.setdefault("departs", "" if rates else unmeasured)
    training = entries.pop("training", None)
    if training is not None:
        training = Training(**{**training, "corrections": tuple(training.get("corrections", ()))})
    single = [rate for rate in rates if not rate.ensemble]
    released = [
        Accuracy(*SETTING, source, top1, top5) for source, top1, top5 in torchvision_errors(name)
    ]
    together = [rate for rate in rates if rate.ensemble]
    return ModelCard(
        name=name,
        build=build,
        paper=Paper(**entries.pop("paper")),
        training=training,
        accuracy=(*single, *released, *together),
        ideas=tuple(entries.pop("ideas", ())),
        facts=(*facts, *entries.pop("facts", ())),
        **{"result": result, **entries, **computed},
    )
