"""``cnnstat sweep MODEL NAME=VALUES ...``: the figures of every model of a space."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import typer

from cnnstat.cli.memory import OPTIONS as MEMORY_OPTIONS
from cnnstat.cli.options import OUTPUT, TABLE, argument, at_least_one, continuing, option
from cnnstat.cli.output import Destination, destination, emit, file_of, remark
from cnnstat.cli.progress import progress
from cnnstat.cli.status import INTERRUPTED
from cnnstat.errors import UsageError
from cnnstat.render.formats import FORMATS
from cnnstat.sweep.columns import BY_KEY, DEFAULT

if TYPE_CHECKING:
    from cnnstat.api.sweepstream import Target
    from cnnstat.sweep.cluster import Source
    from cnnstat.sweep.engine import Engine
    from cnnstat.sweep.plan import Plan
    from cnnstat.sweep.run import Run
    from cnnstat.sweep.selection import Choice

SPACE, ENGINE = "Space", "Engine"
OPTIONS = {
    "model": argument(
        "MODEL",
        "A name with placeholders (wrn-{depth}-{width}), a spec file, file.py:callable, "
        "timm:NAME, or a YAML file of a space.",
    ),
    "values": argument(
        "[NAME=VALUES]...",
        "Values of a placeholder, parameter or argument, of input, input.NAME, batch, dtype or "
        "classes: 16,24,32, range(start,stop,step) or choice(relu,silu).",
        complete=None,
    ),
    "input": option(
        SPACE,
        "--input -i SHAPES",
        "The same as input=SHAPES; NAME=SHAPES is input.NAME=SHAPES, for each of several "
        "inputs: image=3x64x64,3x96x96, label=int64:, tokens=@FILE.npy.",
        "the model's own",
    ),
    "batch": option(SPACE, "--batch -b N", "The same as batch=N."),
    "sample": option(SPACE, "--sample N", "Draw N valid models at random."),
    "seed": option(SPACE, "--seed S", "Seed of --sample."),
    "every": option(SPACE, "--all", "Confirm a space of more than 10 million points."),
    "mode": MEMORY_OPTIONS["mode"],
    "optimizer": MEMORY_OPTIONS["optimizer"],
    "where": option(
        TABLE,
        "--where -w CONDITION",
        "Keep the models that meet a condition: 'params < 5M and macs < 600M'.",
        "all models",
    ),
    "columns": option(
        TABLE,
        "--columns -c KEYS",
        "Columns, comma-separated; +KEYS adds to the default, all shows every column: "
        f"{', '.join(BY_KEY)}.",
        ",".join(DEFAULT),
        continuing(lambda: BY_KEY),
    ),
    "pareto": option(
        TABLE,
        "--pareto KEYS",
        "Keep the models that no other dominates: less is better, or more with a minus "
        "(-depth,macs).",
    ),
    "sort": option(
        TABLE,
        "--sort KEYS",
        "Smallest first, or largest first with a minus (-macs).",
        "the order of the space",
    ),
    "top": option(TABLE, "--top N", "Keep the first N rows."),
    "workers": option(ENGINE, "--workers -j N", "Processes of this machine.", "one for each core"),
    "dask": option(
        ENGINE,
        "--dask ADDRESS",
        "A Dask scheduler (tcp://host:8786), or local (needs distributed).",
    ),
    "resume": option(
        OUTPUT,
        "--resume FILE",
        "Continue an earlier run, after the rows that are already in FILE.",
    ),
    "format": option(
        OUTPUT,
        "--format -f NAME",
        f"{', '.join(FORMATS)} or parquet.",
        "by the suffix of -o, else table",
    ),
}
EXAMPLES = (
    "cnnstat sweep 'wrn-{depth}-{width}' 'depth=range(10,41,6)' width=1,2,4 --where 'params < 5M'",
    "cnnstat sweep samples/scaled.yaml 'width=range(16,65,8)' input=160,192 --pareto macs,-depth",
    "cnnstat sweep samples/small_net.py:SmallNet width=16,32 input=32 -o space.csv",
)


def sweep(
    model: str,
    values: list[str] | None = None,
    input: list[str] | None = None,
    batch: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    every: bool = False,
    mode: str = "inference",
    optimizer: str | None = None,
    where: str | None = None,
    columns: str | None = None,
    pareto: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    workers: int | None = None,
    dask: str | None = None,
    resume: str | None = None,
    format: str | None = None,
    output: str | None = None,
    bare: bool = False,
) -> None:
    """Count every model of a design space; filter, sort and compare the results."""
    from cnnstat.api.points import evaluate
    from cnnstat.api.sweeping import check_size, make_plan
    from cnnstat.api.sweepstream import Target, resumed
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
    path = output if resume is None else resumed(resume, output)
    to = _destination(format, path, bare=bare)
    check_size(plan, confirmed=every, workers=count)
    engine = _engine(plan, count, dask)
    if to.path is None or (os.path.exists(to.path) and not os.path.isfile(to.path)):
        _in_one_piece(run, choice, engine, to)  # a device or a pipe too
    else:
        _into_file(run, Target(to.path, to.format, choice), engine, to, resume)
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
    from cnnstat.sweep.pool import pool

    return pool(workers)


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


def _destination(format: str | None, output: str | None, *, bare: bool) -> Destination:
    path = file_of(output)
    if format != "parquet" and (format or not (path or "").lower().endswith(".parquet")):
        return destination(format, output, bare=bare)
    from cnnstat.render.as_parquet import require_pyarrow

    require_pyarrow()
    if path is None:
        raise UsageError("Parquet needs a file: add -o FILE.parquet")
    return Destination("parquet", path, bare)


def _write(run: Run, rows: Iterable[Mapping[str, object]], to: Destination) -> None:
    if to.format == "parquet":
        from cnnstat.render.as_parquet import write_parquet

        write_parquet(to.path or "", rows, run.plan)
        return
    from cnnstat.render.sweep import sweep_document

    emit(sweep_document(run, list(rows), to.format), to)


def _in_one_piece(
    run: Run, choice: Choice, engine: AbstractContextManager[Engine] | None, to: Destination
) -> None:
    """Write the rows that are shown when all are known, or those so far at an interrupt."""
    from cnnstat.sweep.rows import row_data
    from cnnstat.sweep.selection import Selection

    selection, tell = Selection(choice, run.plan.space), _teller()
    interrupted = False
    try:
        for batch in run.batches(engine):
            selection.extend(row_data(row, run.plan) for row in batch.rows)
            tell(run)
    except KeyboardInterrupt:
        interrupted = True
    _write(run, selection.rows(), to)
    if interrupted:
        remark("interrupted: these are the rows so far")
        raise typer.Exit(INTERRUPTED)


def _into_file(
    run: Run,
    target: Target,
    engine: AbstractContextManager[Engine] | None,
    to: Destination,
    resume: str | None,
) -> None:
    """Stream rows into a file; say how to continue where it is cut off."""
    from cnnstat.api.sweepstream import chosen_rows, stream
    from cnnstat.sweep.engine import WorkersLostError

    if resume is not None and os.path.realpath(resume) != os.path.realpath(target.stream):
        raise UsageError(
            f"--resume {resume}: with this format and these options, a run continues from "
            f"{target.stream}"
        )
    try:
        stream(run, target, engine, resume=resume is not None, tell=_teller())
        if not target.direct:
            _write(run, chosen_rows(run, target), to)
            os.unlink(target.stream)
    except KeyboardInterrupt:
        remark(f"interrupted: {_hint(run, target, resume)}")
        raise typer.Exit(INTERRUPTED) from None
    except WorkersLostError as error:
        raise WorkersLostError(f"{error}; {_hint(run, target, resume)}") from error


def _hint(run: Run, target: Target, resume: str | None) -> str:
    if not run.counts.next and resume is None:
        return "no model was counted, nothing was written"
    return (
        f"{target.stream} holds {run.counts.kept + run.counts.failed:,} rows; continue with the "
        f"same command and --resume {target.stream}"
    )


def _teller() -> Callable[[Run], None]:
    """Return what shows how far a run is, with the points of a second since it began."""
    begun: tuple[float, int] | None = None

    def tell(run: Run) -> None:
        nonlocal begun
        counts, sample = run.counts, run.plan.sample
        done = (counts.evaluated if sample else counts.next) or 0
        since, start = begun = begun or (time.monotonic(), done)
        rate = (done - start) / max(time.monotonic() - since, 1e-6)
        label = f"{rate:,.0f}/s  {counts.kept:,} kept  {counts.failed:,} failed"
        progress.step(done, sample or run.plan.space.size, label)

    return tell
