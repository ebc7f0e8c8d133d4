"""Wide ResNets against products, the paper's table and torchvision's counts."""

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError

# Table 5 prints millions; pytorchcv and torchvision give the unit.
MILLIONS = {"wrn-40-4": 8.9, "wrn-16-8": 11.0, "wrn-28-10": 36.5}
EXACT = {
    "wrn-28-10": 36_479_194,
    "wrn-16-10": 17_116_634,
    "wrn-40-8": 35_748_314,
    "wide-resnet50-2": 68_883_240,
    "wide-resnet101-2": 126_886_696,
}


def _params(n: int, k: int) -> int:
    total, before = 3 * 3 * 3 * 16 + 2 * 16, 16
    for width in (16 * k, 32 * k, 64 * k):
        for unit in range(n):
            total += 3 * 3 * before * width + 3 * 3 * width * width + 2 * width
            total += before * width if unit == 0 and before != width else 0
            total += 0 if before == 16 and unit == 0 and width == 16 * k else 2 * before
            before = width
    return total + 2 * before + before * 10 + 10


@pytest.mark.parametrize(("n", "k"), [(2, 8), (4, 10), (6, 4), (6, 1), (1, 3)])
def test_parameters_by_hand(n: int, k: int) -> None:
    name = f"wrn-{6 * n + 4}-{k}"
    totals = analyze(name).totals
    assert totals.params == _params(n, k)
    # The name counts three shortcut convolutions that are not on the longest path.
    assert totals.depth == 6 * n + 4 - 2


@pytest.mark.parametrize("name", EXACT)
def test_parameters_to_the_unit(name: str) -> None:
    assert analyze(name).totals.params == EXACT[name]


@pytest.mark.parametrize("name", MILLIONS)
def test_table_5_rounds(name: str) -> None:
    assert round(analyze(name).totals.params / 1e6, 1) == MILLIONS[name]


def test_k_times_the_channels_are_k_squared_times_the_weights_of_a_unit() -> None:
    narrow, wide = analyze("wrn-16-2"), analyze("wrn-16-8")
    unit = "stage3/unit2/conv2"
    one, other = narrow.layer(unit), wide.layer(unit)
    assert one is not None
    assert other is not None
    assert other.output.shape[1] == 4 * one.output.shape[1]
    weights = [row.weights for row in (one, other)]
    assert weights == [3 * 3 * 128 * 128, 3 * 3 * 512 * 512]
    assert weights[1] == 4**2 * weights[0]


def test_inner_width_alone_is_doubled_on_imagenet() -> None:
    rows = {row.name: row.output.shape for row in analyze("wide-resnet50-2").layers}
    assert rows["conv2_1/3x3"] == (1, 128, 56, 56)
    assert rows["conv2_1/add"] == (1, 256, 56, 56)
    assert rows["conv5_3/3x3"] == (1, 1024, 7, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrn-27-10", "is 6n+4; nearest are wrn-22-10, wrn-28-10"),
        ("wrn-4-2", "is 6n+4; nearest is wrn-10-2"),
        ("wrn-28-0", "the widening factor must be 1 to 10000, got 0"),
        ("wrn-28-10001", "the widening factor must be 1 to 10000, got 10001"),
    ],
)
def test_illegal_names(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        load(name)
    assert message in str(error.value)
