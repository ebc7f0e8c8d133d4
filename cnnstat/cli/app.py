"""The application: the table of commands, the global options, errors as an exit status.

A command is one file and one line in ``COMMANDS``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cnnstat.cli.command import Group
from cnnstat.cli.output import write_stdout
from cnnstat.cli.progress import progress
from cnnstat.cli.status import INTERRUPTED, was_interrupted
from cnnstat.errors import CnnstatError, MissingDependencyError
from cnnstat.render.safe_text import shown, shown_lines

COMMANDS: dict[str, str] = {
    "summary": "summary:summary",
    "list": "listing:listing",
    "compare": "compare:compare",
    "sweep": "sweep:sweep",
    "bench": "bench:bench",
    "roofline": "roofline:roofline",
    "memory": "memory:memory",
    "fit": "fit:fit",
    "info": "info:info",
    "explain": "explain:explain",
    "claims": "claims:claims",
    "check": "check:check",
    "graph": "graph:graph",
    "export": "export:export",
    "plot": "plot:plot",
    "report": "report:report",
}
"""Every command by name: its file in this folder and its function, or its group of functions."""


class Commands(Group):
    """The commands of ``cnnstat``."""

    table = COMMANDS
    listing = "'cnnstat --help' shows all"


app = typer.Typer(
    name="cnnstat",
    cls=Commands,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(flag: bool) -> None:
    if flag:
        from cnnstat import __version__

        write_stdout(f"cnnstat {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Count parameters, memory and operations of convolutional networks, layer by layer.

    'cnnstat COMMAND --help' shows the options of a command, with examples.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; errors are one line on standard error.

    ``--debug``, anywhere in the line, prints the traceback first; the status is the same. A defect
    of cnnstat, which no input should cause, is raised.
    """
    rest = [arg for arg in args if arg != "--debug"]
    try:
        with progress.watching():
            command = typer.main.get_command(app)
            status = command.main(rest, prog_name="cnnstat", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        message = _message(error)
        if was_interrupted() and (message is None or isinstance(error, MissingDependencyError)):
            return INTERRUPTED  # libraries turn an interrupt of their import into such errors
        if message is None:
            raise
        if len(rest) != len(args):
            import traceback

            print(shown_lines(traceback.format_exc()), end="", file=sys.stderr)
        print(f"cnnstat: error: {shown(message)}", file=sys.stderr)
        return int(getattr(error, "exit_code", 2))
    return status if isinstance(status, int) else 0


def _message(error: Exception) -> str | None:
    """Return one line for an error that input caused; None for a defect of cnnstat."""
    if isinstance(error, CnnstatError):
        return " ".join(str(error).split())
    # Typer's own errors have no public base class in every version; this method marks them all
    explain = getattr(error, "format_message", None)
    return None if explain is None else f"{' '.join(explain().split())} (see --help)"
