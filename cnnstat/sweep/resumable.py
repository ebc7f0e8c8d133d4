"""Files that rows stream into, and from which a run that was cut off goes on.

The JSON file is complete after every step: new rows and a new end are written over the old end in
one go, and where that fails (a full disk) the old end is put back. A CSV file is cut off after its
last row. Both tell the position of the last row, so that a further run begins after it.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import IO, NamedTuple, Protocol

from cnnstat.errors import UsageError
from cnnstat.sweep.plan import Plan, Row
from cnnstat.sweep.rows import csv_header, csv_lines, json_lines
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


class RowFile(Protocol):
    """A file that takes rows as lines of its format.

    ``append`` raises ``UsageError`` and leaves the rows before. Where not ``counted``, the counts
    leave out models that were evaluated and have no row.
    """

    counts: Counts
    counted: bool

    def append(self, lines: tuple[str, ...], counts: Counts) -> None:
        """Write rows; ``counts`` are those with them."""

    def close(self) -> None:
        """Close the file."""


class _Stream:
    """An open file of which the first ``good`` bytes are complete rows."""

    def __init__(self, path: str, *, resume: bool) -> None:
        self.path = path
        self.good = 0
        try:
            self._file = os.open(
                path, os.O_RDWR | os.O_CREAT | (0 if resume else os.O_TRUNC), 0o666
            )
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error

    def write(self, rows: bytes, end: bytes, old_end: bytes) -> None:
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
        self.good += len(rows)

    def _put(self, content: bytes) -> None:
        """Replace everything after the complete rows with this content."""
        offset, rest = self.good, memoryview(content)
        while rest:
            written = os.pwrite(self._file, rest, offset)
            offset, rest = offset + written, rest[written:]
        os.ftruncate(self._file, offset)

    def close(self) -> None:
        os.close(self._file)


class JsonFile:
    """Rows as JSON, one a line, valid at any time; ``resume`` continues after the file's rows."""

    lines = staticmethod(json_lines)

    def __init__(self, path: str, plan: Plan, *, resume: bool = False) -> None:
        head = json.dumps(plan.described(), allow_nan=False)
        text = f'{{"schema": "{SCHEMA}", "space": {head}, "models": ['.encode()
        resume = resume and not _is_start(path, text)
        state = _check_json(path, plan) if resume else _State(Counts())
        self.counts, self.counted, self._first = state.counts, state.counted, state.empty
        self._stream = _Stream(path, resume=resume)
        self._stream.good = state.good
        if not resume:
            self._stream.write(text, self._end(), b"")

    def append(self, lines: tuple[str, ...], counts: Counts) -> None:
        """Write rows and the counts with them."""
        old = self._end()
        before = self.counts
        self.counts = replace(counts)
        glue = "" if not lines else "\n" if self._first else ",\n"
        try:
            self._stream.write((glue + ",\n".join(lines)).encode(), self._end(), old)
        except BaseException:
            self.counts = before
            raise
        self._first = self._first and not lines

    def _end(self) -> bytes:
        return f"\n], {json.dumps(asdict(self.counts))[1:]}\n".encode()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class CsvFile:
    """Rows as CSV; ``resume`` continues after the file's last complete row."""

    lines = staticmethod(csv_lines)

    def __init__(self, path: str, plan: Plan, *, resume: bool = False) -> None:
        header = (",".join(csv_header(plan)) + "\n").encode()
        resume = resume and not _is_start(path, header)
        state = _check_csv(path, plan) if resume else _State(Counts())
        self.counts, self.counted = state.counts, state.counted
        self._stream = _Stream(path, resume=resume)
        self._stream.good = state.good
        if not resume:
            self._stream.write(header, b"", b"")

    def append(self, lines: tuple[str, ...], counts: Counts) -> None:
        """Write rows."""
        self._stream.write("".join(lines).encode(), b"", b"")
        self.counts = replace(counts)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _open(path: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _is_start(path: str, head: bytes) -> bool:
    """Return whether a file was cut off before its first row: a run then begins anew."""
    with _open(path) as file:
        return head.startswith(file.read(len(head) + 1))


def _foreign(path: str, why: str) -> UsageError:
    return UsageError(f"cannot resume {path}: {why}; give another file, or write a new one with -o")


def _check_json(path: str, plan: Plan) -> _State:
    """Return the progress of a JSON file."""
    with _open(path) as file:
        first = file.readline()
        try:
            head = json.loads(first.rstrip()[: -len(b', "models": [')] + b"}")
            schema, space = head["schema"], head["space"]
        except (ValueError, KeyError, TypeError):
            raise _foreign(path, f"it is not a result of the schema {SCHEMA}") from None
        if schema != SCHEMA:
            raise _foreign(path, f"its schema is {schema!r:.60}, not {SCHEMA}")
        wanted = json.loads(json.dumps(plan.described()))
        _check_space(path, space, wanted)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_END))
        tail = file.read()
        at = tail.rfind(b"\n], ")
        if at >= 0 and tail.endswith(b"}\n"):
            counts = Counts(**json.loads(b"{" + tail[at + 4 :]))
            offset = size - len(tail) + at
            return _State(counts, offset, offset == len(first) - 1)
        return _torn(path, plan, file, len(first))


