"""Rows of layers without a rule: their work is unknown, their weights only of a live model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cnnstat.ir.op import Role, Weight
from cnnstat.ir.tensor import DTYPE_BYTES

STATISTICS = ("moving_mean", "moving_variance", "mean", "variance", "count", "vector_u")
"""Names of variables that are no parameters, whether their layer is frozen or not."""


class Known(NamedTuple):
    """Facts of a live model that its configuration does not state, by the places of layers.

    A place is a path (``encoder/attention``). ``weights`` are those of each layer, without
    ``frozen``: those that a layer that is trained leaves alone (a quantised kernel, one behind a
    LoRA). ``shapes`` are those of each layer's result, ``results`` those of the model's.
    """

    weights: Mapping[str, tuple[Weight, ...]] = {}
    frozen: Mapping[str, tuple[Weight, ...]] = {}
    shapes: Mapping[str, tuple[int | None, ...]] = {}
    results: tuple[tuple[int | None, ...] | None, ...] = ()


def known_of(model: Any) -> Known:
    """Return what a built ``keras.Model`` tells of its variables and results."""
    weights, frozen, shapes = {}, {}, {}
    for place, layer in _layers(model, ""):
        stored = [(each, _weight(each, layer)) for each in layer.weights]
        apart = [
            each.role != "buffer" and not v.trainable and layer.trainable for v, each in stored
        ]
        weights[place] = tuple(w for (_, w), alone in zip(stored, apart, strict=True) if not alone)
        frozen[place] = tuple(w for (_, w), alone in zip(stored, apart, strict=True) if alone)
        if (shape := _shape(layer)) is not None:
            shapes[place] = shape
    results = tuple(tuple(x.shape) for x in getattr(model, "outputs", None) or ())
    return Known(weights, frozen, shapes, results)


def _layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in getattr(model, "layers", ()):
        place = f"{prefix}{layer.name}"
        yield place, layer
        if hasattr(layer, "layers"):
            yield from _layers(layer, f"{place}/")


def _shape(layer: Any) -> tuple[int | None, ...] | None:
    """Return the shape of a layer's result; None of a layer with several, or several calls."""
    try:
        shape = layer.output.shape
        return tuple(shape)
    except (AttributeError, ValueError, RuntimeError, TypeError):
        return None


def _weight(variable: Any, layer: Any) -> Weight:
    """Return a variable: a parameter, also where its layer is frozen, or a buffer.

    A layer that is trained has parameters that are not where it is quantised or has a LoRA.
    """
    path = str(getattr(variable, "path", variable.name))
    last = path.rpartition("/")[2]
    dtype = str(variable.dtype)
    role: Role = "bias" if last in ("bias", "beta") else "weight"
    adapted = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    untrained = not variable.trainable and layer.trainable and not adapted
    if last in STATISTICS or untrained:
        role = "buffer"
    return Weight(path, tuple(variable.shape), role, dtype if dtype in DTYPE_BYTES else None)
