"""``cnnstat report MODEL ... -o report.html``: everything about models on one page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cnnstat.cli.convention import CONVENTION
from cnnstat.cli.optionblocks import Several
from cnnstat.cli.options import OUTPUT, TABLE, complete_model, option
from cnnstat.cli.output import STDOUT, check_path, remark, write
from cnnstat.errors import UsageError, unknown

if TYPE_CHECKING:
    from cnnstat.api import Model, ModelComparison
    from cnnstat.render.document import Document
    from cnnstat.render.report import Subject
    from cnnstat.zoo.card import ModelCard

SUFFIXES = (".html", ".htm")
OPTIONS = {
    "convention": CONVENTION,
    "baseline": option(
        TABLE, "--baseline MODEL", "Compare with this model.", "the first one", complete_model
    ),
    "output": option(
        OUTPUT,
        "--output -o FILE",
        "Write the page to FILE.html (atomically); - is standard output.",
    ),
    "open": option(OUTPUT, "--open", "Show the page in a browser; without -o a new file."),
}
EXAMPLES = (
    "cnnstat report lenet5 alexnet -o report.html",
    "cnnstat report samples/tiny.yaml --open",
)


def report(
    models: list[str],
    *,
    several: Several,
    convention: str = "paper",
    accuracy: str | None = None,
    baseline: str | None = None,
    output: str | None = None,
    open: bool = False,
) -> None:
    """Write one self-contained HTML page: layers, plots, drawing, published figures, comparison."""
    from cnnstat import __version__, api
    from cnnstat.api.useraccuracy import read_accuracy
    from cnnstat.render.report import report_page

    path = page_path(output, show=open)
    own = None if accuracy is None else read_accuracy(accuracy)
    loaded = _load(models, several)
    if baseline is not None and len(loaded) == 1:
        raise UsageError("--baseline needs a second MODEL to compare")
    comparison = api.compare(
        *loaded,
        inputs=(several.shapes,),
        batch=several.batch,
        convention=convention,
        accuracy=own,
        baseline=baseline,
    )
    if baseline is None and len(loaded) > 1:
        comparison = comparison.relative_to(comparison.entries[0])
    if own is not None and (unused := own.unused(comparison.names)):
        remark(unused)
    for hint in missing_tools():
        remark(hint)
    page = report_page(
        comparison.comparison,
        _subjects(loaded, comparison),
        quoted=comparison.quoted,
        rate="error" if own is None else own.kind,
        foot=f"Written by cnnstat {__version__}.",
    )
    write(None if path == STDOUT else path, page)
    if open:
        show(path)


def show(path: str) -> None:
    """Open a page in a browser; say where it is if there is none."""
    import webbrowser

    address = f"file://{os.path.abspath(path)}"
    opened = webbrowser.open(address)
    remark(f"opened {address}" if opened else f"no browser was found; the page is {address}")


def page_path(output: str | None, *, show: bool = False) -> str:
    """Return the file to write; to ``show`` it, a new one if none is named.

    Raises ``UsageError`` for none, and for one that is not a page.
    """
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


def _subjects(models: list[Model], comparison: ModelComparison) -> list[Subject]:
    from cnnstat.api.reports import sizes_around
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
