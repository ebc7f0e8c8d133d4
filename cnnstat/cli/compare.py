"""``cnnstat compare [MODEL ...]``: models side by side, as stages, or layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.options import (
    MODEL,
    REFERENCE,
    TABLE,
    BareOption,
    BatchOption,
    FormatOption,
    OutputOption,
    VerboseOption,
    argument,
    complete_model,
    continuing,
    input_shape,
    option,
    starting,
)
from cnnstat.count.compare import MEASURES
from cnnstat.errors import UsageError
from cnnstat.render.compare import COLUMNS

if TYPE_CHECKING:
    from cnnstat.render.document import Document

SORT_KEYS = ("name", "year", *MEASURES)
KEYS = tuple(entry.column.key for entry in COLUMNS)
EXAMPLES = (
    "cnnstat compare alexnet vgg16 resnet50 --baseline alexnet",
    "cnnstat compare mobilenet --input 128,160,192,224",
    "cnnstat compare resnet50 resnet50-v1.5 --diff",
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
            help="Inputs without the batch, comma-separated: 224, 3x224x224 or 128,160,192.",
            default="each model's own",
        ),
    ] = None,
    batch: BatchOption = 1,
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
    format: FormatOption = None,
    bare: BareOption = False,
    verbose: VerboseOption = False,
    output: OutputOption = None,
) -> None:
    """Compare depth, parameters, work, memory and error rates of models."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.compare import compare_document

    to = destination(format, output, bare=bare, verbose=verbose)
    inputs = input_sweep(input)
    names = models or []
    if stages or diff:
        _check_alone(stages=stages, diff=diff, others=(baseline, sort, columns))
        document = _stages(names, inputs, batch) if stages else _diff(names, inputs, batch)
    else:
        compared = api.compare(*names, inputs=inputs, batch=batch, baseline=baseline, sort=sort)
        document = compare_document(compared.comparison, columns=columns, quoted=compared.quoted)
    emit(document, to)


def input_sweep(texts: list[str] | None) -> tuple[tuple[int, ...] | None, ...]:
    """Read ``128,160,192`` and repeated options as shapes; nothing is each model's own input."""
    pieces = [piece.strip() for text in texts or () for piece in text.split(",")]
    return tuple(dict.fromkeys(input_shape(piece) for piece in pieces)) or (None,)


def _check_alone(*, stages: bool, diff: bool, others: tuple[str | None, ...]) -> None:
    if stages and diff:
        raise UsageError("--stages and --diff are two different tables: choose one")
    name = "--stages" if stages else "--diff"
    for other, value in zip(("--baseline", "--sort", "--columns"), others, strict=True):
        if value is not None:
            raise UsageError(f"{other} has no meaning with {name}")


def _one_input(name: str, inputs: tuple[tuple[int, ...] | None, ...]) -> tuple[int, ...] | None:
    if len(inputs) > 1:
        raise UsageError(f"{name} takes one --input, got {len(inputs)}")
    return inputs[0]


def _stages(models: list[str], inputs: tuple[tuple[int, ...] | None, ...], batch: int) -> Document:
    from cnnstat import api
    from cnnstat.api.reports import papers_macs
    from cnnstat.count.stages import stage_table
    from cnnstat.render.stages import stages_document

    if not models:
        raise UsageError("--stages needs at least one MODEL, such as resnet18 resnet34-a resnet50")
    shape = _one_input("--stages", inputs)
    entries = api.compare(*models, inputs=(shape,), batch=batch).entries
    table = stage_table([(entry.name, entry.report) for entry in entries])
    return stages_document(table, papers_macs(entries))


def _diff(models: list[str], inputs: tuple[tuple[int, ...] | None, ...], batch: int) -> Document:
    from cnnstat import api
    from cnnstat.count.diff import diff
    from cnnstat.render.diff import diff_document

    if len(models) != 2:
        named = f": {' '.join(models)}" if models else ""
        raise UsageError(f"--diff compares two models, got {len(models)}{named}")
    shape = _one_input("--diff", inputs)
    compared = api.compare(*models, inputs=(shape,), batch=batch, baseline=models[0])
    left, right = compared.entries
    return diff_document(compared.comparison, diff(left.report, right.report))
