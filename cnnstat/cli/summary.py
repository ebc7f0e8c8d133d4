"""``cnnstat summary MODEL``: every layer, the totals with definitions, the published figures."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.blocks import Result, Subject
from cnnstat.cli.convention import ConventionOption
from cnnstat.cli.limits import LimitOption, exit_unmet, limits_of
from cnnstat.cli.options import (
    CHECKS,
    MODEL,
    TABLE,
    DepthOption,
    ModelArgument,
    TopOption,
    VerboseOption,
    at_least_one,
    continuing,
    option,
    sort_option,
    starting,
)
from cnnstat.cli.roofline import Rates
from cnnstat.errors import UsageError
from cnnstat.render.columns import LAYER_COLUMNS

KEYS = tuple(entry.key for entry in LAYER_COLUMNS)
EXAMPLES = (
    "cnnstat summary resnet50 --depth 1",
    "cnnstat summary vgg16 --input 160 --batch 8 --columns layer,output,params,macs",
    "cnnstat summary resnet50 --mode training --batch 256 --images 1281167",
    "cnnstat summary mobilenet --limit 'params < 5M' --limit 'macs < 600M'",
)


def summary(
    model: ModelArgument,
    *,
    subject: Subject,
    convention: ConventionOption = "paper",
    mode: Annotated[
        str,
        option(
            "--mode",
            group=MODEL,
            metavar="MODE",
            help="inference, or training: adds the gradients of inputs and weights.",
            complete=starting(lambda: ("inference", "training")),
        ),
    ] = "inference",
    images: Annotated[
        int | None,
        option(
            "--images",
            group=MODEL,
            metavar="N",
            help="Images per epoch; adds the work of an epoch of training.",
        ),
    ] = None,
    rates: Rates,
    columns: Annotated[
        str | None,
        option(
            *("--columns", "-c"),
            group=TABLE,
            metavar="KEYS",
            help=f"Columns, comma-separated: {', '.join(KEYS)}. +KEYS adds to the default; "
            "all shows every column.",
            complete=continuing(lambda: KEYS),
        ),
    ] = None,
    depth: DepthOption = None,
    expand: Annotated[
        bool,
        option("--expand", group=TABLE, help="Show one row per operator instead of per layer."),
    ] = False,
    formulas: Annotated[
        bool,
        option("--formulas", group=TABLE, help="Show the arithmetic: (3*3*3)*64 = 1,728."),
    ] = False,
    sort: Annotated[str | None, sort_option(starting(lambda: KEYS))] = None,
    top: TopOption = None,
    tree: Annotated[
        bool,
        option(
            "--tree",
            group=TABLE,
            help="Show the tree of modules, each with the sum of its rows; --depth limits it.",
        ),
    ] = False,
    check: Annotated[
        bool,
        option(
            "--check",
            group=CHECKS,
            help="Add the counts of FlopCounterMode and fvcore (needs PyTorch).",
        ),
    ] = False,
    strict: Annotated[
        bool,
        option("--strict", group=CHECKS, help="Exit with 1 if any operator could not be counted."),
    ] = False,
    limit: LimitOption = None,
    verbose: VerboseOption = False,
    result: Result,
) -> None:
    """Show parameters, memory and operations of a model, layer by layer."""
    from cnnstat import api
    from cnnstat.cli.output import emit, remark
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
