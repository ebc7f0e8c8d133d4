"""One shape without a name fits the first layer of a module."""

import pytest
from torch import nn

from cnnstat import api
from cnnstat.errors import UsageError


@pytest.mark.parametrize(
    ("module", "shape", "entering"),
    [
        (nn.Linear(16, 4), None, (1, 16)),
        (nn.Linear(16, 4), (16,), (1, 16)),
        (nn.Linear(16, 4), (7, 16), (1, 7, 16)),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (28, 28), (1, 28, 28)),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), None, (1, 784)),
        (nn.Conv3d(2, 4, 3), (2, 8, 9, 10), (1, 2, 8, 9, 10)),
        (nn.Conv3d(2, 4, 3), (8, 9, 10), (1, 2, 8, 9, 10)),
        (nn.Conv3d(2, 4, 3), (8,), (1, 2, 8, 8, 8)),
        (nn.Conv1d(2, 4, 3), (100,), (1, 2, 100)),
        (nn.Conv1d(2, 4, 3), (2, 100), (1, 2, 100)),
        (nn.Conv2d(1, 4, 3), (28,), (1, 1, 28, 28)),
        (nn.Conv2d(1, 4, 3), None, (1, 1, 224, 224)),
        (nn.Conv2d(3, 4, 3), (8, 9), (1, 3, 8, 9)),
        (nn.Embedding(100, 8), (12,), (1, 12)),
        (nn.LSTM(5, 6, batch_first=True), (9, 5), (1, 9, 5)),
        (nn.ReLU(), None, (1, 3, 224, 224)),
    ],
)
def test_a_shape_without_a_name(
    module: nn.Module, shape: tuple[int, ...] | None, entering: tuple[int, ...]
) -> None:
    assert api.analyze(module, input=shape).report.input.shape == entering


def test_tokens_are_whole_numbers() -> None:
    report = api.analyze(nn.Sequential(nn.Embedding(100, 8), nn.Linear(8, 4)), input=(12,)).report
    assert report.input.dtype == "int64"
    assert report.totals.macs == 12 * 8 * 4


def test_an_image_where_a_convolution_takes_three_channels() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.stem = nn.Linear(4, 2), nn.Conv2d(3, 4, 1)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.head(self.stem(x).mean((2, 3)))

    assert api.analyze(Late(), input=(8,)).report.totals.macs == 8 * 8 * 3 * 4 + 4 * 2


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Conv3d(1, 4, 3), None, "--input 1x64x64x64"),
        (nn.Embedding(9, 4), None, "--input 64"),
        (nn.LSTM(5, 6), None, "--input 64x5"),
        (nn.Conv3d(1, 4, 3), (8, 8), "expected 4 extents"),
        (nn.Conv2d(3, 4, 3), (1, 3, 8, 8), "expected 3 extents"),
    ],
)
def test_what_is_missing_is_said(
    module: nn.Module, shape: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        api.analyze(module, input=shape)
