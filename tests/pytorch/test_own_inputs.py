"""Modules of the user's own as they are run: inputs by name, in the dtype that was asked for."""

import itertools
import sys

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.errors import ModelError
from cnnstat.memory.passes import Settings

SHAPES = {"a": (8,), "b": (5, 8), "c": (3, 8)}


class Three(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, a: Tensor, b: Tensor, *, c: Tensor) -> Tensor:
        """(n, 8), (n, 5, 8), (n, 3, 8) -> (n, 8)."""
        y: Tensor = self.layer(a) + self.layer(b).sum(1) + self.layer(c).sum(1)
        return y


@pytest.mark.parametrize("order", list(itertools.permutations(SHAPES)))
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_the_order_of_inputs_does_not_matter(order: tuple[str, ...], mode: str) -> None:
    module = api.load(Three())
    shapes = {name: SHAPES[name] for name in order}
    plan = api.memory(module, Settings(mode=mode), input=shapes)  # type: ignore[arg-type]
    measured, predicted = api.measured_memory(module, plan)
    assert plan.status == "complete"
    assert measured == predicted
    assert (
        measured.peak_live_bytes
        == api.memory(Three(), plan.settings, input=SHAPES).forward_peak.bytes
    )


class Mixed(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3).to(dtype)
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 4, h-2, w-2)."""
        scale = self.get_buffer("scale").view(1, 4, 1, 1)
        y: Tensor = self.layer(x) * scale.to(x.dtype)
        return y


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("dtype", [None, "float32", "bfloat16", "float64"])
def test_a_module_is_measured_in_the_dtype_that_is_predicted(
    stored: torch.dtype, dtype: str | None
) -> None:
    module = api.load(Mixed(stored))
    settings = Settings(mode="training")
    plan = api.memory(module, settings, input=(3, 9, 9), dtype=dtype)
    measured, predicted = api.measured_memory(module, plan)
    assert plan.status == "complete"
    assert measured == predicted
    size = (getattr(torch, dtype) if dtype else stored).itemsize
    assert measured.param_bytes == (3 * 9 * 4 + 4) * size


class Leaving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 8) -> (n, 8), in evaluation alone."""
        if self.training:
            sys.exit(0)
        y: Tensor = self.layer(x)
        return y


def test_a_forward_pass_that_leaves_does_not_take_the_process_along() -> None:
    module = api.load(Leaving())
    plan = api.memory(module, Settings(mode="training"), input={"x": (8,)})
    assert plan.unknown == ("SystemExit: 0",)
    with pytest.raises(ModelError, match="cannot run: SystemExit: 0"):
        api.measured_memory(module, plan)
