"""Memory of captured modules against the same modules run: operators beyond the zoo's."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.backends.torch.memory import measure, own_subject
from cnnstat.engine.memory import plan, settings

TRAINING = settings(mode="training", optimizer="adam")


class Block(nn.Module):
    """A block of ConvNeXt: depthwise, normalised over channels, two products, scaled, added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.ones(width))
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.narrow(self.act(self.wide(self.norm(y))))
        y = (self.scale * y).permute(0, 3, 1, 2)
        total: Tensor = x + y
        return total


def behind_a_convolution(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), layer)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "convnext": lambda: nn.Sequential(nn.Conv2d(3, 8, 4, 4), Block(8), Block(8)),
    "group_norm": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.SiLU()),
    "hardswish": lambda: behind_a_convolution(nn.Hardswish()),
    "hardsigmoid": lambda: behind_a_convolution(nn.Hardsigmoid()),
    "hardtanh": lambda: behind_a_convolution(nn.Hardtanh()),
    "relu6": lambda: behind_a_convolution(nn.ReLU6()),
    "elu": lambda: behind_a_convolution(nn.ELU()),
    "leaky_relu": lambda: behind_a_convolution(nn.LeakyReLU()),
    "mish": lambda: behind_a_convolution(nn.Mish()),
    "softplus": lambda: behind_a_convolution(nn.Softplus()),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_captured_module_takes_what_it_takes(name: str) -> None:
    module = MODULES[name]()
    report = api.analyze(module, input=(3, 32, 32), batch=2)
    predicted = plan(report, replace(TRAINING, tracked=True))
    assert predicted.status == "complete"
    found = measure(own_subject(module, report.shaped, TRAINING), TRAINING)
    assert found == predicted.predicted
