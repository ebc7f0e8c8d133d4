"""Where a result goes: standard output, or a file that is replaced in one step.

Standard output carries the result alone. A terminal gets its width and colour (``COLUMNS``,
``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` are honoured); a pipe and a file get everything,
plain.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from cnnstat.cli.progress import progress
from cnnstat.errors import UsageError, unknown
from cnnstat.render.document import Document, brief_document
from cnnstat.render.formats import PLAIN, SUFFIXES, Look, check_format, render, table_alone
from cnnstat.render.safe_text import shown

STDOUT = "-"
"""``-o -`` is standard output, as in other programs."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A format, and the file to write or None for standard output.

    ``bare`` is the table alone; without ``verbose`` definitions and details are left out.
    """

    format: str = "table"
    path: str | None = None
    bare: bool = False
    verbose: bool = True


def destination(
    format: str | None, path: str | None, *, bare: bool = False, verbose: bool = True
) -> Destination:
    """Return where a result goes; without a format a file's suffix chooses it.

    Called before the work begins, so that a bad format, suffix or folder is reported at once.
    """
    suffix = os.path.splitext(path or "")[1].lower()
    if format is None and suffix not in SUFFIXES:
        raise unknown("suffix of -o", suffix, list(SUFFIXES)[1:])
    name = SUFFIXES[suffix] if format is None else check_format(format)
    return Destination(name, file_of(path), bare, verbose)


def file_of(path: str | None) -> str | None:
    """Return the file to write, or None (as for ``-``) for standard output; as ``check_path``."""
    if path is None or path == STDOUT:
        return None
    check_path(path)
    return path


def check_path(path: str) -> None:
    """Raise ``UsageError`` if a path is empty or a folder, or its folder does not exist."""
    if not path:
        raise UsageError("output '': name a file")
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise UsageError(f"cannot write {path}: it is a folder")
    if not os.path.isdir(folder):
        raise UsageError(f"cannot write {path}: there is no folder {folder}")


def emit(document: Document, to: Destination) -> None:
    """Write a document to its destination. Raises ``UsageError`` where that cannot be written."""
    if to.bare:
        document = table_alone(document)
    elif not to.verbose:
        document = brief_document(document)
    look = look_of(sys.stdout) if to.path is None else PLAIN
    write(to.path, render(document, to.format, look))


def write(path: str | None, content: str | bytes) -> None:
    """Write to a file, or to standard output for None; errors as ``emit``."""
    if path is not None:
        write_file(path, content)
    else:
        write_stdout(content if isinstance(content, str) else content.decode())


def look_of(stream: TextIO | None) -> Look:
    """Return what a stream can show."""
    if stream is None:
        return PLAIN
    terminal, environment = stream.isatty(), os.environ
    color = terminal and environment.get("TERM", "") not in ("dumb", "unknown")
    color = (color or bool(environment.get("FORCE_COLOR"))) and not environment.get("NO_COLOR")
    encoding = (stream.encoding or "ascii").lower()
    return Look(_width(stream, terminal=terminal), color, encoding.startswith("utf"))


def _width(stream: TextIO, *, terminal: bool) -> int | None:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    if not terminal:
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def remark(text: str) -> None:
    """Write a line to standard error: a hint or a warning."""
    if progress.is_shown:  # one that is still to come may follow this line
        progress.stop()
    print(f"cnnstat: {shown(text)}", file=sys.stderr)


def write_stdout(text: str) -> None:
    """Write to standard output. A reader that stops early (``| head``) ends the process quietly."""
    progress.stop()
    stream = sys.stdout
    if stream is None:
        raise UsageError("cannot write the result: standard output is closed")
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
    except OSError as error:
        _discard(stream)
        raise UsageError(f"cannot write to standard output: {error.strerror}") from error


def _discard(stream: TextIO) -> None:
    """Point a stream at nothing, so that flushing it at exit does not fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def write_file(path: str, content: str | bytes) -> None:
    """Write a file in one step, as ``replacing`` does; text is written as UTF-8."""
    progress.stop()
    with replacing(path) as name, open(name, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """Give the name of a new file that replaces the one at ``path`` when it is complete.

    Readers see the old content or the new; an error leaves the old. A device or a pipe is written
    directly. Raises ``UsageError`` where it cannot be written.
    """
    target = os.path.realpath(path)
    direct = os.path.exists(target) and not os.path.isfile(target)
    partial = target if direct else f"{target}.{os.getpid()}.part"
    try:
        if not direct:
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield partial
        if not direct:
            if os.path.exists(target):
                os.chmod(partial, os.stat(target).st_mode & 0o7777)
            os.replace(partial, target)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if not direct and os.path.exists(partial):
            os.unlink(partial)
