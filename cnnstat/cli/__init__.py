"""The command line: one file per command, imported when it is called, so that each starts at once.

A command parses options, asks ``api``, hands a document to ``output``; errors become an exit status
here and nowhere else. A command is one file and one line in ``COMMANDS``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cnnstat.cli.coercion import PlainCommand, read_plainly
from cnnstat.errors import CnnstatError

COMMANDS: dict[str, str] = {
    "summary": "summary:summary",
    "list": "listing:listing",
    "compare": "compare:compare",
    "bench": "bench:bench",
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

INTERRUPTED = 130


class Commands(TyperGroup):
    """The literal table of commands, each built when it is asked for."""

    def get_params(self, ctx: Any) -> Any:
        """Return the global options."""
        return read_plainly(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name, or None."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        function = getattr(import_module(f"cnnstat.cli.{module}"), name)
        if isinstance(function, typer.Typer):
            return typer.main.get_command(function)
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(cmd_name, cls=PlainCommand)(function)
        return typer.main.get_command(single)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments begin with, or raise with the nearest names."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from cnnstat.errors import unknown

            raise unknown("command", args[0], COMMANDS, listing="'cnnstat --help' shows all")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="cnnstat",
    cls=Commands,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from cnnstat import __version__

        typer.echo(f"cnnstat {__version__}")
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
    """Every layer, parameter, byte and operation of a convolutional network."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; errors are one line on standard error.

    ``--debug`` counts anywhere in the line and lets the exception through.
    """
    rest = [arg for arg in args if arg != "--debug"]
    try:
        command = typer.main.get_command(app)
        status = command.main(rest, prog_name="cnnstat", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        if len(rest) != len(args):
            raise
        message = _message(error)
        if message is None:
            raise
        print(f"cnnstat: error: {message}", file=sys.stderr)
        return int(getattr(error, "exit_code", 2))
    return status if isinstance(status, int) else 0


def _message(error: Exception) -> str | None:
    """One line for an error that input caused; None for a defect of cnnstat."""
    if isinstance(error, CnnstatError):
        return " ".join(str(error).split())
    # Typer's own errors have no public base class in every version; this method marks them all
    explain = getattr(error, "format_message", None)
    return None if explain is None else f"{' '.join(explain().split())} (see --help)"


def main() -> NoReturn:
    """Run the process's own command line.

    Garbage is not looked for: one command leaves little, and with PyTorch imported the look costs
    more than most commands, above all the one at the end, which ``freeze`` spares.
    """
    gc.disable()
    sys.set_int_max_str_digits(0)  # exact figures may be longer than Python's default limit
    status = run(sys.argv[1:])
    gc.freeze()
    sys.exit(status)
