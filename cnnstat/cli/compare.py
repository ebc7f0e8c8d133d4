"""``cnnstat compare [MODEL ...]``: models side by side, as stages, or layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.accuracy import AccuracyOption, warn_unused
from cnnstat.cli.blocks import Result
from cnnstat.cli.convention import ConventionOption
from cnnstat.cli.limits import LimitOption, exit_unmet, limits_of
from cnnstat.cli.options import (
    MODEL,
    REFERENCE,
    TABLE,
    ArgsOption,
    BatchOption,
    VerboseOption,
    argument,
    complete_model,
    continuing,
    factory_arguments,
    input_sweep,
    option,
    starting,
)
from cnnstat.count.compare import SORT_KEYS
from cnnstat.errors import UsageError
from cnnstat.render.compare import COLUMNS

if TYPE_CHECKING:
    from cnnstat.api import ModelComparison
    from cnnstat.count.compare import Entry
    from cnnstat.render.compare import Rate
    from cnnstat.render.document import Document

KEYS = tuple(entry.column.key for entry in COLUMNS)
EXAMPLES = (
    "cnnstat compare alexnet vgg16 resnet50 --baseline alexnet",
    "cnnstat compare mobilenet --input 128,160,192,224",
    "cnnstat compare resnet50 resnet50-v1.5 --diff",
    "cnnstat compare old.json samples/tiny.yaml --diff --limit 'macs_ratio < 1.05' -f md",
)


def compare(
    models: Annotated[
        list[str] | None,
        argument(
            "MODEL", f"The models, each {REFERENCE}.", default="a line-up in historical order"
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        option(
            *("--input", "-i"),
            group=MODEL,
            metavar="SHAPES",
            help="Inputs without the batch, comma-separated: 224, 3x224x224 or 128,160,192; "
            "NAME=SHAPES for each of several inputs.",
            default="each model's own",
        ),
    ] = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    *,
    convention: ConventionOption = "paper",
    accuracy: AccuracyOption = None,
    baseline: Annotated[
        str | None,
        option(
            "--baseline",
            group=TABLE,
            metavar="MODEL",
            help="Add the ratio of each figure to this model's; MODEL@224 for one of several "
            "inputs.",
            default="no ratios",
            complete=complete_model,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        option(
            *("--columns", "-c"),
            group=TABLE,
            metavar="KEYS",
            help=f"Columns, comma-separated: {', '.join(KEYS)}.",
            complete=continuing(lambda: KEYS),
        ),
    ] = None,
    sort: Annotated[
        str | None,
        option(
            "--sort",
            group=TABLE,
            metavar="KEY",
            help=f"Sort by {', '.join(SORT_KEYS)}; figures largest first.",
            default="as named",
            complete=starting(lambda: SORT_KEYS),
        ),
    ] = None,
    stages: Annotated[
        bool, option("--stages", group=TABLE, help="Show one row per stage, as papers do.")
    ] = False,
    diff: Annotated[
        bool,
        option("--diff", group=TABLE, help="Compare two models layer by layer, changes marked."),
    ] = False,
    limit: LimitOption = None,
    verbose: VerboseOption = False,
    result: Result,
) -> None:
    """Compare depth, parameters, work, memory and error rates of models."""
    from cnnstat import api
    from cnnstat.api.accuracy import read_accuracy
    from cnnstat.cli.output import emit

    to = result.destination(verbose=verbose)
    limits = limits_of(limit, "compare", has_baseline=diff or baseline is not None)
    inputs = input_sweep(input)
    names = models or []
    if stages or diff:
        _check_alone(stages=stages, diff=diff, others=(baseline, sort, columns))
        _check_models(names, inputs, stages=stages)
    own = None if accuracy is None else read_accuracy(accuracy)
    compared = api.compare(
        *names,
        inputs=inputs,
        batch=batch,
        arguments=factory_arguments(args),
        convention=convention,
        accuracy=own,
        baseline=baseline,
        sort=sort,
    )
    if diff:
        compared = compared.relative_to(compared.entries[0])
    if own is not None:
        warn_unused(own, [(entry.name, entry.reference) for entry in compared.entries])
    document = _document(
        compared, columns, stages=stages, diff=diff, rate=None if own is None else own.kind
    )
    emit(document, to)
    exit_unmet(limits, compared.comparison.without_baseline() if diff else compared.comparison)


def _document(
    compared: ModelComparison,
    columns: str | None,
    *,
    stages: bool,
    diff: bool,
    rate: Rate | None,
) -> Document:
    if stages:
        return _stages(compared.entries)
    if diff:
        return _diff(compared)
    from cnnstat.render.compare import compare_document

    return compare_document(
        compared.comparison, columns=columns, quoted=compared.quoted, rate=rate or "error"
    )


def _check_alone(*, stages: bool, diff: bool, others: tuple[str | None, ...]) -> None:
    if stages and diff:
        raise UsageError("--stages and --diff are two different tables: choose one")
    name = "--stages" if stages else "--diff"
    for other, value in zip(("--baseline", "--sort", "--columns"), others, strict=True):
        if value is not None:
            raise UsageError(f"{other} has no meaning with {name}")


def _check_models(names: list[str], inputs: Sequence[object], *, stages: bool) -> None:
    name = "--stages" if stages else "--diff"
    if stages and not names:
        raise UsageError("--stages needs at least one MODEL, such as resnet18 resnet34-a resnet50")
    if not stages and len(names) != 2:
        named = f": {' '.join(names)}" if names else ""
        raise UsageError(f"--diff compares two models, got {len(names)}{named}")
    if len(inputs) > 1:
        raise UsageError(f"{name} takes one --input, got {len(inputs)}")


def _stages(entries: tuple[Entry, ...]) -> Document:
    from cnnstat.api.reports import papers_macs
    from cnnstat.count.stages import stage_table
    from cnnstat.render.stages import stages_document

    table = stage_table([(entry.name, entry.report) for entry in entries])
    return stages_document(table, papers_macs(entries))


def _diff(compared: ModelComparison) -> Document:
    from cnnstat.count.diff import diff
    from cnnstat.render.diff import diff_document

    left, right = compared.entries
    return diff_document(compared.comparison, diff(left.report, right.report))
