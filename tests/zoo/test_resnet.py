"""ResNet against table 1 of He et al. 2015 and torchvision's parameter counts."""

import pytest

from cnnstat.api import analyze
from cnnstat.zoo.catalog import find_family

# (parameters, MACs): MACs of the 2015 form, parameters as torchvision's models hold them.
TOTALS = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 3_857_973_248),
    "resnet101": (44_549_160, 7_570_194_432),
    "resnet152": (60_192_808, 11_282_415_616),
}
PUBLISHED_GMACS = {"resnet18": 1.8, "resnet101": 7.6, "resnet152": 11.3}
BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


@pytest.mark.parametrize("name", TOTALS)
def test_totals(name: str) -> None:
    totals = analyze(name).totals
    assert (totals.params, totals.macs) == TOTALS[name]


@pytest.mark.parametrize("name", PUBLISHED_GMACS)
def test_table_1_rounds(name: str) -> None:
    assert round(analyze(name).totals.macs / 1e9, 1) == PUBLISHED_GMACS[name]


@pytest.mark.parametrize("name", BLOCKS)
def test_depth_is_stem_blocks_and_classifier(name: str) -> None:
    per_block = 2 if name in ("resnet18", "resnet34") else 3
    totals = analyze(name).totals
    assert totals.depth == 1 + per_block * sum(BLOCKS[name]) + 1 == int(name[6:])
    assert totals.paths == 2 ** sum(BLOCKS[name])


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_of_every_stage_is_there_at_its_extent(name: str) -> None:
    rows = {row.name: row.output.shape for row in analyze(name).layers}
    expansion = 1 if name in ("resnet18", "resnet34") else 4
    for stage, blocks in enumerate(BLOCKS[name], 2):
        extent, width = 224 // 2**stage, 64 * 2 ** (stage - 2) * expansion
        for block in range(1, blocks + 1):
            assert rows[f"conv{stage}_{block}/add"] == (1, width, extent, extent)
        assert f"conv{stage}_{blocks + 1}/add" not in rows


def test_stem_and_head() -> None:
    rows = {row.name: row for row in analyze("resnet50").layers}
    assert rows["conv1"].output.shape == (1, 64, 112, 112)
    assert (rows["conv1"].weights, rows["conv1"].biases) == (7 * 7 * 3 * 64 + 64, 64)
    assert rows["pool1"].output.shape == (1, 64, 56, 56)
    assert rows["pool5"].output.shape == (1, 2048, 1, 1)
    assert rows["fc"].params == 2048 * 1000 + 1000


def test_one_bottleneck_by_layer() -> None:
    rows = analyze("resnet50").layers
    by_name = {row.name: row.params for row in rows if row.path == "conv2_1"}
    assert by_name == {
        "conv2_1/1x1": 64 * 64 + 2 * 64,
        "conv2_1/3x3": 3 * 3 * 64 * 64 + 2 * 64,
        "conv2_1/1x1_expand": 64 * 256 + 2 * 256,
        "conv2_1/shortcut": 64 * 256 + 2 * 256,
        "conv2_1/add": 0,
    }


def test_shortcuts_project_where_the_shape_changes() -> None:
    def projected(name: str) -> list[str]:
        return [row.path for row in analyze(name).layers if row.name.endswith("/shortcut")]

    assert projected("resnet50") == ["conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    assert projected("resnet34") == ["conv3_1", "conv4_1", "conv5_1"]


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "resnet152"])
def test_v15_moves_the_stride_and_changes_no_parameter(name: str) -> None:
    old, new = analyze(name), analyze(f"{name}-v1.5")
    assert new.totals.params == old.totals.params
    # Three first 1x1 convolutions run at twice the extent: 56, 28 and 14 instead of 28, 14 and 7.
    extra = (
        (56 * 56 - 28 * 28) * 256 * 128
        + (28 * 28 - 14 * 14) * 512 * 256
        + (14 * 14 - 7 * 7) * 1024 * 512
    )
    assert new.totals.macs - old.totals.macs == extra
    rows = {row.name: row.detail for row in new.layers}
    assert rows["conv3_1/1x1"].startswith("1x1 ")
    assert rows["conv3_1/3x3"].startswith("3x3/2 ")


def test_v15_of_50_is_the_figure_of_torchvision() -> None:
    assert analyze("resnet50-v1.5").totals.macs == 4_089_184_256


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_option_a_saves_the_projections(name: str) -> None:
    full, plain = analyze(name).totals, analyze(f"{name}-a").totals
    shapes = ((64, 128, 28), (128, 256, 14), (256, 512, 7))
    assert full.macs - plain.macs == sum(c * d * extent * extent for c, d, extent in shapes)
    assert full.params - plain.params == sum(c * d + 2 * d for c, d, _ in shapes)
    assert plain.depth == full.depth


def test_option_a_of_34_rounds_to_the_published_figure() -> None:
    assert analyze("resnet34-a").totals.macs == 3_644_493_824


@pytest.mark.parametrize("name", find_family("resnet").names)
def test_no_convolution_has_a_bias_and_each_has_a_batch_norm(name: str) -> None:
    report = analyze(name)
    convolutions = [row for row in report.layers if row.type == "Conv2d"]
    assert all("BatchNorm2d" in row.detail for row in convolutions)
    assert all(row.biases == row.output.shape[1] for row in convolutions)


def test_the_stages_first_blocks_halve_the_extent_once() -> None:
    rows = {row.name: row.detail.split()[0] for row in analyze("resnet50").layers if row.detail}
    strided = {name for name, window in rows.items() if window.endswith("/2")}
    assert strided == {
        *("conv1", "pool1"),
        *(f"conv{stage}_1/{layer}" for stage in (3, 4, 5) for layer in ("1x1", "shortcut")),
    }
