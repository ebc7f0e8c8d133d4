"""Blocks of options that commands share: a dataclass whose fields are options.

A command has a parameter of the block's type. ``spread`` makes single options of it for Typer, and
gives each parameter the option that a table declares under its name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from cnnstat.cli.options import OPTIONS, Shapes, factory_arguments, input_shapes
from cnnstat.cli.output import Destination, destination

if TYPE_CHECKING:
    from cnnstat.api import Analysis, Model


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its blocks in their places."""
    blocks: dict[str, Any] = {}
    parameters: dict[str, Parameter] = {}

    def add(owner: Any, hint: Any, name: str, default: Any) -> None:
        annotation = Annotated[hint, declared(owner, name)]
        kind = Parameter.KEYWORD_ONLY
        parameters[name] = Parameter(name, kind, default=default, annotation=annotation)

    hints = get_type_hints(command)
    for name, parameter in signature(command).parameters.items():
        block = hints[name]
        if not is_dataclass(block):
            add(command, block, name, parameter.default)
            continue
        blocks[name] = block
        inner = get_type_hints(block)
        for each in fields(block):
            default = Parameter.empty if each.default is MISSING else each.default
            add(block, inner[each.name], each.name, default)

    def run(**values: Any) -> None:
        for name, block in blocks.items():
            values[name] = block(**{each.name: values.pop(each.name) for each in fields(block)})
        command(**values)

    run.__signature__ = Signature([*parameters.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    run.__doc__ = command.__doc__
    return run


def declared(owner: Any, name: str) -> Any:
    """Return the option that a parameter of a command or of a block takes.

    It is in the table of the file of the command, of the block or of one that the block extends,
    else among those that commands share.
    """
    for each in getattr(owner, "__mro__", (owner,)):
        table = getattr(sys.modules[each.__module__], "OPTIONS", {})
        for key in (f"{each.__name__}.{name}", name):
            if key in table:
                return table[key]
    return OPTIONS[name]


@dataclass(frozen=True)
class Calling:
    """How models are made and called."""

    args: str | None = None
    call: str | None = None
    method: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``api.load``. Raises ``UsageError`` for what is not JSON."""
        return {
            "arguments": factory_arguments(self.args),
            "call": factory_arguments(self.call, "--call"),
            "forward_method": self.method,
        }


@dataclass(frozen=True)
class Loading(Calling):
    """The same for models that may be named ones."""

    classes: int | None = None

    def load(self, reference: str) -> Model:
        """Return the model of a reference; errors are those of ``api.load``."""
        from cnnstat import api

        return api.load(reference, classes=self.classes, **self.arguments())


@dataclass(frozen=True)
class Inputs:
    """Inputs of a model."""

    input: list[str] | None = None
    batch: int = 1

    @property
    def shapes(self) -> Shapes:
        """The shapes without the batch. Raises ``UsageError`` for a malformed one."""
        return input_shapes(self.input)

    def entering(self) -> dict[str, Any]:
        """Return the arguments of ``api.analyze`` and its like; errors as ``shapes``."""
        return {"input": self.shapes, "batch": self.batch}


@dataclass(frozen=True)
class Reading(Loading, Inputs):
    """A model and its inputs."""

    def analyze(self, model: Model, **options: Any) -> Analysis:
        """Return the figures of a model; errors are those of ``api.analyze``."""
        from cnnstat import api

        return api.analyze(model, **self.entering(), **options)


@dataclass(frozen=True)
class Subject(Reading):
    """The same, in an element type."""

    dtype: str | None = None

    def entering(self) -> dict[str, Any]:
        """Return the arguments of ``api.analyze`` and its like; errors as ``shapes``."""
        return {**super().entering(), "dtype": self.dtype}


@dataclass(frozen=True)
class Several(Inputs):
    """Several models, and the inputs of each."""

    args: str | None = None

    def load(self, references: list[str]) -> list[Model]:
        """Return the models; errors are those of ``api.load``."""
        from cnnstat.api.models import load_all

        return load_all(references, factory_arguments(self.args))

    def load_with_inputs(self, references: list[str]) -> list[tuple[Model, dict[str, Any]]]:
        """Return the models, each with its arguments of ``api.analyze``; errors as ``load``."""
        from cnnstat.api.models import inputs_of

        models = self.load(references)
        return [
            (model, {**self.entering(), "input": own})
            for model, own in zip(models, inputs_of(models, self.shapes), strict=True)
        ]


@dataclass(frozen=True)
class Result:
    """Where a result goes, and how it looks."""

    format: str | None = None
    bare: bool = False
    output: str | None = None

    def destination(self, *, verbose: bool = True) -> Destination:
        """Return where a result goes; errors are those of ``output.destination``."""
        return destination(self.format, self.output, bare=self.bare, verbose=verbose)
