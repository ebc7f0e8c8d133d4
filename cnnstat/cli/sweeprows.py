"""The way of a sweep's rows: into a file as they come, or to standard output in one piece."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import typer

from cnnstat.cli.output import Destination, remark
from cnnstat.cli.progress import progress
from cnnstat.cli.status import INTERRUPTED
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnstat.api.sweepfiles import Target
    from cnnstat.sweep.engine import Engine
    from cnnstat.sweep.run import Run
    from cnnstat.sweep.selection import Choice


def target_of(
    format: str | None, output: str | None, resume: str | None, choice: Choice, bare: bool
) -> Target | Destination:
    """Return the file that rows stream into, or where the result goes in one piece."""
    from cnnstat.api.sweepfiles import Target, resumed
    from cnnstat.cli.output import destination, file_of

    if resume is not None:
        output = resumed(resume, output)
    path = file_of(output)
    if format == "parquet" or (format is None and (path or "").lower().endswith(".parquet")):
        from cnnstat.render.as_parquet import require_pyarrow

        require_pyarrow()
        if path is None:
            raise UsageError("Parquet needs a file: add -o FILE.parquet")
        return Target(path, "parquet", choice, _finish("parquet", path, bare))
    to = destination(format, output, bare=bare)
    if path is None or (os.path.exists(path) and not os.path.isfile(path)):
        return to  # a device or a pipe takes the result in one piece, as standard output does
    return Target(path, to.format, choice, _finish(to.format, path, bare))


def _finish(
    format: str, path: str, bare: bool
) -> Callable[[Run, Iterable[Mapping[str, object]]], None]:
    def finish(run: Run, rows: Iterable[Mapping[str, object]]) -> None:
        if format == "parquet":
            from cnnstat.render.as_parquet import write_parquet

            write_parquet(path, rows, run.plan)
            return
        from cnnstat.cli.output import emit
        from cnnstat.render.sweep import sweep_document

        emit(sweep_document(run, list(rows), format), Destination(format, path, bare))

    return finish


def execute(
    run: Run,
    target: Target | Destination,
    choice: Choice,
    engine: AbstractContextManager[Engine] | None,
    *,
    resume: str | None,
) -> None:
    """Run into a file or onto standard output; say how to continue where it is cut off."""
    from cnnstat.api.sweepfiles import into_file
    from cnnstat.sweep.engine import WorkersLostError

    with _progress(run) as tell:
        if isinstance(target, Destination):
            _in_one_piece(run, choice, engine, target, tell)
            return
        if resume is not None and os.path.realpath(resume) != os.path.realpath(target.stream):
            raise UsageError(
                f"--resume {resume}: with this format and these options, a run continues from "
                f"{target.stream}"
            )
        try:
            into_file(run, target, engine, resume=resume is not None, tell=tell)
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


def _in_one_piece(
    run: Run,
    choice: Choice,
    engine: AbstractContextManager[Engine] | None,
    to: Destination,
    tell: Callable[[Run], None],
) -> None:
    from cnnstat.cli.output import emit
    from cnnstat.render.sweep import sweep_document
    from cnnstat.sweep.rows import row_data
    from cnnstat.sweep.selection import Selection

    selection = Selection(choice, run.plan.space)
    interrupted = False
    try:
        for batch in run.batches(engine):
            selection.extend(row_data(row, run.plan) for row in batch.rows)
            tell(run)
    except KeyboardInterrupt:
        interrupted = True
    emit(sweep_document(run, selection.rows(), to.format), to)
    if interrupted:
        remark("interrupted: these are the rows so far")
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _progress(run: Run) -> Iterator[Callable[[Run], None]]:
    """Show a bar on a terminal's standard error; elsewhere nothing."""
    import sys

    if not sys.stderr.isatty():
        yield lambda run: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    progress.stop()  # this display takes the place of the general one
    sample = run.plan.sample
    with Progress(
        TextColumn("sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s  {task.fields[kept]:,} kept"),
        TextColumn("{task.fields[failed]:,} failed"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=sample or run.plan.space.size, rate="-", kept=0, failed=0)

        def tell(run: Run) -> None:
            counts = run.counts
            done = counts.evaluated if sample else counts.next or 0
            speed = bar.tasks[0].speed or 0
            bar.update(
                task,
                completed=done,
                rate=f"{speed:,.0f}",
                kept=counts.kept,
                failed=counts.failed,
            )

        yield tell
