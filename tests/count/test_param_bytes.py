"""Bytes of parameters: each in its own dtype."""

import torch
from torch import Tensor, nn

import cnnstat
from cnnstat.count.explain import model_steps


class Mixed(nn.Module):
    """A convolution in halves, a classifier in singles and a spectrum of complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3).bfloat16(), nn.Linear(8, 10)
        self.w = nn.Parameter(torch.zeros(5, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.body(x.bfloat16()).float().mean((2, 3)))
        return y[:, :5] * self.w


def test_each_parameter_counts_in_its_own_dtype() -> None:
    report = cnnstat.analyze(Mixed(), input=(3, 8, 8)).report
    assert report.totals.param_bytes == (3 * 9 * 8 + 8) * 2 + (8 * 10 + 10) * 4 + 5 * 8
    (step,) = [s for s in model_steps(report) if s.quantity == "parameter memory"]
    assert step.derivation == "224*2 B + 90*4 B + 5*8 B"


def test_a_model_in_halves_takes_half() -> None:
    whole = cnnstat.analyze("alexnet").report.totals
    half = cnnstat.analyze("alexnet", dtype="float16").report.totals
    assert (half.params, 2 * half.param_bytes) == (whole.params, whole.param_bytes)


def test_tied_parameters_count_once() -> None:
    layer = nn.Linear(6, 6)
    report = cnnstat.analyze(nn.Sequential(layer, nn.ReLU(), layer), input={"input": (6,)}).report
    assert report.totals.param_bytes == (6 * 6 + 6) * 4
