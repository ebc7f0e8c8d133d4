"""A model's card as a document: paper, training, results, with sources and corrections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from cnnstat.count.expected import Expected
from cnnstat.ledger.claim import Published
from cnnstat.render.document import NEVER_DROPPED, Column, Document, Section
from cnnstat.render.summary import published_line, published_payload
from cnnstat.zoo.card import Accuracy, ModelCard

COLUMNS = (
    Column("item", "Item", "text", NEVER_DROPPED, "entry of the card"),
    Column("content", "Content", "text", NEVER_DROPPED, "from the sources", wrap=True),
)


def info_document(
    card: ModelCard,
    *,
    aliases: Sequence[str] = (),
    average: Expected | None = None,
    published: Sequence[Published] = (),
    known: int | None = None,
) -> Document:
    """Return the document of ``cnnstat info``.

    ``average`` is the cost of a training step on average, where the model drops paths;
    ``published`` are the figures of the ledger that a summary shows, ``known`` is the number of
    all; None where they are shown elsewhere.
    """
    return Document(
        title=f"{card.name}: {card.title}",
        subtitle=f"{card.family} {card.year}, {card.task}",
        columns=COLUMNS,
        rows=tuple(_rows(card, aliases)),
        payload={
            **_payload(card, aliases, average),
            "published": list(map(published_payload, published)),
            "published_figures": known,
        },
        sections=tuple(_sections(card, average, published, known)),
    )


def _rows(card: ModelCard, aliases: Sequence[str]) -> list[tuple[str, str]]:
    """Return the entries that the card has."""
    paper, training = card.paper, card.training
    rows = [
        ("paper", f"{paper.authors}: {paper.title}, {paper.venue}"),
        ("published", f"{paper.year}, {paper.url}"),
        ("input", "x".join(map(str, card.input_shape))),
        ("classes", f"{card.classes:,}" if card.classes else ""),
        ("result", card.result),
        ("departs", card.departs),
        ("also", ", ".join(aliases)),
    ]
    if training is not None:
        rows += [
            ("optimizer", training.optimizer),
            ("batch", training.batch),
            ("learning rate", training.learning_rate),
            ("weight decay", training.decay),
            ("regularization", training.regularization),
            ("initialization", training.initialization),
        ]
    return [(item, content) for item, content in rows if content]


def _sections(
    card: ModelCard, average: Expected | None, published: Sequence[Published], known: int | None
) -> Iterator[Section]:
    corrections = card.training.corrections if card.training else ()
    figures = [published_line(figure._replace(explanation="")) for figure in published]
    if known:
        figures.append(f"{known:,} in all, with reasons: 'cnnstat claims {card.name}'")
    elif known is not None:
        figures.append("none: no source of 'cnnstat claims' prints a figure of this model")
    for title, lines in (
        ("Ideas", card.ideas),
        ("Accuracy", tuple(map(accuracy_line, card.accuracy))),
        ("Published figures", tuple(figures)),
        ("Training step", average_lines(average) if average else ()),
        ("Corrected", corrections),
        ("Facts", card.facts),
    ):
        if lines:
            yield Section(title, lines)


def average_lines(average: Expected) -> tuple[str, ...]:
    """Return depth and work of a training step on average and in inference."""
    return (
        f"depth {average.depth:.1f} on average, {average.full_depth:,} in inference",
        f"MACs {average.macs:,.0f} on average, {average.full_macs:,} in inference",
        f"{average.kept_paths:.2f} of {average.droppable_paths:,} droppable paths are kept",
    )


def accuracy_line(accuracy: Accuracy) -> str:
    """Return one published error in words, with its setting and its source."""
    errors = (("top-1 error", accuracy.top1_error), ("top-5 error", accuracy.top5_error))
    parts = [f"{name} {value:g}%" for name, value in errors if value is not None]
    detail = accuracy.setting
    if not any(word in detail for word in ("model", "ensemble", "runs")):
        detail = f"{'ensemble' if accuracy.ensemble else 'one model'}, {detail}".removesuffix(", ")
    return f"{accuracy.dataset}: {', '.join(parts)} ({detail}; {accuracy.source})"


def _payload(
    card: ModelCard, aliases: Sequence[str], average: Expected | None
) -> dict[str, object]:
    training, paper = card.training, card.paper
    schedule = training and asdict(training) | {"initialization": training.initialization or None}
    names = ("name", "title", "family", "year", "task")
    return {
        "schema": "cnnstat.info/1",
        **{name: getattr(card, name) for name in names},
        "paper": asdict(paper),
        "input_shape": list(card.input_shape),
        "classes": card.classes,
        "result": card.result or None,
        "departs": card.departs or None,
        "aliases": list(aliases),
        "ideas": list(card.ideas),
        "training": schedule,
        "accuracy": [
            {
                **{key: getattr(a, key) for key in ("dataset", "setting", "ensemble")},
                "top1_error_percent": a.top1_error,
                "top5_error_percent": a.top5_error,
                "source": a.source,
            }
            for a in card.accuracy
        ],
        "training_step": average
        and {
            "expected_depth": average.depth,
            "expected_macs": average.macs,
            "kept_paths": average.kept_paths,
            "droppable_paths": average.droppable_paths,
        },
        "facts": list(card.facts),
    }
