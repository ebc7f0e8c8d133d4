"""``cnnstat summary MODEL``: every layer, the totals with definitions, the published figures."""

from __future__ import annotations

import typer

from cnnstat.cli.convention import CONVENTION
from cnnstat.cli.limits import exit_unmet, limits_of
from cnnstat.cli.optionblocks import Result, Subject
from cnnstat.cli.options import CHECKS, MODEL, TABLE, at_least_one, continuing, option, starting
from cnnstat.cli.output import emit, remark
from cnnstat.cli.roofline import Rates
from cnnstat.errors import UsageError
from cnnstat.render.columns import LAYER_COLUMNS

KEYS = tuple(entry.key for entry in LAYER_COLUMNS)
OPTIONS = {
    "convention": CONVENTION,
    "mode": option(
        MODEL,
        "--mode MODE",
        "inference, or training: adds the gradients of inputs and weights.",
        complete=starting(lambda: ("inference", "training")),
    ),
    "images": option(
        MODEL, "--images N", "Images per epoch; adds the work of an epoch of training."
    ),
    "columns": option(
        TABLE,
        "--columns -c KEYS",
        f"Columns, comma-separated: {', '.join(KEYS)}. +KEYS adds to the default; "
        "all shows every column.",
        complete=continuing(lambda: KEYS),
    ),
    "expand": option(TABLE, "--expand", "Show one row per operator instead of per layer."),
    "formulas": option(TABLE, "--formulas", "Show the arithmetic: (3*3*3)*64 = 1,728."),
    "sort": option(
        TABLE,
        "--sort KEY",
        "Sort by a column, largest first.",
        "the order of execution",
        starting(lambda: KEYS),
    ),
    "tree": option(
        TABLE,
        "--tree",
        "Show the tree of modules, each with the sum of its rows; --depth limits it.",
    ),
    "check": option(
        CHECKS, "--check", "Add the counts of FlopCounterMode and fvcore (needs PyTorch)."
    ),
    "strict": option(CHECKS, "--strict", "Exit with 1 if any operator could not be counted."),
}
EXAMPLES = (
    "cnnstat summary resnet50 --depth 1",
    "cnnstat summary vgg16 --input 160 --batch 8 --columns layer,output,params,macs",
    "cnnstat summary resnet50 --mode training --batch 256 --images 1281167",
    "cnnstat summary mobilenet --limit 'params < 5M' --limit 'macs < 600M'",
)


def summary(
    model: str,
    *,
    subject: Subject,
    convention: str = "paper",
    mode: str = "inference",
    images: int | None = None,
    rates: Rates,
    columns: str | None = None,
    depth: int | None = None,
    expand: bool = False,
    formulas: bool = False,
    sort: str | None = None,
    top: int | None = None,
    tree: bool = False,
    check: bool = False,
    strict: bool = False,
    limit: list[str] | None = None,
    verbose: bool = False,
    result: Result,
) -> None:
    """Show parameters, memory and operations of a model, layer by layer."""
    from cnnstat import api
    from cnnstat.render.summary import View, summary_document

    to = result.destination(verbose=verbose)
    if tree and (sort is not None or top is not None):
        raise UsageError("--tree keeps the order of the modules: leave out --sort and --top")
    device = rates.named_device()
    limits = limits_of(limit, "summary")
    loaded = subject.load(model)
    analysis = subject.analyze(loaded, convention=convention, mode=mode, images=images)
    report = analysis.report
    view = View(
        columns,
        at_least_one("depth", depth),
        expand,
        formulas,
        sort,
        at_least_one("top", top),
        tree,
        rates.peak_of(report, device) if rates.stated else None,
    )
    checked = api.check_report(loaded, report) if check else None
    document = summary_document(
        report,
        reference=model,
        card=loaded.card,
        published=analysis.published,
        checked=checked,
        view=view,
    )
    emit(document, to)
    exit_unmet(limits, report)
    if checked is not None and not checked.agree:
        raise typer.Exit(1)
    if strict and "partial" in (report.status, report.params_status, report.training_status):
        remark("strict: not everything could be counted")
        raise typer.Exit(1)
