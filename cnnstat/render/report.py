"""Models as one page: card, layers, plots, drawing, published figures, comparison.

A part that cannot be made (no matplotlib, no Graphviz, no published error rate) is replaced by a
line with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnstat.count.compare import Comparison, Entry, ErrorRate
from cnnstat.count.explain import layer_steps
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.errors import CnnstatError, UsageError
from cnnstat.ledger.claim import Quoted
from cnnstat.render.compare import MANY, compare_document
from cnnstat.render.document import Document, with_columns
from cnnstat.render.graph.as_dot import render_dot
from cnnstat.render.graph.as_mermaid import render_mermaid
from cnnstat.render.graph.graphviz import states
from cnnstat.render.graph.outline import outline
from cnnstat.render.numbers import cell_text, shape_text
from cnnstat.render.page import (
    SEARCH,
    Block,
    Chapter,
    Picture,
    derivations_part,
    document_part,
    drawing_part,
    folded,
    render_page,
    stacked,
    text,
    words_part,
)
from cnnstat.render.plots.bubble import Candidate, Rate, bubble_figure, bubbles
from cnnstat.render.plots.layers import layers_figure
from cnnstat.render.plots.scaling import scaling_figure
from cnnstat.render.plots.style import inline_svg
from cnnstat.zoo.card import ModelCard

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of the page with its documents.

    ``card`` and ``info`` are None for a model that is not in the zoo; ``ledger`` has the published
    figures, computed on the model's own input. ``sizes`` are reports on several inputs.
    """

    entry: Entry
    summary: Document
    card: ModelCard | None = None
    info: Document | None = None
    ledger: Document | None = None
    sizes: tuple[Report, ...] = ()


def report_page(
    comparison: Comparison,
    subjects: Sequence[Subject],
    *,
    quoted: Sequence[Quoted] = (),
    rate: Literal["error", "accuracy"] = "error",
    foot: str = "",
) -> str:
    """Return the page of models as HTML.

    ``quoted`` are published ratios between the models, ``foot`` is the page's last line.
    """
    names = [subject.entry.name for subject in subjects]
    title = ", ".join(names) if len(names) <= MANY else f"{len(names)} models"
    chapters = []
    if len(subjects) > 1:
        document = compare_document(comparison, quoted=quoted, rate=rate)
        side_by_side = Block("Side by side", (document_part(document),))
        bubbles = Block("Accuracy over work", tuple(_bubbles(subjects)))
        chapters.append(Chapter("Comparison", document.subtitle, (side_by_side, bubbles)))
    for number, subject in enumerate(subjects):
        blocks = tuple(_blocks(subject, f"m{number}"))
        chapters.append(Chapter(subject.summary.title, subject.summary.subtitle, blocks))
    line = "Every figure is computed from the architecture, layer by layer, by cnnstat."
    return render_page(title, chapters, line=line, foot=foot)


def _blocks(subject: Subject, scope: str) -> Iterator[Block]:
    """Yield the blocks of a model; ``scope`` begins the ids of its rows."""
    if subject.info is not None:
        yield Block("Card", (words_part(subject.info),))
    rows = subject.entry.report.layers
    ids = [f"{scope}-row-{number}" for number in range(len(rows))]
    whys = ((f"{scope}-why-{number}", _steps(row)) for number, row in enumerate(rows))
    keys = [column.key for column in subject.summary.columns]
    first = [keys.index(key) for key in FIRST if key in keys]
    ordered = with_columns(subject.summary, dict.fromkeys([*first, *range(len(keys))]))
    yield Block("Layers", (SEARCH, document_part(ordered, ids), derivations_part(whys)))
    yield Block("Drawing", tuple(_drawing(subject, scope, ids)))
    yield Block("Plots", tuple(_plots(subject)))
    if subject.ledger is not None:
        yield Block("Published figures", tuple(_ledger(subject, subject.ledger)))


def _ledger(subject: Subject, ledger: Document) -> Iterator[str]:
    if not ledger.rows:
        yield text("No published figures are known.")
        return
    own = subject.card.input_shape if subject.card else ()
    shape = subject.entry.report.input_shape
    if shape != own:
        yield text(f"For the published input {shape_text(own)}, not for {shape_text(shape)}.")
    others = [n for n, column in enumerate(ledger.columns) if column.key != "model"]
    yield stacked(document_part(with_columns(ledger, others)))


FIRST = ("layer", "params", "macs", "activation_bytes", "output", "operator")
"""The columns that a narrow page shows without scrolling."""


def _steps(row: Layer) -> Iterator[tuple[str, str, str]]:
    """Yield what ``cnnstat explain`` prints of a row: quantity, result, derivation."""
    for step in layer_steps(row):
        quantity = f"{step.quantity}, {step.unit}" if step.unit else step.quantity
        yield quantity, cell_text(step.result, "count"), step.derivation


def _plot(make: Callable[[], Figure], caption: str) -> str | Picture:
    """Return a plot, or a line with the reason why there is none."""
    try:
        return Picture(inline_svg(make(), label=caption), caption)
    except CnnstatError as error:
        return text(f"No plot: {error}")


def _plots(subject: Subject) -> Iterator[str | Picture]:
    yield _plot(
        lambda: layers_figure(subject.entry.report),
        "Parameters, activation memory and multiply-accumulates of every layer.",
    )
    yield _plot(lambda: scaling_figure(subject.sizes), "The model at other input sizes.")


def _bubbles(subjects: Sequence[Subject]) -> Iterator[str | Picture]:
    """Yield the chart of the error rate that most models have, and the models without it."""
    models = [Candidate(s.entry.report.name, s.entry.report, s.card, _own(s)) for s in subjects]
    rates: tuple[Rate, ...] = ("top1", "top5")
    charts = {rate: bubbles(models, rate=rate) for rate in rates}
    rate = max(rates, key=lambda rate: len(charts[rate][0]))
    circles, without = charts[rate]
    words = f"top-{rate.removeprefix('top')}"
    caption = f"{words.capitalize()} accuracy over multiply-accumulates; area: parameters."
    yield _plot(lambda: bubble_figure(circles, rate=rate), caption)
    if circles and without:
        yield text(f"Without a published {words} error: {', '.join(without)}.")


def _own(subject: Subject) -> ErrorRate | None:
    """Return the model's error rate where it is not one of its card."""
    error = subject.entry.error
    return None if subject.card and error in subject.card.accuracy else error


def _drawing(subject: Subject, scope: str, ids: Sequence[str]) -> Iterator[str]:
    """Yield the drawing, or the reason why Graphviz cannot draw it and the drawing as text."""
    report = subject.entry.report
    drawing, title = outline(report), subject.entry.title
    rows = {row.name: name for row, name in zip(report.layers, ids, strict=True)}
    try:
        pictures = states(drawing, title=title, rows=rows, scope=scope)
    except UsageError as error:
        yield text(f"No drawing here: {error}")
        yield folded("The drawing as Mermaid text", render_mermaid(drawing, title=title))
        yield folded("The drawing as DOT text", render_dot(drawing, title=title))
        return
    caption = (
        "Repeated blocks are drawn once. A click on a layer shows how its figures are computed, "
        "one on the title of a block folds or unfolds it. Drag to pan; Ctrl and the wheel, or + "
        "and -, zoom."
    )
    yield drawing_part(pictures, caption, scope)
