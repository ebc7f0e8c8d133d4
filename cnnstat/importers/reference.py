"""The meaning of a reference to a model, from its form alone.

Nothing is opened or imported here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.ir.tensor import TensorSpec

if TYPE_CHECKING:
    from cnnstat.count.gradients import Needs
    from cnnstat.count.report import Note
    from cnnstat.ir.graph import Graph

Shapes = Mapping[str, tuple[int, ...] | TensorSpec]
"""Shapes of inputs by name, without the first axis; a spec tells a dtype, too."""

Form = Literal["zoo", "spec", "onnx", "keras", "torch", "python"]

KERAS_FILES = (".keras", ".json", ".h5", ".hdf5")
"""Suffixes of files that Keras writes."""

LIBRARIES = ("torchvision", "timm")
"""Libraries whose models go by name: ``torchvision:resnet50``, ``timm:resnet50``."""

TORCH_FILES = (".pt2", ".pt", ".pth", ".ckpt", ".bin", ".safetensors")
"""Suffixes of files that PyTorch writes: exported programs, TorchScript, weights."""

CALL = re.compile(r"(.*?:[\w.-]+)\((.*)\)", re.DOTALL)
"""``model.py:factory(width=64)``: a callable and its arguments."""


class Imported(NamedTuple):
    """A graph, what is to be noted about it, and how many of its parameters are not trained."""

    graph: Graph
    notes: tuple[Note, ...] = ()
    frozen_params: int = 0
    inputs: Mapping[str, TensorSpec] | None = None
    """Specs of the inputs as the graph takes them, where the reader has another order of axes."""
    needs: Mapping[str, Needs] = MappingProxyType({})
    """Which tensors of a node need a gradient, where the reader knows more than the graph."""
    training_notes: tuple[Note, ...] = ()
    """Notes for a training step only."""


def file_and_name(reference: str) -> tuple[str, str]:
    """Return the file of a reference other than a name of the zoo, and the callable in it."""
    parts = CALL.fullmatch(reference)
    source, colon, name = (parts[1] if parts else reference).rpartition(":")
    return (source, name) if colon and source.lower().endswith(".py") else (reference, "")


def check_argument_names(
    reference: str, build: Callable[..., object], names: Iterable[str]
) -> None:
    """Raise ``UsageError`` for an argument that the callable of a reference does not take."""
    import inspect

    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):  # a callable that does not tell
        return
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    known = [each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY]
    for argument in names:
        if argument not in known:
            listing = "" if known else "it takes no arguments"
            raise unknown(f"argument of {reference}", argument, known, listing=listing)


def form_of(reference: str) -> Form:
    """Return the form of a reference.

    ``vgg16`` is a name of the zoo; ``net.yaml`` a spec file; ``net.onnx`` an ONNX file;
    ``net.keras`` a Keras file, ``keras:ResNet50`` a model of keras.applications; ``net.pt2`` a file
    of PyTorch;
    ``model.py:factory``, ``package.module:Class``, ``timm:resnet50`` a Python callable.
    """
    lower = reference.lower()
    if lower.endswith((".yaml", ".yml")):
        return "spec"
    if lower.endswith(".onnx"):
        return "onnx"
    if lower.endswith(KERAS_FILES) or lower.startswith("keras:"):
        return "keras"
    if lower.endswith(TORCH_FILES):
        return "torch"
    if ":" in reference or lower.endswith(".py"):
        return "python"
    return "zoo"


def split_call(reference: str) -> tuple[str, dict[str, Any] | None]:
    """Return ``model.py:factory`` and its arguments from ``model.py:factory(width=64)``.

    The arguments are None without parentheses. Raises ``UsageError`` unless they are literals of
    Python by name.
    """
    parts = CALL.fullmatch(reference)
    if parts is None:
        return reference, None
    import ast

    problem = f"{reference}: write arguments by name, as Python literals: {parts[1]}(width=64)"
    try:
        call = ast.parse(f"f({parts[2]})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
            raise UsageError(problem)
        names = [keyword.arg for keyword in call.keywords]
        values = [ast.literal_eval(keyword.value) for keyword in call.keywords]
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UsageError(problem) from error
    if None in names:  # **options
        raise UsageError(problem)
    return parts[1], {name or "": value for name, value in zip(names, values, strict=True)}


def with_arguments(
    reference: str, arguments: Mapping[str, Any] | None
) -> tuple[str, dict[str, Any] | None]:
    """Return a reference without its arguments, and them together with others.

    None stands for no arguments at all. Raises ``UsageError`` for one that is given twice.
    """
    plain, own = split_call(reference)
    if own is None:
        return reference, None if arguments is None else dict(arguments)
    for name in arguments or ():
        if name in own:
            raise UsageError(f"{reference}: the argument {name!r} is given twice")
    return plain, {**own, **(arguments or {})}
