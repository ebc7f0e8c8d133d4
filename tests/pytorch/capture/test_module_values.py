"""Counts that depend on values are those of fixed values, and the report says so."""

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.ir.tensor import TensorSpec

TOKENS = TensorSpec((7,), "int64")


class PerToken(nn.Module):
    """One product for each token that is not padding; its table has ``rows``."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(rows, 8, padding_idx=0), nn.Linear(8, 8, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        return torch.stack([self.layer(x[:, 0]) for _ in range(1 + int(tokens.sum()))])


@pytest.mark.parametrize(("rows", "calls"), [(30, 1 + 7), (1, 1)], ids=["ones", "zeros"])
def test_whole_numbers_are_ones_where_these_are_in_range(rows: int, calls: int) -> None:
    analysis = api.analyze(PerToken(rows), input={"tokens": TOKENS})
    assert analysis.totals.macs == calls * 8 * 8
    assert [note.code for note in analysis.report.notes] == ["real_tensors"]


def test_an_example_is_the_value() -> None:
    tokens = torch.tensor([[2, 0, 1, 0, 0, 0, 0]])
    assert api.analyze(PerToken(30), input={"tokens": tokens}).totals.macs == (1 + 3) * 8 * 8


class Chosen(nn.Module):
    """A layer for the rows of its input and of fresh random numbers that are above 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, torch.randn_like(x)])
        y: Tensor = self.layer(x[x[:, 0] > 0])
        return y


def test_the_same_figures_every_time() -> None:
    net = Chosen()
    state = torch.get_rng_state()
    first, second = (api.analyze(net, input={"x": (4,)}, batch=1000).totals.macs for _ in range(2))
    assert first == second
    assert 0 < first < 2000 * 4 * 8
    assert (torch.get_rng_state() == state).all()


class Stop(BaseException):
    def __str__(self) -> str:
        raise ValueError("cannot be shown")


def test_any_exception_of_the_module_is_one_line() -> None:
    from cnnstat.errors import ModelError

    class Raising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise Stop

    with pytest.raises(ModelError, match="Stop"):
        api.analyze(Raising(), input=(3, 8, 8))
