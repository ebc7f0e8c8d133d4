"""The command line: one file per command, imported when it is called, so that each starts at once.

A command parses options, calls ``api`` and hands a document to ``output``; ``app`` turns errors
into an exit status. This file imports next to nothing, so that an interrupt while the rest is being
imported is handled here.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the process's own command line.

    The garbage collector is off: one command leaves little garbage, and with PyTorch imported a
    collection costs more than most commands, above all the last one, which ``freeze`` spares.
    """
    try:
        import gc

        gc.disable()
        sys.set_int_max_str_digits(0)  # exact figures may be longer than Python's default limit
        run = _application()
        status = run(sys.argv[1:])
        gc.freeze()
    except KeyboardInterrupt:
        from cnnstat.cli.status import INTERRUPTED

        status = INTERRUPTED
    sys.exit(status)


def _application() -> "Callable[[list[str]], int]":
    """Import the application. An interrupt meanwhile ends the process at once.

    Raised inside an import, it could come out as another exception: Python turns what
    ``__set_name__`` raises into a ``RuntimeError``.
    """
    from signal import SIGINT, default_int_handler, getsignal, signal

    from cnnstat.cli.status import INTERRUPTED, interrupt

    is_default = getsignal(SIGINT) is default_int_handler  # else the caller ignores interrupts
    if is_default:
        signal(SIGINT, lambda *_: os._exit(INTERRUPTED))
    from cnnstat.cli.app import run

    if is_default:
        signal(SIGINT, interrupt)
    return run
