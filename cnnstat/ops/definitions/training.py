"""Steps of optimisers that a file holds as operators: per element of the parameters."""

from __future__ import annotations

from cnnstat.ir.work import Work
from cnnstat.ops.definitions.use import Definition, Use


def _per_parameter(**counts: int) -> Definition:
    def definition(use: Use) -> Work:
        elements = sum(spec.numel for spec in use.results[: int(use.arguments["tensors"])])
        return Work(**{kind: k * elements for kind, k in counts.items()})

    return definition


TRAINING: dict[str, Definition] = {
    # g = norm * x + grad; h += g * g; x -= rate * g / (sqrt(h) + eps)
    "adagrad": _per_parameter(multiplications=3, additions=4, divisions=1, exponentials=1),
    # g = norm * x + grad; v = alpha * v + beta * g; x -= rate * v
    "momentum": _per_parameter(multiplications=4, additions=3),
    # g as above; v = a * v + (1 - a) * g; h = b * h + (1 - b) * g * g;
    # x -= rate * v / (sqrt(h) + eps)
    "adam": _per_parameter(multiplications=7, additions=5, divisions=1, exponentials=1),
}
"""Operators of ai.onnx.preview.training."""
