"""Small modules for the importer's tests, and what holds a capture against PyTorch's own count."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.ir.tensor import TensorSpec

Shape = tuple[int, ...]


class Applied(nn.Module):
    """A module that applies a function to its input."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def seen(module: nn.Module, *shapes: Shape, batch: int = 2) -> Report:
    """Return the report of a module after holding its figures against PyTorch's.

    Parameters are the module's own, MACs half of FlopCounterMode's FLOPs, rows add up.
    """
    report = api.analyze(module, input=named(*shapes), batch=batch).report
    totals = report.totals
    assert totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert totals.macs * 2 == counted_flops(module, *shapes, batch=batch)
    for rows in (report.layers, report.view(expand=True), report.view(depth=1)):
        assert sum(row.figures.params for row in rows) == totals.params
        assert sum(row.figures.work.macs for row in rows) == totals.macs
        assert sum(row.figures.activation_bytes for row in rows) == totals.activation_bytes
    return report


def named(*shapes: Shape) -> dict[str, TensorSpec | Shape]:
    return {f"argument{number}": shape for number, shape in enumerate(shapes)}


def counted_flops(module: nn.Module, *shapes: Shape, batch: int) -> int:
    """Return what FlopCounterMode counts of a copy in evaluation form.

    On the meta device: it has no rule for the fused attention of processors.
    """
    copied = deepcopy(module).to("meta").eval().requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        copied(*[torch.empty(batch, *shape, device="meta") for shape in shapes])
    return int(counter.get_total_flops())


def types(report: Report) -> list[str]:
    """Return the operators' names, without the inputs."""
    return [node.op.type_name for node in report.shaped.nodes if not node.op.is_input]
