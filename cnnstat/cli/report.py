"""``cnnstat report MODEL ... -o report.html``: everything about models on one page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

from cnnstat.cli.accuracy import AccuracyOption, warn_unused
from cnnstat.cli.blocks import Several
from cnnstat.cli.convention import ConventionOption
from cnnstat.cli.options import OUTPUT, TABLE, ModelsArgument, complete_model, option
from cnnstat.cli.sizes import sizes_around
from cnnstat.errors import UsageError, unknown

if TYPE_CHECKING:
    from cnnstat.api import Model, ModelComparison
    from cnnstat.render.document import Document
    from cnnstat.render.report import Subject
    from cnnstat.zoo.card import ModelCard

SUFFIXES = (".html", ".htm")
EXAMPLES = (
    "cnnstat report lenet5 alexnet -o report.html",
    "cnnstat report samples/tiny.yaml --open",
)


def report(
    models: ModelsArgument,
    *,
    several: Several,
    convention: ConventionOption = "paper",
    accuracy: AccuracyOption = None,
    baseline: Annotated[
        str | None,
        option(
            "--baseline",
            group=TABLE,
            metavar="MODEL",
            help="Compare with this model.",
            default="the first one",
            complete=complete_model,
        ),
    ] = None,
    output: Annotated[
        str | None,
        option(
            *("--output", "-o"),
            group=OUTPUT,
            metavar="FILE",
            help="Write the page to FILE.html (atomically); - is standard output.",
        ),
    ] = None,
    open: Annotated[
        bool,
        option("--open", group=OUTPUT, help="Show the page in a browser; without -o a new file."),
    ] = False,
) -> None:
    """Write one self-contained HTML page: layers, plots, drawing, published figures, comparison."""
    from cnnstat import __version__
    from cnnstat.api.accuracy import read_accuracy
    from cnnstat.cli.output import STDOUT, remark, write_file, write_stdout
    from cnnstat.render.report import report_page

    path = page_path(output, show=open)
    own = None if accuracy is None else read_accuracy(accuracy)
    loaded = _load(models, several)
    comparison = _compare(
        loaded,
        baseline,
        inputs=(several.shapes,),
        batch=several.batch,
        convention=convention,
        accuracy=own,
    )
    if own is not None:
        warn_unused(own, [(entry.name, entry.reference) for entry in comparison.entries])
    for hint in missing_tools():
        remark(hint)
    page = report_page(
        comparison.comparison,
        _subjects(loaded, comparison),
        quoted=comparison.quoted,
        rate="error" if own is None else own.kind,
        foot=f"Written by cnnstat {__version__}.",
    )
    if path == STDOUT:
        write_stdout(page)
    else:
        write_file(path, page)
    if open:
        show(path)


def show(path: str) -> None:
    """Open a page in a browser; say where it is if there is none."""
    import webbrowser

    from cnnstat.cli.output import remark

    address = f"file://{os.path.abspath(path)}"
    if webbrowser.open(address):
        remark(f"opened {address}")
    else:
        remark(f"no browser was found; the page is {address}")


def page_path(output: str | None, *, show: bool = False) -> str:
    """Return the file to write; to ``show`` it, a new one if none is named.

    Raises ``UsageError`` for none, and for one that is not a page.
    """
    from cnnstat.cli.output import STDOUT, check_path

    if show and output == STDOUT:
        raise UsageError("--open shows a file: leave out -o -, or name FILE.html")
    if show and output is None:
        import tempfile

        return os.path.join(tempfile.mkdtemp(prefix="cnnstat-"), "report.html")
    if output is None:
        raise UsageError("a report is a page: say where to write it with -o FILE.html (or -o -)")
    if output == STDOUT:
        return output
    check_path(output)
    suffix = os.path.splitext(output)[1].lower()
    if not suffix:
        raise UsageError(f"{output} has no suffix: a report is a page, end it in .html")
    if suffix not in SUFFIXES:
        raise unknown("suffix", suffix, SUFFIXES, listing="a report is a page, FILE.html")
    return output


def missing_tools() -> list[str]:
    """Return one line for each program or library without which the page lacks pictures."""
    from cnnstat.render.graph.graphviz import require_graphviz
    from cnnstat.render.plots.style import require_matplotlib

    lines = []
    for pictures, require in (("plots", require_matplotlib), ("drawings", require_graphviz)):
        try:
            require()
        except UsageError as error:
            lines.append(f"the page has no {pictures}: {error}")
    return lines


def _load(references: list[str], several: Several) -> list[Model]:
    """Return the models, one that is named twice (or by an alias too) once."""
    models: dict[str, Model] = {}
    for model in several.load(list(dict.fromkeys(references))):
        model.require_forward()
        models.setdefault(model.card.name if model.card else model.reference, model)
    return list(models.values())


def _compare(models: list[Model], baseline: str | None, **options: Any) -> ModelComparison:
    from cnnstat import api

    if baseline is not None and len(models) == 1:
        raise UsageError("--baseline needs a second MODEL to compare")
    compared = api.compare(*models, baseline=baseline, **options)
    if baseline is None and len(models) > 1:
        return compared.relative_to(compared.entries[0])
    return compared


def _subjects(models: list[Model], comparison: ModelComparison) -> list[Subject]:
    from cnnstat.render.report import Subject
    from cnnstat.render.summary import summary_document

    subjects = []
    for model, entry in zip(models, comparison.entries, strict=True):
        card = model.card
        summary = summary_document(entry.report, reference=model.reference, card=card)
        info, ledger = (None, None) if card is None else _known(card)
        sizes = tuple(each for _, each in sizes_around(model, entry.report) if each)
        subjects.append(Subject(entry, summary, card, info, ledger, sizes))
    return subjects


def _known(card: ModelCard) -> tuple[Document, Document]:
    """Return the card of a model of the zoo and the ledger of what was published of it."""
    from cnnstat import api
    from cnnstat.cli.info import card_document
    from cnnstat.render.claims import claims_document

    return card_document(card), claims_document(api.claims(card.name), models=[card.name])
