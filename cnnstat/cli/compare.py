"""``cnnstat compare [MODEL ...]``: models side by side, as stages, or layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnstat.cli.convention import CONVENTION
from cnnstat.cli.limits import exit_unmet, limits_of
from cnnstat.cli.optionblocks import Result
from cnnstat.cli.options import (
    MODEL,
    REFERENCE,
    TABLE,
    argument,
    complete_model,
    continuing,
    factory_arguments,
    input_sweep,
    option,
    starting,
)
from cnnstat.cli.output import emit, remark
from cnnstat.count.compare import SORT_KEYS
from cnnstat.errors import UsageError
from cnnstat.render.compare import COLUMNS

if TYPE_CHECKING:
    from cnnstat.api import ModelComparison
    from cnnstat.render.document import Document

KEYS = tuple(column.key for column in COLUMNS)
OPTIONS = {
    "models": argument("MODEL", f"The models, each {REFERENCE}.", "a line-up in historical order"),
    "input": option(
        MODEL,
        "--input -i SHAPES",
        "Inputs without the batch, comma-separated: 224, 3x224x224 or 128,160,192; "
        "NAME=SHAPES for each of several inputs.",
        "each model's own",
    ),
    "convention": CONVENTION,
    "baseline": option(
        TABLE,
        "--baseline MODEL",
        "Add the ratio of each figure to this model's; MODEL@224 for one of several inputs.",
        "no ratios",
        complete_model,
    ),
    "columns": option(
        TABLE,
        "--columns -c KEYS",
        f"Columns, comma-separated: {', '.join(KEYS)}.",
        complete=continuing(lambda: KEYS),
    ),
    "sort": option(
        TABLE,
        "--sort KEY",
        f"Sort by {', '.join(SORT_KEYS)}; figures largest first.",
        "as named",
        starting(lambda: SORT_KEYS),
    ),
    "stages": option(TABLE, "--stages", "Show one row per stage, as papers do."),
    "diff": option(TABLE, "--diff", "Compare two models layer by layer, changes marked."),
}
EXAMPLES = (
    "cnnstat compare alexnet vgg16 resnet50 --baseline alexnet",
    "cnnstat compare mobilenet --input 128,160,192,224",
    "cnnstat compare resnet50 resnet50-v1.5 --diff",
    "cnnstat compare old.json samples/tiny.yaml --diff --limit 'macs_ratio < 1.05' -f md",
)


def compare(
    models: list[str] | None = None,
    input: list[str] | None = None,
    args: str | None = None,
    batch: int = 1,
    *,
    convention: str = "paper",
    accuracy: str | None = None,
    baseline: str | None = None,
    columns: str | None = None,
    sort: str | None = None,
    stages: bool = False,
    diff: bool = False,
    limit: list[str] | None = None,
    verbose: bool = False,
    result: Result,
) -> None:
    """Compare depth, parameters, work, memory and error rates of models."""
    from cnnstat import api
    from cnnstat.api.useraccuracy import read_accuracy
    from cnnstat.render.compare import compare_document

    to = result.destination(verbose=verbose)
    limits = limits_of(limit, "compare", has_baseline=diff or baseline is not None)
    inputs = input_sweep(input)
    names = models or []
    if stages and diff:
        raise UsageError("--stages and --diff are two different tables: choose one")
    if stages or diff:
        others = {"--baseline": baseline, "--sort": sort, "--columns": columns}
        _check_table("--stages" if stages else "--diff", names, inputs, others)
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
    if own is not None and (unused := own.unused(compared.names)):
        remark(unused)
    if stages:
        document = _stages(compared)
    elif diff:
        compared = compared.relative_to(compared.entries[0])
        document = _diff(compared)
    else:
        document = compare_document(
            compared.comparison,
            columns=columns,
            quoted=compared.quoted,
            rate=own.kind if own else "error",
        )
    emit(document, to)
    exit_unmet(limits, compared.comparison.without_baseline() if diff else compared.comparison)


def _check_table(
    name: str, models: list[str], inputs: Sequence[object], others: dict[str, str | None]
) -> None:
    """Raise ``UsageError`` for models and options that ``--stages`` or ``--diff`` do not take."""
    for other, value in others.items():
        if value is not None:
            raise UsageError(f"{other} has no meaning with {name}")
    if name == "--stages" and not models:
        raise UsageError("--stages needs at least one MODEL, such as resnet18 resnet34-a resnet50")
    if name == "--diff" and len(models) != 2:
        named = f": {' '.join(models)}" if models else ""
        raise UsageError(f"--diff compares two models, got {len(models)}{named}")
    if len(inputs) > 1:
        raise UsageError(f"{name} takes one --input, got {len(inputs)}")


def _stages(compared: ModelComparison) -> Document:
    from cnnstat.api.reports import papers_macs
    from cnnstat.count.stages import stage_table
    from cnnstat.render.stages import stages_document

    table = stage_table([(entry.name, entry.report) for entry in compared.entries])
    return stages_document(table, papers_macs(compared.entries))


def _diff(compared: ModelComparison) -> Document:
    from cnnstat.count.compare import diff
    from cnnstat.render.diff import diff_document

    left, right = compared.entries
    return diff_document(compared.comparison, diff(left.report, right.report))
