"""The command line: one file per command, imported when it is called, so that each starts at once.

A command parses options, calls ``api`` and hands a document to ``output``; ``app`` turns errors
into an exit status. This file imports next to nothing, so that an interrupt while the rest is being
imported is handled here.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
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
        from cnnstat.cli.app import run

        status = run(sys.argv[1:])
        gc.freeze()
    except KeyboardInterrupt:
        from cnnstat.cli.status import INTERRUPTED

        status = INTERRUPTED
    sys.exit(status)
