"""Models as one page: card, layers, plots, drawing, published figures, comparison.

A part that cannot be made (no matplotlib, no Graphviz, no published error rate) is replaced by a
line with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cnnstat.count.compare import Comparison, Entry
from cnnstat.count.report import Report
from cnnstat.errors import CnnstatError, UsageError
from cnnstat.ledger.claim import Quoted
from cnnstat.render.compare import MANY, compare_document
from cnnstat.render.document import Document
from cnnstat.render.graph.outline import outline
from cnnstat.render.numbers import shape_text
from cnnstat.render.page import (
    Block,
    Chapter,
    Picture,
    document_part,
    folded,
    render_page,
    text,
    words_part,
)
from cnnstat.zoo.card import ModelCard


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
    foot: str = "",
) -> str:
    """Return the page of models as HTML.

    ``quoted`` are published ratios between the models, ``foot`` is the page's last line.
    """
    names = [subject.entry.name for subject in subjects]
    title = ", ".join(names) if len(names) <= MANY else f"{len(names)} models"
    chapters = (
        []
        if len(subjects) == 1
        else [_comparison(compare_document(comparison, quoted=quoted), subjects)]
    )
    chapters += map(_model, subjects)
    line = "Every figure is computed from the architecture, layer by layer, by cnnstat."
    return render_page(title, chapters, line=line, foot=foot)


def _comparison(document: Document, subjects: Sequence[Subject]) -> Chapter:
    return Chapter(
        "Comparison",
        document.subtitle,
        (
            Block("Side by side", (document_part(document),)),
            Block("Accuracy over work", tuple(_bubbles(subjects))),
        ),
    )


def _model(subject: Subject) -> Chapter:
    return Chapter(subject.summary.title, subject.summary.subtitle, tuple(_blocks(subject)))


def _blocks(subject: Subject) -> Iterator[Block]:
    if subject.info is not None:
        yield Block("Card", (words_part(subject.info),))
    yield Block("Layers", (document_part(subject.summary),))
    yield Block("Plots", (_layers(subject), _scaling(subject)))
    yield Block("Drawing", tuple(_drawing(subject)))
    if subject.ledger is not None:
        yield Block("Published figures", tuple(_ledger(subject, subject.ledger)))


def _ledger(subject: Subject, ledger: Document) -> Iterator[str]:
    if not ledger.rows:
        yield text("No published figures are known.")
        return
    own = subject.card.input_shape if subject.card else ()
    shape = subject.entry.report.input.shape[1:]
    if shape != own:
        yield text(f"For the published input {shape_text(own)}, not for {shape_text(shape)}.")
    yield document_part(_without(ledger, "model"))


def _without(document: Document, key: str) -> Document:
    """Return a document without a column that is the same in every row."""
    places = [place for place, column in enumerate(document.columns) if column.key != key]
    return replace(
        document,
        columns=tuple(document.columns[place] for place in places),
        rows=tuple(tuple(row[place] for place in places) for row in document.rows),
    )


def _plot(make: Callable[[], str], caption: str) -> str | Picture:
    """Return a plot, or a line with the reason why there is none."""
    try:
        return Picture(make(), caption, "plot")
    except CnnstatError as error:
        return text(f"No plot: {error}")


def _bubbles(subjects: Sequence[Subject]) -> Iterator[str | Picture]:
    """Yield the chart of the error rate that most models have, and the models without it."""
    from cnnstat.render.plots.bubble import Rate, bubble_figure, bubbles

    models = [(subject.entry.report, subject.card) for subject in subjects]
    rates: tuple[Rate, ...] = ("top1", "top5")
    charts = {rate: bubbles(models, rate=rate) for rate in rates}
    rate = max(rates, key=lambda rate: len(charts[rate][0]))
    circles, without = charts[rate]
    words = f"top-{rate.removeprefix('top')}"

    def make() -> str:
        from cnnstat.render.plots.style import inline_svg

        return inline_svg(bubble_figure(circles, rate=rate), label=caption)

    caption = f"{words.capitalize()} accuracy over multiply-accumulates; area: parameters."
    yield _plot(make, caption)
    if circles and without:
        yield text(f"Without a published {words} error: {', '.join(without)}.")


def _layers(subject: Subject) -> str | Picture:
    def make() -> str:
        from cnnstat.render.plots.layers import layers_figure
        from cnnstat.render.plots.style import inline_svg

        return inline_svg(layers_figure(subject.entry.report), label=caption)

    caption = "Parameters, activation memory and multiply-accumulates of every layer."
    return _plot(make, caption)


def _scaling(subject: Subject) -> str | Picture:
    def make() -> str:
        from cnnstat.render.plots.scaling import scaling_figure
        from cnnstat.render.plots.style import inline_svg

        return inline_svg(scaling_figure(subject.sizes), label=caption)

    caption = "The model at other input sizes."
    return _plot(make, caption)


def _drawing(subject: Subject) -> Iterator[str | Picture]:
    """Yield the drawing, or the reason why Graphviz cannot draw it and the drawing as text."""
    from cnnstat.render.graph.as_dot import render_dot
    from cnnstat.render.graph.graphviz import inline_svg

    drawing = outline(subject.entry.report)
    dot = render_dot(drawing, title=subject.entry.title)
    try:
        svg = inline_svg(dot)
    except UsageError as error:
        from cnnstat.render.graph.as_mermaid import render_mermaid

        yield text(f"No drawing here: {error}")
        yield folded(
            "The drawing as Mermaid text", render_mermaid(drawing, title=subject.entry.title)
        )
        yield folded("The drawing as DOT text", dot)
        return
    caption = "Stages and modules are boxes; repeated blocks are drawn once."
    yield Picture(svg.replace("<svg", '<svg role="img"', 1), caption, "drawing")
