"""What a reference to a model means, told from its form alone.

Nothing is opened or imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from cnnstat.count.report import Note
    from cnnstat.ir.graph import Graph

Form = Literal["zoo", "spec", "onnx", "python"]

LIBRARIES = ("torchvision", "timm")
"""Libraries whose models go by name: ``torchvision:resnet50``, ``timm:resnet50``."""


class Imported(NamedTuple):
    """A graph, what is to be noted about it, and how many of its parameters are not trained."""

    graph: Graph
    notes: tuple[Note, ...] = ()
    frozen_params: int = 0


def form_of(reference: str) -> Form:
    """Return the form of a reference.

    ``vgg16`` is a name of the zoo; ``net.yaml`` a spec file; ``net.onnx`` an ONNX file;
    ``model.py:factory``, ``package.module:Class``, ``timm:resnet50`` a Python callable.
    """
    lower = reference.lower()
    if lower.endswith((".yaml", ".yml")):
        return "spec"
    if lower.endswith(".onnx"):
        return "onnx"
    if ":" in reference or lower.endswith(".py"):
        return "python"
    return "zoo"
