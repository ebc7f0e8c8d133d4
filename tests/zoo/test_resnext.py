"""ResNeXt against products, torchvision's counts and the paper's tables."""

from dataclasses import replace

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError

TORCHVISION = {  # parameters, and MACs where torchvision's table gives GFLOPS of the same
    "resnext50-32x4d": (25_028_904, 4.23),
    "resnext101-32x8d": (88_791_336, 16.41),
    "resnext101-64x4d": (83_455_272, 15.46),
}
CIFAR = {"resnext29-8x64d": 34_426_698, "resnext29-16x64d": 68_155_210}


@pytest.mark.parametrize("name", TORCHVISION)
def test_imagenet_totals(name: str) -> None:
    totals = analyze(name).totals
    params, giga = TORCHVISION[name]
    assert totals.params == params
    assert round(totals.macs / 1e9, 2) == giga


def test_50_layers_to_the_unit() -> None:
    assert analyze("resnext50-32x4d").totals.macs == 4_230_479_872


def _cifar_params(cardinality: int, width: int) -> int:
    """Parameters of 29 layers: three stages of three bottlenecks, 256, 512, 1024 channels out."""
    total, before = 3 * 3 * 3 * 64 + 2 * 64, 64
    for stage, out in enumerate((256, 512, 1024)):
        group = width * 2**stage
        inner = cardinality * group
        for block in range(3):
            total += before * inner + cardinality * (3 * 3 * group * group) + inner * out
            total += 2 * (2 * inner + out)
            total += before * out + 2 * out if block == 0 else 0
            before = out
    return total + 1024 * 10 + 10


@pytest.mark.parametrize(("cardinality", "width"), [(8, 64), (16, 64), (32, 4), (1, 1)])
def test_cifar_parameters_by_hand(cardinality: int, width: int) -> None:
    name = f"resnext29-{cardinality}x{width}d"
    totals = analyze(name).totals
    assert totals.params == _cifar_params(cardinality, width) == CIFAR.get(name, totals.params)
    assert totals.depth == 29


def test_table_7_rounds_once_and_truncates_once() -> None:
    millions = {name: analyze(name).totals.params / 1e6 for name in CIFAR}
    assert round(millions["resnext29-8x64d"], 1) == 34.4
    assert int(millions["resnext29-16x64d"] * 10) / 10 == 68.1


def test_groups_and_widths_of_table_1() -> None:
    graph = load("resnext50-32x4d").graph
    shapes = {row.name: row.output.shape for row in analyze("resnext50-32x4d").layers}
    for stage in (2, 3, 4, 5):
        node = next(n for n in graph.nodes if n.name == f"conv{stage}_1/3x3")
        assert getattr(node.op, "groups") == 32  # noqa: B009 - not every operator has groups
        assert shapes[node.name][1] == 32 * 4 * 2 ** (stage - 2)
        assert shapes[f"conv{stage}_1/add"][1] == 256 * 2 ** (stage - 2)


def test_one_group_of_64_is_the_resnet() -> None:
    grouped, plain = analyze("resnext50-1x64d").totals, analyze("resnet50-v1.5").totals
    softmax = 1000 + 999 + 1000  # which v1.5 leaves to the loss
    assert replace(grouped, flops=grouped.flops - softmax) == plain


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnext30-8x64d", "9n+2; nearest are resnext29-8x64d, resnext38-8x64d"),
        ("resnext29-0x64d", "the cardinality must be 1 to 10000, got 0"),
        ("resnext50-32x0d", "the group width must be 1 to 10000, got 0"),
        ("resnext50-32", "unknown model"),
    ],
)
def test_illegal_names(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        load(name)
    assert message in str(error.value)
