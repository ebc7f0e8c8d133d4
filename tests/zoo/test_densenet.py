"""DenseNet against tables 1 and 2 of Huang et al. 2017 and torchvision's parameter counts."""

import pytest

from cnnstat.api import analyze, load
from cnnstat.errors import UsageError
from cnnstat.zoo.densenet import CIFAR, IMAGENET

# Parameters as torchvision's models hold them (264 is not among them).
PARAMS = {
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
}
# Table 2, in millions.
PUBLISHED_PARAMS = {
    "densenet40-12-cifar": 1.0,
    "densenet100-12-cifar": 7.0,
    "densenet100-24-cifar": 27.2,
    "densenet-bc100-12-cifar": 0.8,
    "densenet-bc250-24-cifar": 15.3,
    "densenet-bc190-40-cifar": 25.6,
}


@pytest.mark.parametrize("name", PARAMS)
def test_parameters(name: str) -> None:
    assert analyze(name).totals.params == PARAMS[name]


@pytest.mark.parametrize("name", PUBLISHED_PARAMS)
def test_table_2_rounds(name: str) -> None:
    assert round(analyze(name).totals.params / 1e6, 1) == PUBLISHED_PARAMS[name]


def _bottlenecked(channels: int, growth: int) -> int:
    """BN, 1x1 to 4k, BN, 3x3 to k."""
    return 2 * channels + channels * 4 * growth + 2 * 4 * growth + 9 * 4 * growth * growth


def test_264_layers_by_hand() -> None:
    params, channels = 7 * 7 * 3 * 64 + 2 * 64, 64
    for stage, count in enumerate((6, 12, 64, 48)):
        if stage:  # a transition: BN and a 1x1 to half
            params += 2 * channels + channels * channels // 2
            channels //= 2
        for _ in range(count):
            params += _bottlenecked(channels, 32)
            channels += 32
    params += 2 * channels + channels * 1000 + 1000
    totals = analyze("densenet264").totals
    assert totals.params == params
    # conv1, 130 layers of 2, 3 transitions, fc: one more than the name says
    assert totals.depth == 1 + 2 * (6 + 12 + 64 + 48) + 3 + 1 == 265


def test_plain_cifar_by_hand() -> None:
    params, channels, macs = 9 * 3 * 16, 16, 9 * 3 * 16 * 32 * 32
    for stage, side in enumerate((32, 16, 8)):
        if stage:  # a transition keeps the channels and is computed before the pooling
            params += 2 * channels + channels * channels
            macs += channels * channels * (2 * side) ** 2
        for _ in range(12):
            params += 2 * channels + 9 * channels * 12
            macs += 9 * channels * 12 * side * side
            channels += 12
    assert channels == 16 + 3 * 12 * 12
    params += 2 * channels + channels * 10 + 10
    totals = analyze("densenet40-12-cifar").totals
    assert (totals.params, totals.macs) == (params, macs + channels * 10)
    assert totals.depth == 40


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet169", "densenet201"])
def test_the_name_is_the_depth(name: str) -> None:
    assert analyze(name).totals.depth == int(name.removeprefix("densenet"))


@pytest.mark.parametrize("name", CIFAR)
def test_the_cifar_name_is_the_depth(name: str) -> None:
    digits = name.removeprefix("densenet").removeprefix("-bc").split("-")[0]
    assert analyze(name).totals.depth == int(digits)


def test_stage_shapes_of_table_1() -> None:
    report = analyze("densenet121")
    shapes = {
        "conv1": (64, 112, 112),
        "pool1": (64, 56, 56),
        "conv2_block6/concat": (64 + 6 * 32, 56, 56),
        "transition2/pool": (128, 28, 28),
        "conv3_block12/concat": (128 + 12 * 32, 28, 28),
        "transition3/pool": (256, 14, 14),
        "conv4_block24/concat": (256 + 24 * 32, 14, 14),
        "transition4/pool": (512, 7, 7),
        "conv5_block16/concat": (512 + 16 * 32, 7, 7),
        "pool": (1024, 1, 1),
    }
    for name, shape in shapes.items():
        layer = report.layer(name)
        assert layer is not None
        assert layer.output.shape == (1, *shape)


def test_a_norm_that_shares_its_input_has_memory_of_its_own() -> None:
    report = analyze("densenet121")
    first = report.layer("conv2_block1/bn1")
    assert first is not None
    assert (first.activation_bytes, first.detail) == (4 * 64 * 56 * 56, "ReLU")
    # the second norm has its input to itself and belongs to the 1x1's row
    assert "conv2_block1/bn2" not in {layer.name for layer in report.layers}
    squeeze = report.layer("conv2_block1/1x1")
    assert squeeze is not None
    assert squeeze.params == 64 * 128 + 2 * 128


def test_any_legal_depth_and_growth() -> None:
    totals = analyze("densenet_bc16-5-cifar").totals
    assert totals.depth == 16
    assert load("densenet22-7-cifar").card is not None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("densenet-bc100-13.5-cifar", ("whole number", "bc100-13-cifar", "bc100-14-cifar")),
        ("densenet41-12-cifar", ("3n+4", "densenet40-12-cifar", "densenet43-12-cifar")),
        ("densenet-bc101-12-cifar", ("6n+4", "densenet-bc100-12-cifar", "densenet-bc106-12")),
        ("densenet4-12-cifar", ("3n+4", "nearest is densenet7-12-cifar")),
        ("densenet40-0.5-cifar", ("whole number", "nearest is densenet40-1-cifar")),
        ("densenet40-0-cifar", ("growth rate", "got 0")),
        ("densenet40-99999999-cifar", ("growth rate",)),
        ("densenet99999999-12-cifar", ("too large",)),
        ("densenet122", ("densenet121", "densenet<depth>-<growth rate>-cifar")),
    ],
)
def test_illegal_names(name: str, said: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        load(name)
    assert all(part in str(error.value) for part in said)


def test_cards_hold_the_papers_errors() -> None:
    card = load("densenet-bc190-40-cifar").card
    assert card is not None
    assert [entry.top1_error for entry in card.accuracy] == [3.46, 17.18]
    assert all(load(name).card for name in IMAGENET)
