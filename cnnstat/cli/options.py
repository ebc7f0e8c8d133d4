"""Options that commands share: one name, one help text and one parser each."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.errors import UsageError
from cnnstat.ir.tensor import TensorSpec, check_dtype


def complete_model(incomplete: str) -> list[str]:
    """Return the names of the zoo that begin so, for the shell's completion."""
    from cnnstat.zoo.catalog import names

    return [name for name in names() if name.startswith(incomplete.lower())]


def complete_convention(incomplete: str) -> list[str]:
    """Return the conventions that begin so."""
    from cnnstat.count.conventions import CONVENTIONS

    return [name for name in CONVENTIONS if name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """Return the formats that begin so."""
    from cnnstat.render.formats import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_columns(incomplete: str) -> list[str]:
    """Return the lists of columns that continue the one begun."""
    from cnnstat.render.columns import LAYER_COLUMNS

    done, comma, begun = incomplete.rpartition(",")
    return [f"{done}{comma}{entry.key}" for entry in LAYER_COLUMNS if entry.key.startswith(begun)]


def complete_family(incomplete: str) -> list[str]:
    """Return the families that begin so."""
    from cnnstat.zoo.catalog import FAMILIES

    titles = [family.title.lower() for family in FAMILIES]
    return [title for title in titles if title.startswith(incomplete.lower())]


ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name of 'cnnstat list', a file, file.py:callable or timm:NAME.",
        autocompletion=complete_model,
        show_default=False,
    ),
]
ArgsOption = Annotated[
    str | None,
    typer.Option(
        "--args",
        metavar="JSON",
        help="Arguments of a Python callable by name: '{\"num_classes\": 10}'.",
        show_default=False,
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="SHAPE",
        help="Input without the batch: 3x224x224, 224x224 or 224.",
        show_default=False,
    ),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="SHAPE",
        help="Input without the batch: 3x224x224, 224x224 or 224; NAME=SHAPE or NAME=int64:SHAPE "
        "for each of several.",
        show_default=False,
    ),
]
BatchOption = Annotated[int, typer.Option("--batch", "-b", metavar="N", help="Images per batch.")]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="Element type of weights and activations: float32, float16 ...",
        show_default=False,
    ),
]
ClassesOption = Annotated[
    int | None,
    typer.Option(
        "--classes",
        metavar="N",
        help="Number of classes instead of the model's own.",
        show_default=False,
    ),
]
ConventionOption = Annotated[
    str,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Whose way of counting work: paper, flops, torch, fvcore ...",
        autocompletion=complete_convention,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="table, json, csv, md or html; without it the suffix of -o chooses.",
        autocompletion=complete_format,
        show_default=False,
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to a file, whole or not at all; - is standard output.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 if any operator could not be counted.")
]


def input_shape(text: str | None) -> tuple[int, ...] | None:
    """Read ``3x224x224``, ``224x224`` or ``224``; anything else is a ``UsageError``."""
    if text is None:
        return None
    extents = text.lower().split("x")
    if not all(extent.isascii() and extent.isdecimal() for extent in extents):
        raise UsageError(
            f"input {text!r}: expected whole numbers joined by x, as in 3x224x224, 224x224 or 224"
        )
    return tuple(int(extent) for extent in extents)


def input_shapes(
    texts: list[str] | None,
) -> tuple[int, ...] | dict[str, TensorSpec | tuple[int, ...]] | None:
    """Read one shape, or ``name=3x224x224`` (``ids=int64:128``) once for each of several inputs.

    The dtype may stand behind the shape as well (``ids=128:int64``).
    """
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return input_shape(texts[0])
    named: dict[str, TensorSpec | tuple[int, ...]] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals or not name or name in named:
            raise UsageError(
                f"input {text!r}: several inputs are given as name=3x224x224, each name once"
            )
        shape, _, dtype = rest.partition(":")
        if dtype and not shape[:1].isdecimal():
            shape, dtype = dtype, shape
        extents = input_shape(shape) or ()
        named[name] = TensorSpec(extents, check_dtype(dtype)) if dtype else extents
    return named


def factory_arguments(text: str | None) -> dict[str, object] | None:
    """Read the JSON object of ``--args``; anything else is a ``UsageError``."""
    if text is None:
        return None
    import json

    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"args {text!r}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f'args {text!r}: expected an object, as in {{"num_classes": 10}}')
    return found


def at_least_one(name: str, value: int | None) -> int | None:
    """Return a count that is at least 1 or absent; raise ``UsageError`` for any other."""
    if value is not None and value < 1:
        raise UsageError(f"{name} must be at least 1, got {value}")
    return value
