"""Options that commands share, and how the values of options are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

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


def names_in(module: str, name: str) -> Callable[[], Iterable[str]]:
    """Return what imports a table of names, or calls the function that lists them."""

    def names() -> Iterable[str]:
        table: Any = getattr(import_module(f"cnnstat.{module}"), name)
        return table() if callable(table) else table  # type: ignore[no-any-return]

    return names


complete_model = starting(names_in("zoo.catalog", "names"))

MODEL, TABLE, CHECKS, OUTPUT = "Model", "Rows and columns", "Checks", "Output"
"""Groups of options that several commands have; each command adds groups of its own."""


def option(
    group: str,
    usage: str,
    help: str,
    default: str | None = None,
    complete: Completion | None = None,
) -> Any:
    """Return the declaration of an option, in its group of the help.

    ``usage`` has its names and what follows them: ``--batch -b N``. ``default`` describes in words
    a default that is None.
    """
    words = usage.split()
    metavar = None if words[-1].startswith("-") else words.pop()
    return typer.Option(
        *words,
        metavar=metavar,
        help=help,
        show_default=default or True,
        autocompletion=complete,
        rich_help_panel=group,
    )


def argument(
    metavar: str,
    help: str,
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

OPTIONS = {
    "model": argument("MODEL", f"The model: {REFERENCE}."),
    "models": argument("MODEL", f"The models, each {REFERENCE}."),
    "args": option(
        MODEL,
        "--args JSON",
        "Arguments of a Python callable by name: '{\"num_classes\": 10}'. For one of several "
        "models write 'model.py:Net(width=16)'.",
    ),
    "call": option(
        MODEL,
        "--call JSON",
        "Further arguments of a PyTorch module's forward pass: '{\"deep\": true}'.",
    ),
    "method": option(
        MODEL, "--method NAME", "Method of a PyTorch module to run instead of forward.", "forward"
    ),
    "input": option(
        MODEL,
        "--input -i SHAPE",
        "Input without the batch: 3x224x224, 224x224 or 224. For several inputs, repeat "
        "NAME=SHAPE, NAME=int64:SHAPE, NAME=int64:!SHAPE (! with all axes) or NAME=@FILE.npy.",
        "the model's own",
    ),
    "batch": option(MODEL, "--batch -b N", "Images per batch."),
    "dtype": option(
        MODEL,
        "--dtype NAME",
        "Element type of weights and activations: float32, float16, bfloat16 or float64; for "
        "sizes also int8, or int4 (weights; activations int8).",
        "the model's own",
    ),
    "classes": option(
        MODEL, "--classes N", "Number of classes (models of 'cnnstat list').", "as published"
    ),
    "accuracy": option(
        MODEL,
        "--accuracy FILE",
        "CSV of your models' results in percent: model, top1_error, top5_error, source; or "
        "top1_accuracy, top5_accuracy.",
        "as published",
    ),
    "depth": option(
        TABLE,
        "--depth -d N",
        "Fold modules below this level into one row.",
        "nothing is folded",
    ),
    "sort": option(
        TABLE, "--sort KEY", "Sort by a column, largest first.", "the order of execution"
    ),
    "top": option(TABLE, "--top N", "Show the first N rows and sum up the rest.", "all rows"),
    "limit": option(
        CHECKS,
        "--limit CONDITION",
        "Exit with 1 unless this is true, as in 'params < 5M'. May be repeated; the grammar "
        "is that of 'sweep --where'.",
        "none",
    ),
    "verbose": option(OUTPUT, "--verbose", "Add definitions, sources and details to the text."),
    "format": option(
        OUTPUT,
        "--format -f NAME",
        f"{', '.join([*FORMATS][:-1])} or {[*FORMATS][-1]}.",
        "by the suffix of -o, else table",
        starting(lambda: FORMATS),
    ),
    "bare": option(OUTPUT, "--bare", "Write the table alone, without title and text."),
    "output": option(
        OUTPUT,
        "--output -o FILE",
        "Write to a file (atomically); - is standard output.",
        "standard output",
    ),
}
"""Options that several commands have, by the name of the parameter that takes them.

A command's file has a table of the same name for its own options; ``FUNCTION.NAME`` there is the
option of one of several functions.
"""


Shapes = tuple[int, ...] | dict[str, Any] | None
"""The value of --input: one shape, or a spec or an example by name; None where it is not used."""


def input_shapes(texts: list[str] | None) -> Shapes:
    """Read one shape, or ``name=3x224x224`` (``ids=int64:128``) once for each of several inputs."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return input_shape(texts[0])
    return {name: input_of(rest) for name, rest in _by_name(texts).items()}


def _by_name(texts: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals or not name or name in named:
            raise UsageError(
                f"input {text!r}: write several inputs as name=3x224x224, each name once"
            )
        named[name] = rest
    return named


def input_sweep(texts: list[str] | None) -> tuple[Shapes, ...]:
    """Read several inputs: ``128,160,192`` and repeated options, or ``x=3x128x128,3x160x160``.

    Inputs by name that have several shapes vary together; one that has a single shape keeps it.
    Nothing is the model's own input.
    """
    if not any("=" in text for text in texts or ()):
        pieces = [piece.strip() for text in texts or () for piece in text.split(",")]
        return tuple(dict.fromkeys(input_shape(piece) for piece in pieces)) or (None,)
    choices = {
        name: [rest] if rest.startswith("@") else rest.split(",")
        for name, rest in _by_name(texts or []).items()
    }
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
