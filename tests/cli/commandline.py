"""The result of running a command line."""

from collections.abc import Callable
from typing import NamedTuple


class Result(NamedTuple):
    code: int
    out: str
    err: str


Cnnstat = Callable[..., Result]
