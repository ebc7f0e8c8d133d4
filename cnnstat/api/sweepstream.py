"""A sweep into a file, so that whatever cuts it off leaves rows that can be read and continued.

JSON and CSV take the rows as they come. Every other form needs all of them: they stream into
``FILE.part``, which is JSON, and become FILE in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from cnnstat.api.points import skipped
from cnnstat.errors import UsageError
from cnnstat.sweep.engine import Engine
from cnnstat.sweep.rowfiles import CsvFile, JsonFile, RowFile, read_rows
from cnnstat.sweep.rows import as_lines
from cnnstat.sweep.run import Counts, Run
from cnnstat.sweep.selection import Choice, Selection

PART = ".part"
STREAMED: dict[str, type[RowFile]] = {"json": JsonFile, "csv": CsvFile}


@dataclass(frozen=True)
class Target:
    """Where rows go: ``path`` is the result, ``stream`` the file that they stream into."""

    path: str
    format: str
    choice: Choice

    @property
    def direct(self) -> bool:
        """Whether rows stream into the result itself."""
        return self.format in STREAMED and self.choice.everything

    @property
    def stream(self) -> str:
        """The file that rows stream into, and from which a run continues."""
        return self.path if self.direct else self.path + PART


def stream(
    run: Run,
    target: Target,
    engine: AbstractContextManager[Engine] | None,
    *,
    resume: bool,
    tell: Callable[[Run], None],
) -> None:
    """Run and write into the stream; ``tell`` is called after each batch.

    With ``resume`` the run continues after the rows of the stream. Raises ``UsageError`` where the
    stream is of another space or cannot be written; what it holds stays.
    """
    kind = STREAMED[target.format] if target.direct else JsonFile
    file: RowFile | None = None
    if resume:
        file = kind(target.stream, run.plan, resume=True)
        run.counts = replace(file.counts)
        if not file.counted:
            run.counts.skipped = skipped(run.plan, run.counts.next or 0)
            run.counts.evaluated = (run.counts.next or 0) - run.counts.skipped
            file.counts = replace(run.counts)
    run.evaluate = partial(as_lines, run.evaluate, kind.lines)
    try:
        for batch in run.batches(engine):
            if file is None and run.counts.evaluated:  # what fails before leaves an old file alone
                file = kind(target.stream, run.plan)
            if file is not None:
                file.append(batch.lines, run.counts)
            tell(run)
        if file is not None:
            file.append((), run.counts)
    except BaseException:  # the last batch may not be in the file
        run.counts = Counts() if file is None else replace(file.counts)
        raise
    finally:
        if file is not None:
            file.close()


def chosen_rows(run: Run, target: Target) -> Iterable[Mapping[str, object]]:
    """Return the rows of the stream that are shown."""
    if target.choice.everything:
        return read_rows(target.stream)
    selection = Selection(target.choice, run.plan.space)
    selection.extend(read_rows(target.stream))
    return selection.rows()


def resumed(path: str, output: str | None) -> str:
    """Return the result that a file to resume belongs to; raise ``UsageError`` where -o differs."""
    if not os.path.isfile(path):
        raise UsageError(f"cannot resume {path}: there is no such file")
    own = path.removesuffix(PART)
    if output is not None and os.path.realpath(output) != os.path.realpath(own):
        raise UsageError(f"--resume {path} continues with {own}; -o {output} is another file")
    return own
