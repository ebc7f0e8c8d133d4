"""Files that rows stream into, and from which a run that was cut off goes on.

The JSON file is complete after every step: new rows and a new end are written over the old end in
one go, and where that fails (a full disk) the old end is put back. A CSV file is cut off after its
last row. Both tell the position of the last row, so that a further run begins after it.
"""

from __future__ import annotations

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import takewhile
from typing import IO, NamedTuple

from cnnstat.errors import UsageError
from cnnstat.sweep.plan import Plan, Row
from cnnstat.sweep.rows import Lines, csv_header, csv_lines, json_lines
from cnnstat.sweep.run import Counts

SCHEMA = "cnnstat.sweep/1"
MAX_END = 2_000
"""Longest end of a file, from which its counts are read."""


class _State(NamedTuple):
    """Progress of a file: its counts, the end of its complete rows, whether there are none yet.

    ``counted``: the counts tell every model, those that have no row as well.
    """

    counts: Counts
    good: int = 0
    empty: bool = True
    counted: bool = True


class RowFile(ABC):
    """An open file that takes rows as lines of its format; the first ``good`` bytes are complete.

    With ``resume`` it continues after the rows that it has. Where not ``counted``, the counts leave
    out models that were evaluated and have no row.
    """

    lines: Lines

    def __init__(self, path: str, plan: Plan, *, resume: bool = False) -> None:
        head, state = self._head(plan).encode(), _State(Counts())
        if resume:
            with _open(path) as file:  # cut off before its first row, a run begins anew
                resume = not head.startswith(file.read(len(head) + 1))
                file.seek(0)
                state = self._progress(path, plan, file) if resume else state
        self.path = path
        self.counts, self._good, self._empty, self.counted = state
        try:
            flags = os.O_RDWR | os.O_CREAT | (0 if resume else os.O_TRUNC)
            self._file = os.open(path, flags, 0o666)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        if not resume:
            self._write(head, self._end(), b"")

    @staticmethod
    @abstractmethod
    def _head(plan: Plan) -> str:
        """Return what is in front of the first row."""

    @staticmethod
    @abstractmethod
    def _progress(path: str, plan: Plan, file: IO[bytes]) -> _State:
        """Return the progress of a file; raise ``UsageError`` for one of another run."""

    def _glue(self, lines: tuple[str, ...]) -> str:
        return "".join(lines)

    def _end(self) -> bytes:
        return b""

    def append(self, lines: tuple[str, ...], counts: Counts) -> None:
        """Write rows; ``counts`` are those with them.

        Raises ``UsageError`` where that fails, and leaves the rows before.
        """
        old, before = self._end(), self.counts
        self.counts = replace(counts)
        try:
            self._write(self._glue(lines).encode(), self._end(), old)
        except BaseException:
            self.counts = before
            raise
        self._empty = self._empty and not lines

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, rows: bytes, end: bytes, old_end: bytes) -> None:
        """Write rows and an end after the rows before; put ``old_end`` there if that fails.

        The old end has room in the file already, so that a full disk cannot refuse it.
        """
        try:
            self._put(rows + end)
        except BaseException as error:  # an interrupt as well
            self._put(old_end)
            if not isinstance(error, OSError):
                raise
            raise UsageError(
                f"cannot write {self.path}: {error.strerror}; its rows can be read: make "
                f"room, then go on with the same command and --resume {self.path}"
            ) from error
        self._good += len(rows)

    def _put(self, content: bytes) -> None:
        """Replace everything after the complete rows with this content."""
        offset, rest = self._good, memoryview(content)
        while rest:
            written = os.pwrite(self._file, rest, offset)
            offset, rest = offset + written, rest[written:]
        os.ftruncate(self._file, offset)


