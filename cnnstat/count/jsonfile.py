"""Reading JSON that cnnstat wrote earlier: bounded, strict, with one-line errors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from cnnstat.errors import UsageError

MAX_BYTES = 256 * 2**20
"""Largest result that is read; that of a network of 10,000 layers has about 10 MB."""


def read_json(path: str, *, parse_int: Callable[[str], int] = int) -> object:
    """Return the content of a JSON file. Raises ``UsageError`` with what is wrong with it."""
    try:
        with open(path, encoding="utf-8") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise UsageError(f"{path}: {size:,} bytes, at most {MAX_BYTES:,} are read")
            content: object = json.load(file, parse_constant=_refused, parse_int=parse_int)
            return content
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not a JSON file ({error})") from error
    except RecursionError as error:
        raise UsageError(f"{path}: not a result: it is nested too deeply") from error


def _refused(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")
