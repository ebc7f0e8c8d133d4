"""A module of the user under FlopCounterMode, and what a forward pass may return."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api

VECTOR, MATRIX, MAPS = torch.ones(4), torch.ones(4, 5), torch.ones(3, 4, 5)


class Applied(nn.Module):
    def __init__(self, call: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Any:
        """Anything of (1, 3, 4)."""
        return self.call(x)


@pytest.mark.parametrize(
    ("call", "macs", "flops"),
    [
        (lambda x: x @ VECTOR, 12, 0),
        (lambda x: x[0] @ VECTOR, 12, 0),
        (lambda x: torch.dot(x[0, 0], VECTOR), 4, 0),
        (lambda x: torch.vdot(x[0, 0], VECTOR), 4, 0),
        (lambda x: x[0, 0] @ MAPS, 60, 0),
        (lambda x: x[0, 0] @ MATRIX, 20, 40),
        (lambda x: x @ MATRIX, 60, 120),
    ],
)
def test_flop_counter_has_no_formula_for_a_product_with_a_vector(
    call: Callable[[Tensor], Tensor], macs: int, flops: int
) -> None:
    """The convention ``torch`` follows it; multiply-accumulates are all counted."""
    module = Applied(call)
    check = api.check(module, input={"x": (3, 4)})
    assert check.differences == ()
    assert check.measured.torch_total == flops
    assert api.analyze(module, input={"x": (3, 4)}).totals.macs == macs


@dataclass
class Output:
    scores: Tensor
    hidden: dict[str, list[Tensor]]


@pytest.mark.parametrize(
    ("call", "outputs"),
    [
        (lambda x: Output(x + 1, {"first": [x * 2, x - 1]}), 3),
        (lambda x: {"a": x + 1, "b": (x * 2, 7, None, "text")}, 2),
        (lambda x: (x + 1).sum().item(), 1),
        (lambda x: print(x.relu().shape), 1),
    ],
    ids=["data class", "dict", "number", "nothing"],
)
def test_outputs(call: Callable[[Tensor], Any], outputs: int) -> None:
    """Tensors in any object; without one, what was computed last."""
    report = api.analyze(Applied(call), input={"x": (3, 4)})
    assert len(report.shaped.graph.outputs) == outputs
    assert ("no_output" in {note.code for note in report.notes}) == (outputs == 1)
    assert report.totals.flops
