"""Rows of a rehearsed module: saved bytes belong to the call that saves them, by hand.

Batch 2, float32 (4 bytes). A storage counts where autograd first saves it; parameters do not.
"""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnstat import api
from cnnstat.memory.memory import MemoryPlan, settings

TRAINING = settings(mode="training")
IMAGE, WIDE, SMALL = 2 * 3 * 8 * 8 * 4, 2 * 6 * 8 * 8 * 4, 2 * 6 * 4 * 4 * 4


class Twice(nn.Module):
    """A pooling and an activation that are called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 1)
        self.act, self.pool = nn.Sigmoid(), nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pool(self.act(self.first(x)))
        z: Tensor = self.pool(self.act(self.second(y)))
        return z


class Between(nn.Module):
    """Functions between the modules, the same one twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.avg_pool2d(torch.sigmoid(self.first(x)), 2)
        return functional.avg_pool2d(torch.sigmoid(self.second(y)), 2)


class Scores(nn.Module):
    """Products of a sequence with itself, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.width = nn.Linear(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.width(x)
        z: Tensor = torch.tanh(torch.einsum("nld,nmd->nlm", y, y)) @ y
        return z


class Encoder(nn.Module):
    """A layer that PyTorch replaces by one function in inference."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.layer(x))
        return y


def plan_of(module: nn.Module, *shape: int) -> MemoryPlan:
    return api.memory(module, TRAINING, input={"x": shape}, batch=2)


def saved(plan: MemoryPlan) -> dict[str, int]:
    return {layer.name: plan.of(layer).saved_bytes for layer in plan.report.layers}


@pytest.mark.parametrize("make", [Twice, Between])
def test_a_second_call_has_a_row_of_its_own(make: Callable[[], nn.Module]) -> None:
    plan = plan_of(make(), 3, 8, 8)
    # a convolution saves its input and the sigmoid in its row the result, which the mean reads
    assert list(saved(plan).values()) == [0, IMAGE + WIDE, 0, SMALL + SMALL, 0]


def test_products_between_modules_have_their_rows() -> None:
    plan = plan_of(Scores(), 5, 6)
    rows = saved(plan)
    # the first product reads the Linear's result; the tanh, in the second's row, saves its own
    assert rows == {"x": 0, "width": 2 * 5 * 6 * 4, "bmm": 2 * 5 * 8 * 4, "matmul": 2 * 5 * 5 * 4}
    assert plan.saved_bytes == sum(rows.values())


def test_what_a_transformer_layer_saves_is_inside_it() -> None:
    plan = plan_of(Encoder(), 5, 8)
    rows = saved(plan)
    tokens, wide, statistics = 2 * 5 * 8 * 4, 2 * 5 * 16 * 4, 2 * 2 * 5 * 4
    assert rows["layer/self_attn/in_proj"] == tokens
    # queries, keys and values; a logarithm for each head and row; the result
    attention = rows["layer/self_attn/scaled_dot_product_attention"]
    assert attention == 3 * tokens + 2 * 2 * 5 * 4 + tokens
    # each sum is normalised in its row; the first Linear's input, and the result of its ReLU
    assert rows["layer/add"] == rows["layer/add_2"] == tokens + statistics
    assert (rows["layer/linear1"], rows["layer/linear2"]) == (tokens + wide, 0)
    assert rows["last"] == tokens
    assert plan.saved_bytes == sum(rows.values())


SHAPES = {Twice: (3, 8, 8), Between: (3, 8, 8), Scores: (5, 6), Encoder: (5, 8)}


@pytest.mark.parametrize(("make", "shape"), SHAPES.items())
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_live_bytes_never_fall_below_what_is_saved(
    make: Callable[[], nn.Module], shape: tuple[int, ...], mode: str
) -> None:
    plan = api.memory(make(), settings(mode=mode), input={"x": shape}, batch=2)
    rows = [plan.of(layer) for layer in plan.report.layers]
    saved_so_far = itertools.accumulate(row.saved_bytes for row in rows)
    assert all(row.live_bytes >= max(size, 1) for row, size in zip(rows, saved_so_far, strict=True))