def _torn(path: str, plan: Plan, file: IO[bytes], head: int) -> _State:
    """Return the same for a file without its end: everything after its last whole row goes."""
    file.seek(head)
    counts, good = Counts(), head - 1
    for line in file:
        try:
            row = json.loads(line.rstrip().rstrip(b","))
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        counts.failed += row["status"] == "failed"
        counts.kept += row["status"] != "failed"
        counts.next = row["position"] + 1
        good += len(line)
        last = line
    if counts.kept + counts.failed:
        good -= 1 if last.endswith(b",\n") else 0
    counted = _count_from_rows(counts, plan)
    return _State(counts, good, good == head - 1, counted)


def _count_from_rows(counts: Counts, plan: Plan) -> bool:
    """Complete counts of which only the rows are known; return whether that can be done.

    A condition leaves out models that no row tells of.
    """
    counts.evaluated = counts.kept + counts.failed
    if plan.where is not None:
        return False
    counts.skipped = (counts.next or 0) - counts.evaluated
    return True


def _check_space(path: str, space: object, wanted: object) -> None:
    if space == wanted:
        return
    if not isinstance(space, dict) or not isinstance(wanted, dict):
        raise _foreign(path, "it does not state its space")
    for key in wanted:
        if space.get(key) != wanted[key]:
            here, there = str(wanted[key]), str(space.get(key))
            raise _foreign(path, f"its {key} is {there:.80}, not {here:.80}")
    raise _foreign(path, "it is from another space")


def _check_csv(path: str, plan: Plan) -> _State:
    """Return the progress of a CSV file."""
    counts, good = Counts(), 0
    header = csv_header(plan)
    with _open(path) as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                cells = next(csv.reader([line.decode()]))
            except (UnicodeDecodeError, StopIteration, csv.Error):
                raise _foreign(path, "it is not a CSV file of a sweep") from None
            if not good:
                if cells != header:
                    raise _foreign(path, f"its columns are not {','.join(header)}")
            elif len(cells) != len(header) or not cells[0].isdecimal():
                break
            else:
                failed = cells[header.index("status")] == "failed"
                counts.failed += failed
                counts.kept += not failed
                counts.next = int(cells[0]) + 1
                last = cells
            good += len(line)
    if not good:
        raise _foreign(path, f"its columns are not {','.join(header)}")
    if counts.next:
        _check_point(path, plan, header, last)
    return _State(counts, good, not counts.next, _count_from_rows(counts, plan))


def _check_point(path: str, plan: Plan, header: list[str], cells: list[str]) -> None:
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