class JsonFile(RowFile):
    """Rows as JSON, one a line, valid at any time."""

    lines = staticmethod(json_lines)

    @staticmethod
    def _head(plan: Plan) -> str:
        space = json.dumps(plan.described(), allow_nan=False)
        return f'{{"schema": "{SCHEMA}", "space": {space}, "models": ['

    def _glue(self, lines: tuple[str, ...]) -> str:
        return ("" if not lines else "\n" if self._empty else ",\n") + ",\n".join(lines)

    def _end(self) -> bytes:
        return f"\n], {json.dumps(asdict(self.counts))[1:]}\n".encode()

    @staticmethod
    def _progress(path: str, plan: Plan, file: IO[bytes]) -> _State:
        first = file.readline()
        try:
            head = json.loads(first.rstrip()[: -len(b', "models": [')] + b"}")
            schema, space = head["schema"], head["space"]
        except (ValueError, KeyError, TypeError):
            raise _foreign(path, f"it is not a result of the schema {SCHEMA}") from None
        if schema != SCHEMA:
            raise _foreign(path, f"its schema is {schema!r:.60}, not {SCHEMA}")
        if not isinstance(space, dict):
            raise _foreign(path, "it does not state its space")
        for key, wanted in json.loads(json.dumps(plan.described())).items():
            if space.get(key) != wanted:
                raise _foreign(path, f"its {key} is {space.get(key)!s:.80}, not {wanted!s:.80}")
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_END))
        tail = file.read()
        at = tail.rfind(b"\n], ")
        if at >= 0 and tail.endswith(b"}\n"):
            counts = Counts(**json.loads(b"{" + tail[at + 4 :]))
            offset = size - len(tail) + at
            return _State(counts, offset, offset == len(first) - 1)
        counts, good, last = Counts(), len(first) - 1, b""
        file.seek(len(first))
        for line in _whole_lines(file):  # its end is torn: all after the last whole row goes
            try:
                row = json.loads(line.rstrip().rstrip(b","))
            except ValueError:
                break
            counts.add_row(row["position"], failed=row["status"] == "failed")
            good, last = good + len(line), line
        good -= last.endswith(b",\n")
        return _State(counts, good, not counts.next, _complete(counts, plan))


class CsvFile(RowFile):
    """Rows as CSV."""

    lines = staticmethod(csv_lines)

    @staticmethod
    def _head(plan: Plan) -> str:
        return ",".join(csv_header(plan)) + "\n"

    @staticmethod
    def _progress(path: str, plan: Plan, file: IO[bytes]) -> _State:
        counts, good, last = Counts(), 0, [""]
        header = csv_header(plan)
        for line in _whole_lines(file):
            try:
                cells = next(csv.reader([line.decode()]))
            except (UnicodeDecodeError, StopIteration, csv.Error):
                raise _foreign(path, "it is not a CSV file of a sweep") from None
            if not good and cells != header:
                break
            if good and (len(cells) != len(header) or not cells[0].isdecimal()):
                break
            if good:
                counts.add_row(int(cells[0]), failed=cells[header.index("status")] == "failed")
                last = cells
            good += len(line)
        if not good:
            raise _foreign(path, f"its columns are not {','.join(header)}")
        if counts.next:
            _check_point(path, plan, last)
        return _State(counts, good, not counts.next, _complete(counts, plan))


def _open(path: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _foreign(path: str, why: str) -> UsageError:
    return UsageError(f"cannot resume {path}: {why}; give another file, or write a new one with -o")


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that were written to their end."""
    return takewhile(lambda line: line.endswith(b"\n"), file)


def _complete(counts: Counts, plan: Plan) -> bool:
    """Complete counts of which only the rows are known; return whether that can be done.

    A condition leaves out models that no row tells of.
    """
    counts.evaluated = counts.kept + counts.failed
    if plan.where is not None:
        return False
    counts.skipped = (counts.next or 0) - counts.evaluated
    return True


def _check_point(path: str, plan: Plan, cells: list[str]) -> None:
    """Raise unless the last row is the point of the plan at its position."""
    position = int(cells[0])
    expected = ""
    if position < plan.space.size:
        point = plan.space.point(plan.order[position])
        row = Row(position, point.reference, point.values, (), 0, "", "failed", ())
        expected = "".join(csv_lines([row], plan))
    width = 2 + len(plan.space.parameters)
    if next(csv.reader([expected]), [])[:width] != cells[:width]:
        raise _foreign(path, f"its row {position} is {cells[1]}, no model of this space there")


def read_rows(path: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a JSON file of results, line by line; another file is a ``UsageError``."""
    with _open(path) as file:
        first = file.readline()
        if SCHEMA.encode() not in first[:200]:
            raise UsageError(f"{path}: not a result of the schema {SCHEMA}")
        for line in file:
            if line.startswith(b"{"):
                yield json.loads(line.rstrip().rstrip(b","))
