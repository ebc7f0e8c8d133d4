"""``cnnstat sweep MODEL NAME=VALUES ...``: the figures of every model of a space."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

from cnnstat.cli.memory import ModeOption, OptimizerOption
from cnnstat.cli.options import (
    OUTPUT,
    BareOption,
    OutputOption,
    argument,
    at_least_one,
    continuing,
    option,
)
from cnnstat.cli.output import remark
from cnnstat.cli.sweeprows import execute, target_of
from cnnstat.errors import UsageError
from cnnstat.render.formats import FORMATS
from cnnstat.sweep.columns import BY_KEY, DEFAULT

if TYPE_CHECKING:
    from cnnstat.sweep.cluster import Source
    from cnnstat.sweep.engine import Engine
    from cnnstat.sweep.plan import Plan

SPACE, ROWS, ENGINE = "Space", "Rows and columns", "Engine"
EXAMPLES = (
    "cnnstat sweep 'wrn-{depth}-{width}' 'depth=range(10,41,6)' width=1,2,4 --where 'params < 5M'",
    "cnnstat sweep samples/scaled.yaml 'width=range(16,65,8)' input=160,192 --pareto macs,-depth",
    "cnnstat sweep samples/small_net.py:SmallNet width=16,32 input=32 -o space.csv",
)


def sweep(
    model: Annotated[
        str,
        argument(
            "MODEL",
            "A name with placeholders (wrn-{depth}-{width}), a spec file, file.py:callable, "
            "timm:NAME, or a YAML file of a space.",
        ),
    ],
    values: Annotated[
        list[str] | None,
        argument(
            "[NAME=VALUES]...",
            "Values of a placeholder, parameter or argument, of input, input.NAME, batch, dtype or "
            "classes: 16,24,32, range(start,stop,step) or choice(relu,silu).",
            complete=None,
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        option(
            *("--input", "-i"),
            group=SPACE,
            metavar="SHAPES",
            help="The same as input=SHAPES; NAME=SHAPES is input.NAME=SHAPES, for each of several "
            "inputs: image=3x64x64,3x96x96, label=int64:, tokens=@FILE.npy.",
            default="the model's own",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        option(*("--batch", "-b"), group=SPACE, metavar="N", help="The same as batch=N."),
    ] = None,
    sample: Annotated[
        int | None,
        option("--sample", group=SPACE, metavar="N", help="Draw N valid models at random."),
    ] = None,
    seed: Annotated[int, option("--seed", group=SPACE, metavar="S", help="Seed of --sample.")] = 0,
    every: Annotated[
        bool, option("--all", group=SPACE, help="Confirm a space of more than 10 million points.")
    ] = False,
    mode: ModeOption = "inference",
    optimizer: OptimizerOption = None,
    where: Annotated[
        str | None,
        option(
            *("--where", "-w"),
            group=ROWS,
            metavar="CONDITION",
            help="Keep the models that meet a condition: 'params < 5M and macs < 600M'.",
            default="all models",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        option(
            *("--columns", "-c"),
            group=ROWS,
            metavar="KEYS",
            help="Columns, comma-separated; +KEYS adds to the default, all shows every column: "
            f"{', '.join(BY_KEY)}.",
            default=",".join(DEFAULT),
            complete=continuing(lambda: BY_KEY),
        ),
    ] = None,
    pareto: Annotated[
        str | None,
        option(
            "--pareto",
            group=ROWS,
            metavar="KEYS",
            help="Keep the models that no other dominates: less is better, or more with a minus "
            "(-depth,macs).",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        option(
            "--sort",
            group=ROWS,
            metavar="KEYS",
            help="Smallest first, or largest first with a minus (-macs).",
            default="the order of the space",
        ),
    ] = None,
    top: Annotated[
        int | None, option("--top", group=ROWS, metavar="N", help="Keep the first N rows.")
    ] = None,
    workers: Annotated[
        int | None,
        option(
            *("--workers", "-j"),
            group=ENGINE,
            metavar="N",
            help="Processes of this machine.",
            default="one for each core",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        option(
            "--dask",
            group=ENGINE,
            metavar="ADDRESS",
            help="A Dask scheduler (tcp://host:8786), or local (needs distributed).",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        option(
            "--resume",
            group=OUTPUT,
            metavar="FILE",
            help="Continue an earlier run, after the rows that are already in FILE.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        option(
            *("--format", "-f"),
            group=OUTPUT,
            metavar="NAME",
            help=f"{', '.join(FORMATS)} or parquet.",
            default="by the suffix of -o, else table",
        ),
    ] = None,
    output: OutputOption = None,
    bare: BareOption = False,
) -> None:
    """Count every model of a design space; filter, sort and compare the results."""
    from cnnstat.api.points import evaluate
    from cnnstat.api.sweeping import check_size, make_plan
    from cnnstat.render.sweep import outcome_line
    from cnnstat.sweep.run import Run
    from cnnstat.sweep.selection import Choice, rankings, shadowed

    gc.enable()  # `main` leaves garbage alone; thousands of modules would fill the memory
    model, axes, where = _space(model, values or [], where)
    for name, each in _options(input or [], batch):
        if name in axes:
            option_name = f"--{name.partition('.')[0]}"
            raise UsageError(f"{name} is given twice: by {option_name} and by {name}=")
        axes[name] = each
    choice = Choice(rankings(pareto), rankings(sort), at_least_one("top", top))
    plan = make_plan(
        model,
        axes,
        where=where,
        columns=columns,
        mode=mode,
        optimizer=optimizer,
        sample=sample,
        seed=seed,
        choice=choice,
    )
    for name in shadowed(plan, choice):
        remark(f"{name} is a parameter of this space; the figure of that name is figures.{name}")
    run = Run(plan, evaluate, begins_here=dask is None)
    count = at_least_one("workers", workers) or os.cpu_count() or 1
    target = target_of(format, output, resume, choice, bare)
    check_size(plan, confirmed=every, workers=count)
    execute(run, target, choice, _engine(plan, count, dask), resume=resume)
    remark(outcome_line(run))


def _space(
    model: str, texts: list[str], where: str | None
) -> tuple[str, dict[str, Any], str | None]:
    """Return reference, axes and condition; a file of a space comes first, the line adds to it."""
    axes: dict[str, Any] = {}
    if model.lower().endswith((".yaml", ".yml")) and "{" not in model:
        from cnnstat.importers.spec.space import read_space

        stated = read_space(model)
        if stated is not None:
            model, axes, where = stated.model, dict(stated.values), where or stated.where
    names: set[str] = set()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{text!r}: write values as name=16,24,32")
        if name in names:
            raise UsageError(f"{name}: values are given twice")
        names.add(name)
        axes[name.strip()] = value
    return model, axes, where


def _options(inputs: list[str], batch: int | None) -> Iterable[tuple[str, Any]]:
    """Yield the axes that options state, and their values."""
    names = set()
    for text in inputs:
        name, equals, shapes = text.partition("=")
        axis = f"input.{name}" if equals else "input"
        if (equals and not name) or axis in names:
            raise UsageError(
                f"--input {text!r}: write several inputs as name=3x224x224, each name once"
            )
        names.add(axis)
        yield axis, shapes if equals else text
    if batch is not None:
        yield "batch", [batch]


def _engine(plan: Plan, workers: int, dask: str | None) -> AbstractContextManager[Engine] | None:
    if dask is not None:
        from cnnstat.sweep.cluster import cluster

        return cluster(dask, workers=workers, source=_source(plan.space.reference))
    if workers == 1:
        return None
    from cnnstat.sweep.pool import Pool

    return Pool(workers)


def _source(reference: str) -> Source | None:
    """Return what workers on other machines must have of the user's own."""
    from cnnstat.importers.reference import LIBRARIES, file_and_name, form_of
    from cnnstat.sweep.cluster import Source

    form = form_of(reference)
    library = reference.partition(":")[0].lower()
    if form == "zoo" or library in (*LIBRARIES, "keras"):
        return None
    file, name = file_and_name(reference)
    if form == "python" and not name:
        return Source(module=reference.partition(":")[0])
    return Source(file=file)
