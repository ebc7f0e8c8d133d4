"""Functions that no operator stands for: their work, by its definition, as products."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cnnstat import api
from tests.pytorch.capture.modules import Applied, seen

N = 2 * 6 * 8
"""Elements of the input, (2, 6, 8)."""


def index(x: Tensor, *shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64, device=x.device)


CASES: dict[str, tuple[Callable[[Tensor], Any], int]] = {
    "glu": (lambda x: F.glu(x, 1), 2 * N // 2),
    "threshold": (lambda x: F.threshold(x, 0.1, 0.0), N),
    "hardshrink": (F.hardshrink, N),
    "softshrink": (F.softshrink, N),
    "atan2": (lambda x: torch.atan2(x, x), N),
    "log1p": (torch.log1p, N),
    "trunc": (torch.trunc, N),
    "whole numbers": (lambda x: torch.argsort(index(x, 5)), 0),
    "sort": (lambda x: x.sort(-1)[0], N * 4),  # 2**3 = 8 places and one beyond: 4 comparisons
    "topk": (lambda x: x.topk(3, -1)[0], N * 2),
    "topk of one": (lambda x: x.topk(1, 1)[0], N),
    "cummax": (lambda x: x.cummax(-1)[0], N),
    "searchsorted": (lambda x: torch.searchsorted(x.new_zeros(7), x), N * 3),
    "scatter_add": (lambda x: x.new_zeros(2, 6, 8).scatter_add(1, index(x, 2, 3, 8), x), 2 * 3 * 8),
    "index_add": (lambda x: x.new_zeros(2, 9, 8).index_add(1, index(x, 6), x), N),
    "cdist": (lambda x: torch.cdist(x, x), 2 * 6 * 6 * (8 + 8 + 7 + 1)),
    "cdist of absolute values": (lambda x: torch.cdist(x, x, p=1), 2 * 6 * 6 * (8 + 8 + 7 + 1)),
    "mse_loss": (lambda x: F.mse_loss(x, x), N * 2 + (N - 1) + 1),
    "smooth_l1_loss": (lambda x: F.smooth_l1_loss(x, x, reduction="none"), N * 4),
    "fft": (torch.fft.fft, 12 * (2 + 3) * 8 * 3 // 2),  # 12 rows of 8 real values, 3 halvings
    "grid_sample": (
        lambda x: F.grid_sample(x[:, None], x.new_zeros(2, 4, 5, 2), align_corners=False),
        2 * 4 * 5 * (4 + 3),
    ),
    "max_unpool1d": (
        lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), [2]),
        2 * 6 * 4 * (2 - 1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_work_by_definition(name: str) -> None:
    function, flops = CASES[name]
    report = seen(Applied(function), (6, 8))
    assert report.status == "complete", report.notes
    assert report.totals.flops == flops


def test_a_bilinear_layer() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Bilinear(5, 4, 3)

        def forward(self, x0: Tensor, x1: Tensor) -> Any:
            return self.layer(x0, x1)

    report = seen(Pair(), (5,), (4,))
    assert report.totals.params == 3 * 5 * 4 + 3
    # per result 5 * 4 products of three factors, their sum, the bias
    assert report.totals.flops == 2 * 3 * (2 * 5 * 4 + (5 * 4 - 1) + 1)


def test_bags_of_embeddings() -> None:
    class Bags(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.EmbeddingBag(10, 4, mode="mean")

        def forward(self, tokens: Tensor) -> Any:
            return self.table(tokens)

    tokens = torch.ones(3, 5, dtype=torch.int64)
    totals = api.analyze(Bags(), input={"tokens": tokens}).totals
    assert totals.params == 10 * 4
    assert totals.flops == 3 * (5 - 1) * 4 + 3 * 4  # sums, then a division per result


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_packed_sequences(kind: str) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = getattr(nn, kind)(4, 6, batch_first=True)

        def forward(self, x: Tensor) -> Any:
            packed = pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True)
            return pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]

    net = Packed()
    analysis = api.analyze(net, input={"x": (5, 4)}, batch=2)
    assert analysis.status == "complete"
    assert analysis.totals.params == gates * (4 * 6 + 6 * 6 + 2 * 6)
    assert analysis.totals.macs == (5 + 2) * gates * (4 * 6 + 6 * 6)
    assert api.check(net, input={"x": (5, 4)}, batch=2).agree
    assert api.memory(net, input={"x": (5, 4)}, batch=2).total_bytes > 0


def test_a_projected_lstm() -> None:
    report = seen(nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3, batch_first=True), (5, 4))
    first = 24 * 4 + 24 * 3 + 3 * 6
    second = 24 * (2 * 3) + 24 * 3 + 3 * 6
    assert report.totals.weights == 2 * (first + second)
    assert report.totals.biases == 2 * 2 * 2 * 24
    assert report.totals.macs == 2 * 5 * 2 * (first + second)


def test_a_layer_on_a_vector() -> None:
    report = seen(Applied(lambda x: F.linear(x.flatten(), x.new_zeros(3, 16))), (8,))
    assert report.totals.macs == 16 * 3


def test_a_partial_model_does_not_agree() -> None:
    """Neither counter has a rule for a library's operator, so nothing vouches for it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), Applied(torch.linalg.matrix_exp))
    check = api.check(net, input=(3, 8, 8))
    assert any("linalg" in node.op.type_name for node in check.uncounted)
