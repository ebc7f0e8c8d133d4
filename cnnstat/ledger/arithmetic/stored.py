"""Stored values of a model: parameters with and without those of its batch norms."""

from __future__ import annotations

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import ops
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d


def with_statistics(reports: Reports, model: str) -> int:
    """Return the parameters, and the moving means and variances."""
    outline = reports.outline(model)
    return outline.params + outline.buffers


def with_statistics_and_biases(reports: Reports, model: str) -> int:
    """Return the same, and a bias for each output channel of a convolution."""
    convolutions = ops(reports.shaped(model), Conv2d)
    biases = sum(op.out_channels for op in convolutions if isinstance(op, Conv2d))
    return with_statistics(reports, model) + biases


def without_normalization(reports: Reports, model: str) -> Computed:
    """Return the parameters of a model's layers, without those of its batch norms."""
    shaped = reports.shaped(model)
    return sum(
        weight.numel
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        if node.op.is_layer
        for weight in facts.weights
        if weight.role != "buffer"
    )
