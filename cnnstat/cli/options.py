"""Options that commands share, each with one name, one help text and one parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from cnnstat.api.inputs import input_of, input_shape
from cnnstat.errors import UsageError
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

MODEL, TABLE, CHECKS, OUTPUT = "Model", "Rows and columns", "Checks", "Output"
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
    "a name of 'cnnstat list', a spec (.yaml), ONNX, Keras, .pt2, TorchScript or weights file, "
    "file.py:callable, torchvision:NAME, timm:NAME or keras:NAME"
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
CallOption = Annotated[
    str | None,
    option(
        "--call",
        group=MODEL,
        metavar="JSON",
        help="Further arguments of a PyTorch module's forward pass: '{\"deep\": true}'.",
    ),
]
MethodOption = Annotated[
    str | None,
    option(
        "--method",
        group=MODEL,
        metavar="NAME",
        help="Method of a PyTorch module to run instead of forward.",
        default="forward",
    ),
]
InputsOption = Annotated[
    list[str] | None,
    option(
        *("--input", "-i"),
        group=MODEL,
        metavar="SHAPE",
        help="Input without the batch: 3x224x224, 224x224 or 224. For several inputs, repeat "
        "NAME=SHAPE, NAME=int64:SHAPE, NAME=int64:!SHAPE (! with all axes) or NAME=@FILE.npy.",
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
        help="Number of classes (models of 'cnnstat list').",
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


def sort_option(complete: Completion | None = None) -> Any:
    """Return the declaration of ``--sort``; ``complete`` lists the keys."""
    return option(
        "--sort",
        group=TABLE,
        metavar="KEY",
        help="Sort by a column, largest first.",
        default="the order of execution",
        complete=complete,
    )


SortOption = Annotated[str | None, sort_option()]
TopOption = Annotated[
    int | None,
    option(
        "--top",
        group=TABLE,
        metavar="N",
        help="Show the first N rows and sum up the rest.",
        default="all rows",
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


Shapes = tuple[int, ...] | dict[str, Any] | None
"""The value of --input: one shape, or a spec or an example by name; None where it is not used."""


def input_shapes(texts: list[str] | None) -> Shapes:
    """Read one shape, or ``name=3x224x224`` (``ids=int64:128``) once for each of several inputs."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return input_shape(texts[0])
    named: dict[str, Any] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals or not name or name in named:
            raise UsageError(
                f"input {text!r}: write several inputs as name=3x224x224, each name once"
            )
        named[name] = input_of(rest)
    return named


def input_sweep(texts: list[str] | None) -> tuple[Shapes, ...]:
    """Read several inputs: ``128,160,192`` and repeated options, or ``x=3x128x128,3x160x160``.

    Inputs by name that have several shapes vary together; one that has a single shape keeps it.
    Nothing is the model's own input.
    """
    if not any("=" in text for text in texts or ()):
        pieces = [piece.strip() for text in texts or () for piece in text.split(",")]
        return tuple(dict.fromkeys(input_shape(piece) for piece in pieces)) or (None,)
    choices: dict[str, list[str]] = {}
    for text in texts or ():
        name, equals, rest = text.partition("=")
        if not equals or name in choices:
            raise UsageError(f"input {text!r}: write several inputs as name=SHAPE, each name once")
        choices[name] = [rest] if rest.startswith("@") else rest.split(",")
    most = max(map(len, choices.values()))
    for name, shapes in choices.items():
        if len(shapes) not in (1, most):
            raise UsageError(
                f"input {name}: {len(shapes)} shapes where another input has {most}: "
                "give each input as many, or one"
            )
    return tuple(
        input_shapes(
            [f"{name}={shapes[place % len(shapes)].strip()}" for name, shapes in choices.items()]
        )
        for place in range(most)
    )


def factory_arguments(text: str | None, option: str = "--args") -> dict[str, object] | None:
    """Read the JSON object of ``--args`` or of ``--call``; anything else is a ``UsageError``."""
    if text is None:
        return None
    import json

    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not valid JSON: {error}: {text!r:.80}") from error
    except RecursionError as error:
        raise UsageError(f"{option} is not valid JSON: it is nested too deeply") from error
    if not isinstance(arguments, dict):
        raise UsageError(f'{option} {text!r:.80}: expected an object, as in {{"num_classes": 10}}')
    return arguments


def at_least_one(name: str, value: int | None) -> int | None:
    """Return a count that is at least 1 or absent; raise ``UsageError`` for any other."""
    if value is not None and value < 1:
        raise UsageError(f"{name} must be at least 1, got {value}")
    return value
