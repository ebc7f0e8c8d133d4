"""Commands and groups of commands: how they start, read their options and print their help.

Typer (0.26 and later) reads every value of an option through pydantic, whose import takes longer
than analysing a network. Words, whole numbers and lists of words are read here instead;
``tests/cli/test_command.py`` says when that is no longer needed. Only public names are used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from io import StringIO
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from cnnstat.cli.optionblocks import spread
from cnnstat.cli.options import OUTPUT
from cnnstat.cli.output import write_stdout
from cnnstat.errors import unknown


class _Helped:
    """What a command and a group have in common: how options are read and help is printed."""

    help_group: str | None = None
    """Group of the help option."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, the help option included."""
        params = super().get_params(ctx)  # type: ignore[misc]
        return [prepared(param, group=self.help_group) for param in params]

    def get_help(self, ctx: Any) -> str:
        """Print the help; errors are those of a result."""
        return printed(partial(super().get_help, ctx))  # type: ignore[misc]


class Command(_Helped, TyperCommand):
    """A command that shows ``examples`` at the end of its help."""

    examples: tuple[str, ...] = ()
    help_group = OUTPUT

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, the examples last."""
        super().format_help(ctx, formatter)
        if self.examples:
            typer.echo("\n".join([" Examples:", *(f"   {line}" for line in self.examples)]))


class Group(_Helped, TyperGroup):
    """Commands in a literal table, each imported when it is called.

    ``table`` names a command's file in this folder and its function. A command's examples are in
    ``EXAMPLES`` of that file, by the name of the function where the file has several.
    """

    table: Mapping[str, str] = {}
    kind = "command"
    listing = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name, or None."""
        if cmd_name not in self.table:
            return None
        stem, name = self.table[cmd_name].split(":")
        file = import_module(f"cnnstat.cli.{stem}")
        function = getattr(file, name)
        if isinstance(function, typer.Typer):
            return typer.main.get_command(function)
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(cmd_name, cls=Command)(spread(function))
        command = typer.main.get_command(single)
        examples = getattr(file, "EXAMPLES", ())
        command.examples = examples[name] if isinstance(examples, dict) else examples  # type: ignore[attr-defined]
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments begin with, or raise with the nearest names."""
        if args and not args[0].startswith("-") and args[0] not in self.table:
            raise unknown(self.kind, args[0], self.table, listing=self.listing)
        return super().resolve_command(ctx, args)


def prepared(param: Any, *, group: str | None) -> Any:
    """Return a parameter that is read quickly and whose help shows no type behind its name.

    ``group`` is the group of the help option.
    """
    if "process_value" in vars(param):
        return param
    param.process_value = partial(_read, param, param.process_value)
    if isinstance(param, TyperArgument) or param.is_flag:
        param.display_type_rich = lambda ctx: ""
    if "--help" in param.opts:
        param.rich_help_panel = group
    return param


def _read(param: Any, slowly: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return a parameter's value in its type; ``slowly`` is Typer's own way, for all others."""
    descriptor = getattr(param, "type_descriptor", None)
    kind = getattr(descriptor, "annotation", None)
    limits = ("parser", "min", "max")
    if descriptor is None or any(getattr(descriptor.parameter_info, x) is not None for x in limits):
        return slowly(ctx, value)
    if kind == list[str]:
        value = list(value or ())
    elif kind is int and isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is not a whole number.", ctx=ctx, param=param
            ) from None
    elif value is not None and not (kind in (str, int, bool) and isinstance(value, kind)):
        return slowly(ctx, value)
    if param.required and param.value_is_missing(value):
        return slowly(ctx, value)  # the error names the parameter
    return value if param.callback is None else param.callback(ctx, param, value)


def printed(help_text: Callable[[], str]) -> str:
    """Print help that does not go to a terminal as a result is printed; return the rest of it.

    Typer prints help itself: a closed pipe would be exit status 1, a full disk a traceback.
    """
    if sys.stdout is not None and sys.stdout.isatty():
        return help_text()
    with redirect_stdout(StringIO()) as text:
        rest = help_text()
    write_stdout(f"{text.getvalue()}{rest}")
    return ""
