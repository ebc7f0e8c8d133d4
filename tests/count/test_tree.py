"""The tree of modules: every module's row is the sum of the rows in it."""

import pytest
import torch
from torch import nn

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.count.tree import tree


class DoubleConv(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3), nn.ReLU(), nn.Conv2d(after, after, 3), nn.ReLU()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out


def _net() -> Report:
    net = nn.Sequential()
    net.add_module("down", DoubleConv(3, 8))
    net.add_module("head", nn.Conv2d(8, 2, 1))
    return api.analyze(net, input=(3, 16, 16)).report


def test_modules_stand_above_their_rows_with_their_classes() -> None:
    shown = [(each.level, each.label, each.layer.class_name) for each in tree(_net())]
    assert shown == [
        (0, "input", ""),
        (0, "down", "DoubleConv"),
        (1, "layers", "Sequential"),
        (2, "0", "Conv2d"),
        (2, "2", "Conv2d"),
        (0, "head", "Conv2d"),
    ]


def test_a_module_is_the_sum_of_its_rows() -> None:
    by_name = {each.layer.name: each.layer for each in tree(_net())}
    # 3*3*3*8 + 8 and 3*3*8*8 + 8; outputs 14x14 and 12x12
    assert by_name["down"].params == (216 + 8) + (576 + 8)
    assert by_name["down"].macs == 216 * 14 * 14 + 576 * 12 * 12
    assert by_name["down"].output.shape == (1, 8, 12, 12)


def test_depth_bounds_the_tree() -> None:
    shown = [(each.label, each.is_module) for each in tree(_net(), depth=1)]
    assert shown == [("input", False), ("down", False), ("head", False)]


@pytest.mark.parametrize("name", ["googlenet-aux", "densenet121", "fractalnet20-cifar"])
@pytest.mark.parametrize("depth", [None, 2])
def test_rows_without_the_modules_add_up(name: str, depth: int | None) -> None:
    report = api.analyze(name).report
    branches = tree(report, depth=depth)
    rows = [each.layer for each in branches if not each.is_module]
    assert sorted(index for row in rows for index in row.nodes) == [*range(len(report.nodes))]
    for number, branch in enumerate(branches):
        if branch.is_module:
            below = []
            for each in branches[number + 1 :]:
                if each.level <= branch.level:
                    break
                if not each.is_module:
                    below.append(each.layer.params)
            assert branch.layer.params == sum(below)


def test_keras_says_the_class_of_a_nested_model() -> None:
    report = api.analyze("samples/handson.keras").report
    assert {row.name: row.class_name for row in report.layers}["dense"] == "Dense"
