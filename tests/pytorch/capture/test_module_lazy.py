"""Lazy modules get their shapes from the input, in a copy; the module itself stays lazy."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cnnstat import api
from tests.pytorch.capture.modules import Applied


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)
    )


@pytest.mark.parametrize("size", [8, 10])
def test_the_input_fills_a_copy(size: int) -> None:
    module = net()
    inside = (size - 2) ** 2
    analysis = api.analyze(module, input=(3, size, size))
    assert analysis.status == "complete"
    assert analysis.totals.params == 3 * 9 * 4 + 4 + 2 * 4 + 4 * inside * 5 + 5
    assert analysis.totals.trainable_params == analysis.totals.params
    assert analysis.totals.macs == inside * 3 * 9 * 4 + 4 * inside * 5
    assert api.check(module, input=(3, size, size)).agree
    assert all(is_lazy(parameter) for parameter in module.parameters())


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_memory_is_that_of_the_filled_module(mode: str) -> None:
    from cnnstat.memory.memory import settings

    lazy, filled = net(), net()
    filled(torch.ones(2, 3, 8, 8))
    chosen = settings(mode=mode)
    first, second = (
        api.memory(each, input=(3, 8, 8), batch=2, settings=chosen) for each in (lazy, filled)
    )
    assert first.total_bytes == second.total_bytes


def test_a_lazy_module_that_asks_for_values() -> None:
    def scaled(x: Tensor) -> Tensor:
        return x * float(x.sum())

    module = nn.Sequential(Applied(scaled), nn.LazyLinear(3))
    assert api.analyze(module, input={"input": (6,)}).totals.params == 6 * 3 + 3
