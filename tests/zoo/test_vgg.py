"""VGG against table 1 of the paper, the lecture's table of VGG-16, and torchvision's counts."""

import pytest

from cnnstat.api import analyze

# Parameters as torchvision's models hold them; C and A-LRN are not in torchvision.
PARAMS = {
    "vgg11": 132_863_336,
    "vgg11-lrn": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16-1x1": 133_047_848 + (256**2 + 256) + 2 * (512**2 + 512),
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11-bn": 132_868_840,
    "vgg13-bn": 133_053_736,
    "vgg16-bn": 138_365_992,
    "vgg19-bn": 143_678_248,
}
MACS = {
    "vgg11": 7_609_090_048,
    "vgg13": 11_308_466_176,
    "vgg16": 15_470_264_320,
    "vgg19": 19_632_062_464,
}
DEPTHS = {"vgg11": 11, "vgg11-lrn": 11, "vgg13": 13, "vgg16-1x1": 16, "vgg16": 16, "vgg19": 19}

# The lecture's table: name, elements of the output, weights (biases left out).
VGG16_ROWS = [
    ("input", 224 * 224 * 3, 0),
    ("conv1_1", 224 * 224 * 64, (3 * 3 * 3) * 64),
    ("conv1_2", 224 * 224 * 64, (3 * 3 * 64) * 64),
    ("pool1", 112 * 112 * 64, 0),
    ("conv2_1", 112 * 112 * 128, (3 * 3 * 64) * 128),
    ("conv2_2", 112 * 112 * 128, (3 * 3 * 128) * 128),
    ("pool2", 56 * 56 * 128, 0),
    ("conv3_1", 56 * 56 * 256, (3 * 3 * 128) * 256),
    ("conv3_2", 56 * 56 * 256, (3 * 3 * 256) * 256),
    ("conv3_3", 56 * 56 * 256, (3 * 3 * 256) * 256),
    ("pool3", 28 * 28 * 256, 0),
    ("conv4_1", 28 * 28 * 512, (3 * 3 * 256) * 512),
    ("conv4_2", 28 * 28 * 512, (3 * 3 * 512) * 512),
    ("conv4_3", 28 * 28 * 512, (3 * 3 * 512) * 512),
    ("pool4", 14 * 14 * 512, 0),
    ("conv5_1", 14 * 14 * 512, (3 * 3 * 512) * 512),
    ("conv5_2", 14 * 14 * 512, (3 * 3 * 512) * 512),
    ("conv5_3", 14 * 14 * 512, (3 * 3 * 512) * 512),
    ("pool5", 7 * 7 * 512, 0),
    ("fc6", 4096, 7 * 7 * 512 * 4096),
    ("fc7", 4096, 4096 * 4096),
    ("fc8", 1000, 4096 * 1000),
]


def test_vgg16_row_by_row() -> None:
    rows = analyze("vgg16").layers
    assert [(row.name, row.activation_bytes // 4, row.weights) for row in rows] == VGG16_ROWS


def test_vgg16_memory_by_both_accountings() -> None:
    totals = analyze("vgg16").totals
    values = sum(elements for _, elements, _ in VGG16_ROWS)
    assert totals.activation_bytes == 4 * values == 4 * 15_237_608
    weighted = [index for index, row in enumerate(VGG16_ROWS) if row[2]]
    cached = sum(VGG16_ROWS[index - 1][1] for index in weighted)
    assert totals.cached_activation_bytes == 4 * (values + cached) == 4 * 24_352_744


def test_vgg16_weights_and_biases() -> None:
    totals = analyze("vgg16").totals
    assert (totals.weights, totals.biases) == (138_344_128, 13_416)


def test_vgg16_macs_are_positions_times_weights() -> None:
    macs = {row.name: row.macs for row in analyze("vgg16").layers if row.macs}
    assert macs == {
        name: weights * (1 if name.startswith("fc") else (224 >> int(name[4]) - 1) ** 2)
        for name, _, weights in VGG16_ROWS
        if weights
    }


@pytest.mark.parametrize("name", PARAMS)
def test_params(name: str) -> None:
    assert analyze(name).totals.params == PARAMS[name]


@pytest.mark.parametrize("name", MACS)
def test_macs(name: str) -> None:
    assert analyze(name).totals.macs == MACS[name]
    assert analyze(f"{name}-bn").totals.macs == MACS[name]


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_the_number_of_weight_layers(name: str) -> None:
    assert analyze(name).totals.depth == DEPTHS[name]


def test_c_adds_three_1x1_convolutions_to_b() -> None:
    def convolutions(name: str) -> dict[str, str]:
        rows = analyze(name).layers
        return {row.name: row.detail.split()[0] for row in rows if row.type == "Conv2d"}

    extra = convolutions("vgg16-1x1").items() - convolutions("vgg13").items()
    assert dict(extra) == {"conv3_3": "1x1", "conv4_3": "1x1", "conv5_3": "1x1"}


def test_a_lrn_has_one_lrn_behind_conv1_1() -> None:
    steps = [row.name for row in analyze("vgg11-lrn").view(expand=True)]
    assert [step for step in steps if "lrn" in step] == ["conv1_1/lrn"]
