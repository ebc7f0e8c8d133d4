"""Progress on standard error: shown on a terminal once a command has taken two seconds.

``app`` watches every command; a command with several steps names each with ``step``. The display
leaves before a result is written, and never appears in a pipe or a file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DELAY_S = 2.0

IDLE: dict[str, Any] = {"description": "", "completed": 0, "total": None}
"""A command before its first step."""


class Progress:
    """The display of one process: a bar with the steps, their number and the time taken."""

    def __init__(self) -> None:
        self._timer: Any = None
        self._bar: Any = None
        self._task: Any = None
        self._state = dict(IDLE)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show the display while the block runs, if it runs long enough on a terminal."""
        if sys.stderr is None or not sys.stderr.isatty():
            yield
            return
        from threading import Timer

        self._state = dict(IDLE)
        self._timer = Timer(DELAY_S, self._show)
        self._timer.daemon = True
        self._timer.start()
        try:
            yield
        finally:
            self.stop()

    def step(self, place: int, count: int, label: str) -> None:
        """Say that step ``place`` of ``count`` (from 0) begins."""
        self._state = {"description": label, "completed": place, "total": count}
        if self._bar is not None:
            self._bar.update(self._task, **self._state)

    @property
    def is_shown(self) -> bool:
        """Whether the display is on the terminal."""
        return self._bar is not None

    def stop(self) -> None:
        """Take the display away for good: a result or an error follows."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show(self) -> None:
        from rich import progress
        from rich.console import Console

        bar = progress.Progress(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            console=Console(stderr=True),
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = bar.add_task(**self._state)
        self._bar = bar
        bar.update(self._task, **self._state)  # a step may have begun meanwhile
        bar.start()


progress = Progress()
"""The display of this process."""
