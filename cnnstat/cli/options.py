"""Options that commands share, each with one name, one help text and one parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from cnnstat.errors import UsageError
from cnnstat.ir.tensor import DTYPE_BYTES, TensorSpec, check_dtype
from cnnstat.render.formats import FORMATS

Completion = Callable[[str], list[str]]


def starting(names: Callable[[], Iterable[str]]) -> Completion:
    """Return the shell's completion of one of these names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete.lower())]

    return complete


def continuing(names: Callable[[], Iterable[str]]) -> Completion:
    """Return the shell's completion of a comma-separated list of these names."""

    def complete(incomplete: str) -> list[str]:
        done, comma, begun = incomplete.rpartition(",")
        return [f"{done}{comma}{name}" for name in names() if name.startswith(begun)]

    return complete


def _models() -> Iterable[str]:
    from cnnstat.zoo.catalog import names

    return names()


complete_model = starting(_models)

MODEL, TABLE, OUTPUT = "Model", "Rows and columns", "Output"
"""Groups of options that several commands have; each command adds groups of its own."""


def option(
    *names: str,
    group: str,
    help: str,
    metavar: str | None = None,
    default: str | None = None,
    complete: Completion | None = None,
) -> Any:
    """Return the declaration of an option, in its group of the help.

    ``default`` describes in words a default that is None.
    """
    return typer.Option(
        *names,
        metavar=metavar,
        help=help,
        show_default=default or True,
        autocompletion=complete,
        rich_help_panel=group,
    )


def argument(
    metavar: str,
    help: str,
    *,
    default: str | None = None,
    complete: Completion | None = complete_model,
) -> Any:
    """Return the declaration of an argument, by default a model."""
    return typer.Argument(
        metavar=metavar, help=help, show_default=default or False, autocompletion=complete
    )


REFERENCE = (
    "a name of 'cnnstat list', a spec (.yaml), ONNX or Keras file, file.py:callable, "
    "torchvision:NAME, timm:NAME or keras:NAME"
)
"""The forms of a reference to a model."""

ModelArgument = Annotated[str, argument("MODEL", f"The model: {REFERENCE}.")]
ModelsArgument = Annotated[list[str], argument("MODEL", f"The models, each {REFERENCE}.")]
ArgsOption = Annotated[
    str | None,
    option(
        "--args",
        group=MODEL,
        metavar="JSON",
        help="Arguments of a Python callable by name: '{\"num_classes\": 10}'. For one of several "
        "models write 'model.py:Net(width=16)'.",
    ),
]
InputOption = Annotated[
    str | None,
    option(
        *("--input", "-i"),
        group=MODEL,
        metavar="SHAPE",
        help="Input without the batch: 3x224x224, 224x224 or 224.",
        default="the model's own",
    ),
]
InputsOption = Annotated[
    list[str] | None,
    option(
        *("--input", "-i"),
        group=MODEL,
        metavar="SHAPE",
        help="Input without the batch: 3x224x224, 224x224 or 224. For several inputs, repeat "
        "NAME=SHAPE or NAME=int64:SHAPE.",
        default="the model's own",
    ),
]
BatchOption = Annotated[
    int, option("--batch", "-b", group=MODEL, metavar="N", help="Images per batch.")
]
DtypeOption = Annotated[
    str | None,
    option(
        "--dtype",
        group=MODEL,
        metavar="NAME",
        help="Element type of weights and activations: float32, float16, bfloat16 or float64; for "
        "sizes also int8, or int4 (weights; activations int8).",
        default="the model's own",
    ),
]
ClassesOption = Annotated[
    int | None,
    option(
        "--classes",
        group=MODEL,
        metavar="N",
        help="Number of classes of a model of the zoo.",
        default="as published",
    ),
]
DepthOption = Annotated[
    int | None,
    option(
        *("--depth", "-d"),
        group=TABLE,
        metavar="N",
        help="Fold modules below this level into one row.",
        default="nothing is folded",
    ),
]
FormatOption = Annotated[
    str | None,
    option(
        *("--format", "-f"),
        group=OUTPUT,
        metavar="NAME",
        help=f"{', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]}.",
        default="by the suffix of -o, else table",
        complete=starting(lambda: FORMATS),
    ),
]
BareOption = Annotated[
    bool, option("--bare", group=OUTPUT, help="Write the table alone, without title and text.")
]
VerboseOption = Annotated[
    bool,
    option("--verbose", group=OUTPUT, help="Add definitions, sources and details to the text."),
]
OutputOption = Annotated[
    str | None,
    option(
        *("--output", "-o"),
        group=OUTPUT,
        metavar="FILE",
        help="Write to a file (atomically); - is standard output.",
        default="standard output",
    ),
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

    The dtype may stand behind the shape as well (``ids=128:int64``). One number per sample has a
    dtype and no shape (``label=int64``).
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
                f"input {text!r}: write several inputs as name=3x224x224, each name once"
            )
        shape, colon, dtype = rest.partition(":")
        if shape in DTYPE_BYTES or (colon and not shape[:1].isdecimal()):
            shape, dtype = dtype, shape
        scalar = shape == "()" or (not shape and bool(dtype))
        extents = () if scalar else input_shape(shape) or ()
        named[name] = TensorSpec(extents, check_dtype(dtype)) if dtype else extents
    return named


def factory_arguments(text: str | None) -> dict[str, object] | None:
    """Read the JSON object of ``--args``; anything else is a ``UsageError``."""
    if text is None:
        return None
    import json

    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--args is not valid JSON: {error}: {text!r:.80}") from error
    except RecursionError as error:
        raise UsageError("--args is not valid JSON: it is nested too deeply") from error
    if not isinstance(arguments, dict):
        raise UsageError(f'--args {text!r:.80}: expected an object, as in {{"num_classes": 10}}')
    return arguments


def at_least_one(name: str, value: int | None) -> int | None:
    """Return a count that is at least 1 or absent; raise ``UsageError`` for any other."""
    if value is not None and value < 1:
        raise UsageError(f"{name} must be at least 1, got {value}")
    return value
