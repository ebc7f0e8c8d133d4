"""AlexNet against the table of the lecture slides (one tower), the paper and torchvision."""

import pytest

from cnnstat.api import analyze

# The slides' table, row by row: output (c, h, w), weights, biases.
ONE_TOWER = {
    "input": ((3, 227, 227), 0, 0),
    "conv1": ((96, 55, 55), 11 * 11 * 3 * 96, 96),
    "pool1": ((96, 27, 27), 0, 0),
    "conv2": ((256, 27, 27), 5 * 5 * 96 * 256, 256),
    "pool2": ((256, 13, 13), 0, 0),
    "conv3": ((384, 13, 13), 3 * 3 * 256 * 384, 384),
    "conv4": ((384, 13, 13), 3 * 3 * 384 * 384, 384),
    "conv5": ((256, 13, 13), 3 * 3 * 384 * 256, 256),
    "pool5": ((256, 6, 6), 0, 0),
    "fc6": ((4096,), 6 * 6 * 256 * 4096, 4096),
    "fc7": ((4096,), 4096 * 4096, 4096),
    "fc8": ((1000,), 4096 * 1000, 1000),
}
PRINTED_WEIGHTS = [
    *(0, 34_848, 0, 614_400, 0, 884_736, 1_327_104, 884_736, 0),
    *(37_748_736, 16_777_216, 4_096_000),
]

# Weights that the kernel shapes of the paper imply: conv2, conv4 and conv5 read one GPU's maps.
TWO_GPUS = {
    "conv1": 2 * 48 * 11 * 11 * 3,
    "conv2": 2 * 128 * 5 * 5 * 48,
    "conv3": 384 * 3 * 3 * 256,
    "conv4": 2 * 192 * 3 * 3 * 192,
    "conv5": 2 * 128 * 3 * 3 * 192,
    "fc6": 6 * 6 * 256 * 4096,
    "fc7": 4096 * 4096,
    "fc8": 4096 * 1000,
}


def test_each_row_of_the_table() -> None:
    rows = analyze("alexnet").layers
    by_name = {row.name: (row.output.shape[1:], row.weights, row.biases) for row in rows}
    assert by_name == ONE_TOWER
    assert [row.weights for row in rows] == PRINTED_WEIGHTS


def test_one_tower_macs_by_layer() -> None:
    macs = {row.name: row.macs for row in analyze("alexnet").layers if row.macs}
    assert macs == {
        "conv1": 55 * 55 * 96 * 11 * 11 * 3,
        "conv2": 27 * 27 * 256 * 5 * 5 * 96,
        "conv3": 13 * 13 * 384 * 3 * 3 * 256,
        "conv4": 13 * 13 * 384 * 3 * 3 * 384,
        "conv5": 13 * 13 * 256 * 3 * 3 * 384,
        "fc6": 9216 * 4096,
        "fc7": 4096 * 4096,
        "fc8": 4096 * 1000,
    }


def test_two_gpus_hold_the_weights_of_the_paper() -> None:
    rows = analyze("alexnet-2gpu").layers
    assert {row.name: row.weights for row in rows if row.weights} == TWO_GPUS


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("alexnet", 62_378_344, 1_135_256_096),
        ("alexnet-2gpu", 60_965_224, 724_406_816),
        ("alexnet-owt", 61_100_840, 714_188_480),
    ],
)
def test_totals(name: str, params: int, macs: int) -> None:
    totals = analyze(name).totals
    assert (totals.params, totals.macs, totals.depth) == (params, macs, 5 + 3)


def test_groups_halve_conv2_conv4_conv5_and_nothing_else() -> None:
    one, two = (
        {row.name: row.macs for row in analyze(name).layers if row.macs}
        for name in ("alexnet", "alexnet-2gpu")
    )
    ratios = {name: (one[name] or 0) / (two[name] or 1) for name in one}
    assert {name for name, ratio in ratios.items() if ratio == 2} == {"conv2", "conv4", "conv5"}
    assert set(ratios.values()) == {1, 2}


@pytest.mark.parametrize("name", ["alexnet", "alexnet-2gpu"])
def test_lrn_follows_the_relu_of_conv1_and_conv2_in_front_of_the_pooling(name: str) -> None:
    order = [row.name for row in analyze(name).view(expand=True)]
    for layer in ("1", "2"):
        start = order.index(f"conv{layer}")
        assert order[start : start + 4] == [
            f"conv{layer}",
            f"conv{layer}/relu",
            f"conv{layer}/lrn",
            f"pool{layer}",
        ]
    assert sum("lrn" in step for step in order) == 2


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("alexnet", ["fc6", "fc6/relu", "fc6/dropout", "fc7", "fc7/relu", "fc7/dropout", "fc8"]),
        ("alexnet-owt", ["fc6/dropout", "fc6", "fc6/relu", "fc7/dropout", "fc7", "fc7/relu"]),
    ],
)
def test_dropout_stands_where_the_source_has_it(name: str, order: list[str]) -> None:
    steps = [row.name for row in analyze(name).view(expand=True)]
    start = steps.index("fc6/flatten") + 1
    assert steps[start : start + len(order)] == order


def test_poolings_overlap() -> None:
    details = {row.name: row.detail for row in analyze("alexnet").layers}
    assert [details[f"pool{index}"] for index in (1, 2, 5)] == ["3x3/2"] * 3


def test_owt_pools_any_input_to_6x6() -> None:
    larger = analyze("alexnet-owt", input=(288,))
    assert larger.totals.params == 61_100_840
    layer = larger.layer("avgpool")
    assert layer is not None
    assert layer.output.shape == (1, 256, 6, 6)
