"""Functions of functions are read as the calls that they make."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.attention.flex_attention import flex_attention

from cnnstat import api


class Chosen(nn.Module):
    def __init__(self, wide: int = 8) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 8), nn.Linear(8, wide)

    def forward(self, x: Tensor) -> Any:
        taken = x.sum() > 0 if self.other.out_features == 8 else x.shape[0] > 3
        return torch.cond(taken, self.other, self.one, (x,))


class Thrice(nn.Module):
    def forward(self, x: Tensor) -> Any:
        start = (torch.tensor(0), x)
        loop: Any = while_loop
        return loop(lambda i, y: i < 3, lambda i, y: (i + 1, y @ y), start)[1]


class Flexible(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Any:
        return flex_attention(q, k, v)


MAPS = dict.fromkeys("qkv", (2, 5, 8))


@pytest.mark.filterwarnings("ignore:.*flex_attention called without torch.compile")
@pytest.mark.parametrize(
    ("module", "shapes", "macs"),
    [
        (Chosen(), {"x": (8,)}, 8 * 8),
        (Chosen(16), {"x": (8,)}, 8 * 8),
        (Thrice(), {"x": (8, 8)}, 3 * 8 * 8 * 8),
        (Flexible(), MAPS, 2 * 5 * 5 * (8 + 8)),
    ],
    ids=["cond", "cond on a shape", "while_loop", "flex_attention"],
)
def test_functions_of_functions(module: nn.Module, shapes: Any, macs: int) -> None:
    report = api.analyze(module, input=shapes).report
    assert (report.status, report.totals.macs) == ("complete", macs), report.notes


class Adjacent(nn.Module):
    """A product with a sparse buffer."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.register_buffer("edges", getattr(torch.eye(8), f"to_sparse_{layout}")())
        self.layer = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Any:
        return self.edges @ self.layer(x).expand(8, 4)


@pytest.mark.filterwarnings("ignore:Sparse CS")
@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_sparse_buffers_of_any_layout(layout: str) -> None:
    report = api.analyze(Adjacent(layout), input={"x": (8,)}).report
    assert report.totals.params == 8 * 4 + 4
    assert report.totals.macs >= 8 * 4
