"""Values of words, whole numbers and lists of words read without pydantic.

Typer (0.26 and later) reads every value through pydantic, whose import takes longer than analysing
a network. Options of other types keep Typer's way, and so does a Typer without that hook.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

HOOK = "_runtime_param"
"""Where Typer keeps the reader of a parameter, None until it is first used."""


class PlainReader:
    """Reads a value as Typer's own reader does, for the annotations in ``PLAIN``."""

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value in its annotated type; None where nothing was given, () for a list."""
        if self.annotation == list[str]:
            return list(value or ())
        if value is None or self.annotation is not int or isinstance(value, int):
            return value
        try:
            return int(value)
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is not a whole number.", ctx=ctx, param=param
            ) from None


PLAIN = (str, int, bool, list[str])


class PlainCommand(TyperCommand):
    """A command whose parameters have plain readers where their type allows it."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, the help option included."""
        return read_plainly(super().get_params(ctx))


def read_plainly(params: Any) -> Any:
    """Give parameters plain readers where their type is one of ``PLAIN``; return them."""
    for param in params:
        if getattr(param, HOOK, ...) is not None:
            continue
        descriptor = param.type_descriptor
        limits = ("parser", "min", "max")
        limited = any(getattr(descriptor.parameter_info, name) is not None for name in limits)
        if descriptor.annotation in PLAIN and not limited:
            setattr(param, HOOK, PlainReader(descriptor.annotation))
    return params
