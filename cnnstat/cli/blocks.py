"""Blocks of options that commands share: a dataclass whose fields are options.

A command has a parameter of the block's type. ``spread`` makes single options of it for Typer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

from cnnstat.cli.options import (
    ArgsOption,
    BareOption,
    BatchOption,
    CallOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    MethodOption,
    OutputOption,
    Shapes,
    factory_arguments,
    input_shapes,
)

if TYPE_CHECKING:
    from cnnstat.api import Analysis, Model
    from cnnstat.cli.output import Destination


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its blocks in their places."""
    blocks: dict[str, Any] = {}
    parameters: dict[str, Parameter] = {}
    hints = get_type_hints(command, include_extras=True)

    def add(name: str, default: Any, annotation: Any) -> None:
        kind = Parameter.KEYWORD_ONLY
        parameters[name] = Parameter(name, kind, default=default, annotation=annotation)

    for name, parameter in signature(command).parameters.items():
        if not is_dataclass(hints[name]):
            add(name, parameter.default, hints[name])
            continue
        blocks[name] = hints[name]
        options = get_type_hints(hints[name], include_extras=True)
        for each in fields(hints[name]):
            default = Parameter.empty if each.default is MISSING else each.default
            add(each.name, default, options[each.name])

    def run(**values: Any) -> None:
        for name, block in blocks.items():
            values[name] = block(**{each.name: values.pop(each.name) for each in fields(block)})
        command(**values)

    run.__signature__ = Signature([*parameters.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    run.__doc__ = command.__doc__
    return run


@dataclass(frozen=True)
class Calling:
    """How models are made and called."""

    args: ArgsOption = None
    call: CallOption = None
    method: MethodOption = None

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

    classes: ClassesOption = None

    def load(self, reference: str) -> Model:
        """Return the model of a reference; errors are those of ``api.load``."""
        from cnnstat import api

        return api.load(reference, classes=self.classes, **self.arguments())


@dataclass(frozen=True)
class Inputs:
    """Inputs of a model."""

    input: InputsOption = None
    batch: BatchOption = 1

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

    dtype: DtypeOption = None

    def entering(self) -> dict[str, Any]:
        """Return the arguments of ``api.analyze`` and its like; errors as ``shapes``."""
        return {**super().entering(), "dtype": self.dtype}


@dataclass(frozen=True)
class Several(Inputs):
    """Several models, and the inputs of each."""

    args: ArgsOption = None

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

    format: FormatOption = None
    bare: BareOption = False
    output: OutputOption = None

    def destination(self, *, verbose: bool = True) -> Destination:
        """Return where a result goes; errors are those of ``output.destination``."""
        from cnnstat.cli.output import destination

        return destination(self.format, self.output, bare=self.bare, verbose=verbose)
