"""MobileNet against tables 1, 4, 6 and 7 of Howard et al. 2017."""

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError

# Table 6: multiply-adds and parameters in millions.
TABLE_6 = {
    "mobilenet": (569, 4.2),
    "mobilenet-0.75": (325, 2.6),
    "mobilenet-0.5": (149, 1.3),
    "mobilenet-0.25": (41, 0.5),
}
TABLE_7 = {224: 569, 192: 418, 160: 290, 128: 186}
WIDTHS = (64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024)
SIDES = (112, 56, 56, 28, 28, *(14,) * 6, 7, 7)


def test_totals_by_hand() -> None:
    params, macs = 27 * 32 + 2 * 32, 27 * 32 * 112 * 112
    channels = 32
    for width, side in zip(WIDTHS, SIDES, strict=True):
        params += 9 * channels + 2 * channels + channels * width + 2 * width
        macs += (9 * channels + channels * width) * side * side
        channels = width
    params += 1024 * 1000 + 1000
    totals = analyze("mobilenet").totals
    assert (totals.params, totals.macs) == (params, macs + 1024 * 1000)
    assert (totals.params, totals.macs) == (4_231_976, 568_740_352)
    assert totals.depth == 28


@pytest.mark.parametrize("name", TABLE_6)
def test_table_6_rounds(name: str) -> None:
    totals = analyze(name).totals
    assert (round(totals.macs / 1e6), round(totals.params / 1e6, 1)) == TABLE_6[name]


@pytest.mark.parametrize("side", TABLE_7)
def test_table_7(side: int) -> None:
    # 568.74 is printed rounded, 290.68 truncated
    millions = analyze("mobilenet", input=(side,)).totals.macs // 10**6
    assert TABLE_7[side] in (millions, millions + 1)


def test_full_convolutions_by_hand() -> None:
    params, macs, channels = 27 * 32 + 2 * 32, 27 * 32 * 112 * 112, 32
    for width, side in zip(WIDTHS, SIDES, strict=True):
        params += 9 * channels * width + 2 * width
        macs += 9 * channels * width * side * side
        channels = width
    totals = analyze("mobilenet-standard").totals
    assert totals.params == params + 1024 * 1000 + 1000
    assert totals.macs == macs + 1024 * 1000
    assert round(totals.params / 1e6, 1) == 29.3
    assert round(macs / 1e6) == 4866  # table 4 leaves the fully connected layer out
    assert totals.depth == 15


def test_layers_have_the_names_and_shapes_of_table_1() -> None:
    report = analyze("mobilenet")
    shapes = {
        "conv1": (32, 112, 112),
        "conv2_1/dw": (32, 112, 112),
        "conv2_1/sep": (64, 112, 112),
        "conv2_2/dw": (64, 56, 56),
        "conv5_5/sep": (512, 14, 14),
        "conv5_6/dw": (512, 7, 7),
        "conv6/sep": (1024, 7, 7),
        "pool6": (1024, 1, 1),
        "fc7": (1000,),
    }
    for name, shape in shapes.items():
        layer = report.layer(name)
        assert layer is not None
        assert layer.output.shape == (1, *shape)


def test_aliases_and_odd_multipliers() -> None:
    assert load("mobilenet_1.0").graph.name == "mobilenet"
    thin = analyze("mobilenet-0.03125")
    layer = thin.layer("conv1")
    assert layer is not None
    assert layer.output.shape == (1, 1, 112, 112)
    assert analyze("mobilenet-1.5").totals.macs > analyze("mobilenet").totals.macs


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mobilenet-0.35", ("11.2", "mobilenet-0.34375, mobilenet-0.375")),
        ("mobilenet-1.01", ("whole number", "nearest are mobilenet, mobilenet-1.03125")),
        ("mobilenet-0.01", ("nearest is mobilenet-0.03125",)),
        ("mobilenet-0", ("above 0",)),
        ("mobilenet-101", ("at most 100",)),
        ("mobilenet-x", ("mobilenet-<width multiplier>",)),
    ],
)
def test_illegal_names(name: str, said: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        load(name)
    assert all(part in str(error.value) for part in said)


def test_errors_of_the_card_are_what_the_accuracies_leave() -> None:
    card = load("mobilenet-0.75").card
    assert card is not None
    assert [entry.top1_error for entry in card.accuracy] == [31.6]  # 100 - 68.4
