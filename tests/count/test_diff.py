"""Two models aligned: what changed is what the papers say changed."""

import pytest

from cnnstat import api
from cnnstat.count.compare import DiffRow, diff
from cnnstat.zoo.catalog import names


def rows(left: str, right: str) -> tuple[DiffRow, ...]:
    return diff(api.analyze(left).report, api.analyze(right).report)


def named(differences: tuple[DiffRow, ...], change: str) -> list[str]:
    return [
        layer.name
        for row in differences
        if row.change == change and (layer := row.right or row.left)
    ]


def test_zfnet_changes_alexnets_convolutions() -> None:
    differences = rows("alexnet", "zfnet")
    assert named(differences, "same") == ["fc7", "fc8"]
    assert not named(differences, "added")
    assert not named(differences, "removed")
    conv1, conv3 = (
        next(r for r in differences if r.left and r.left.name == n) for n in ("conv1", "conv3")
    )
    assert set(conv1.fields) == {"detail", "input", "output", "params", "macs"}
    assert set(conv3.fields) == {"output", "params", "macs"}  # 384 to 512 filters, 13x13 as before


def test_the_stride_moves_into_the_3x3_in_v1_5() -> None:
    differences = rows("resnet50", "resnet50-v1.5")
    strides = [f"conv{stage}_1/{layer}" for stage in (3, 4, 5) for layer in ("1x1", "3x3")]
    assert named(differences, "changed") == [*strides, "fc"]
    assert differences[-1].fields == ("detail",)  # torchvision leaves the softmax to the loss
    assert len(differences) == len(api.analyze("resnet50").layers)


def test_a_bottleneck_adds_three_1x1_convolutions() -> None:
    differences = rows("inception-naive", "inception-bottleneck")
    assert named(differences, "added") == ["3x3_reduce", "5x5_reduce", "pool_proj"]
    assert named(differences, "changed") == ["3x3", "5x5", "output"]
    assert named(differences, "same") == ["input", "1x1", "pool"]


def test_models_without_common_names_are_aligned_by_what_their_layers_are() -> None:
    differences = rows("lenet5", "alexnet")
    pairs = [(r.left.name, r.right.name) for r in differences if r.left and r.right]
    assert pairs[:2] == [("input", "input"), ("C1", "conv1")]
    assert ("F6", "fc6") in pairs or ("F6", "fc7") in pairs


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "densenet121"])
def test_a_model_is_the_same_as_itself(name: str) -> None:
    assert {row.change for row in rows(name, name)} == {"same"}


@pytest.mark.parametrize("left", ["lenet5", "googlenet", "fractalnet20-cifar"])
@pytest.mark.parametrize("right", ["alexnet", "resnet18", "vgg11-bn"])
def test_no_layer_is_lost_or_moved(left: str, right: str) -> None:
    differences = rows(left, right)
    assert [r.left.name for r in differences if r.left] == [
        x.name for x in api.analyze(left).layers
    ]
    assert [r.right.name for r in differences if r.right] == [
        x.name for x in api.analyze(right).layers
    ]
    assert {left, right} <= set(names())
