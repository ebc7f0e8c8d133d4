"""Memory of modules of the user against the same modules run: operators beyond the zoo's."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cnnstat import api
from cnnstat.memory.memory import settings

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
    "audio": lambda: nn.Sequential(
        *(nn.Conv1d(3, 8, 5), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(4, 2, 1)),
        *(nn.Conv1d(8, 8, 3), nn.AvgPool1d(3), nn.AdaptiveAvgPool1d(1), nn.Flatten()),
    ),
    "video": lambda: nn.Sequential(
        *(nn.Conv3d(3, 8, 3), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d((1, 2, 2))),
        *(nn.Conv3d(8, 8, 1), nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(1), nn.Flatten()),
    ),
}
INPUTS = {"audio": (3, 48), "video": (3, 6, 16, 16)}
"""Of those that do not take an image."""


@pytest.mark.parametrize("name", MODULES)
def test_prediction_equals_the_measured_step(name: str) -> None:
    loaded = api.load(MODULES[name]())
    shape = INPUTS.get(name, (3, 32, 32))
    plan = api.memory(loaded, TRAINING, input={"input": shape}, batch=2)
    assert plan.status == "complete"
    measured, predicted = api.measured_memory(loaded, plan)
    assert measured == predicted
