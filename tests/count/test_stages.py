"""Stage tables against the papers' own, written out by hand."""

import pytest

from cnnstat import api
from cnnstat.count.report import Report, analyze
from cnnstat.count.stages import StageTable, stage_table
from cnnstat.ir.builder import Builder
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ops import Add, Concat, Conv2d, Flatten, GlobalAvgPool2d, Input, Linear, MaxPool2d

END = ("average pool", "1000-d fc", "softmax")
STEM, POOL = ("7x7, 64, stride 2",), ("3x3 max pool, stride 2",)


def table(*names: str) -> StageTable:
    return stage_table([(name, api.analyze(name).report) for name in names])


def column(name: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.size, row.cells[0]) for row in table(name).rows]


# He et al. 2015, table 1: blocks, and how often they stand in conv2_x to conv5_x.
BASIC = ("[3x3, {0}; 3x3, {0}]", (64, 128, 256, 512))
BOTTLENECK = ("[1x1, {0}; 3x3, {0}; 1x1, {1}]", (64, 128, 256, 512))
RESNETS = {
    "resnet18": (BASIC, (2, 2, 2, 2), "1.8"),
    "resnet34-a": (BASIC, (3, 4, 6, 3), "3.6"),
    "resnet50": (BOTTLENECK, (3, 4, 6, 3), "3.9"),
    "resnet101": (BOTTLENECK, (3, 4, 23, 3), "7.6"),
    "resnet152": (BOTTLENECK, (3, 8, 36, 3), "11.3"),
}


def test_resnets_table_is_that_of_the_paper() -> None:
    stages = table(*RESNETS)
    assert [(row.name, row.size) for row in stages.rows] == [
        ("conv1", "112x112"),
        ("pool1", "56x56"),
        ("conv2_x", "56x56"),
        ("conv3_x", "28x28"),
        ("conv4_x", "14x14"),
        ("conv5_x", "7x7"),
        ("pool5 ... fc", "1x1"),
    ]
    for index, ((text, widths), repeats, _) in enumerate(RESNETS.values()):
        blocks = [
            (f"{text.format(width, 4 * width)} x {count}",)
            for width, count in zip(widths, repeats, strict=True)
        ]
        assert [row.cells[index] for row in stages.rows] == [STEM, POOL, *blocks, END]


def test_the_last_row_is_the_papers_flops() -> None:
    stages = table(*RESNETS).macs
    assert [f"{macs / 10**9:.1f}" for macs in stages if macs] == [
        flops for _, _, flops in RESNETS.values()
    ]
    assert stages[2] == 3_857_973_248  # printed as 3.8, which it is cut off


# Simonyan and Zisserman 2015, table 1: A, A-LRN, B, C, D, E; pools are left out here.
VGG = {
    "vgg11": (["64"], ["128"], ["256"] * 2, ["512"] * 2),
    "vgg13": (["64"] * 2, ["128"] * 2, ["256"] * 2, ["512"] * 2),
    "vgg16": (["64"] * 2, ["128"] * 2, ["256"] * 3, ["512"] * 3),
    "vgg19": (["64"] * 2, ["128"] * 2, ["256"] * 4, ["512"] * 4),
}


@pytest.mark.parametrize("name", VGG)
def test_vggs_configurations_are_those_of_the_paper(name: str) -> None:
    one, two, three, four = VGG[name]
    stages = [tuple(f"conv3-{width}" for width in stage) for stage in (one, two, three, four, four)]
    expected: list[tuple[str, tuple[str, ...]]] = []
    for extent, cell in zip((224, 112, 56, 28, 14), stages, strict=True):
        expected += [(f"{extent}x{extent}", cell), (f"{extent // 2}x{extent // 2}", ("maxpool",))]
    expected.append(("1x1", ("FC-4096", "FC-4096", "FC-1000", "soft-max")))
    assert column(name) == expected


def test_vgg_a_lrn_and_c_differ_from_a_and_d_where_the_paper_says() -> None:
    lrn, plain = dict(column("vgg11-lrn")), dict(column("vgg11"))
    assert lrn["224x224"] == ("conv3-64", "LRN")
    assert {size for size in plain if plain[size] != lrn[size]} == {"224x224"}
    rows = [cell for _, cell in column("vgg16-1x1")]
    assert rows[4] == ("conv3-256", "conv3-256", "conv1-256")
    assert rows[6] == rows[8] == ("conv3-512", "conv3-512", "conv1-512")


def test_the_configurations_side_by_side_share_their_rows() -> None:
    stages = table("vgg11", "vgg16", "vgg19")
    assert [row.name for row in stages.rows] == [
        *("conv1_x", "pool1", "conv2_x", "pool2", "conv3_x", "pool3"),
        *("conv4_x", "pool4", "conv5_x", "pool5", "fc6 ... fc8"),
    ]


def test_inception_modules_show_every_branch() -> None:
    cells = dict(column("googlenet"))
    assert cells["28x28"] == (
        "[1x1, 64 | 1x1, 96; 3x3, 128 | 1x1, 16; 5x5, 32 | 3x3 max pool; 1x1, 32]",
        "[1x1, 128 | 1x1, 128; 3x3, 192 | 1x1, 32; 5x5, 96 | 3x3 max pool; 1x1, 64]",
    )
    naive = "[1x1, 128 | 3x3, 192 | 5x5, 96 | 3x3 max pool]"
    assert column("inception-naive") == [("28x28", (naive,))]


def test_densenets_table_is_that_of_the_paper() -> None:
    assert column("densenet121") == [
        ("112x112", STEM),
        ("56x56", POOL),
        ("56x56", ("[1x1, 128; 3x3, 32] x 6",)),
        ("28x28", ("[1x1, 128; 2x2 average pool, stride 2]", "[1x1, 128; 3x3, 32] x 12")),
        ("14x14", ("[1x1, 256; 2x2 average pool, stride 2]", "[1x1, 128; 3x3, 32] x 24")),
        ("7x7", ("[1x1, 512; 2x2 average pool, stride 2]", "[1x1, 128; 3x3, 32] x 16")),
        ("1x1", END),
    ]


def test_groups_are_named() -> None:
    assert column("resnext50-32x4d")[2] == (
        "56x56",
        ("[1x1, 128; 3x3, 128, C=32; 1x1, 256] x 3",),
    )
    assert column("mobilenet")[3] == (
        "14x14",
        ("[3x3 dw, 256; 1x1, 512]", "[3x3 dw, 512; 1x1, 512] x 5"),
    )
    assert ("27x27", ("conv5-256, C=2", "LRN")) in column("alexnet-2gpu")


def test_plain_nets_have_one_entry_per_layer() -> None:
    assert column("alexnet") == [
        ("55x55", ("conv11-96, stride 4", "LRN")),
        ("27x27", ("maxpool",)),
        ("27x27", ("conv5-256", "LRN")),
        ("13x13", ("maxpool",)),
        ("13x13", ("conv3-384", "conv3-384", "conv3-256")),
        ("6x6", ("maxpool",)),
        ("1x1", ("FC-4096", "FC-4096", "FC-1000", "soft-max")),
    ]
    assert column("lenet5")[-1] == ("1x1", ("conv5-120", "FC-84", "RBF-10"))
    assert ("55x55", ("deconv5-96, stride 2",)) in column("zfnet-deconv")


def test_a_fractal_block_is_counted() -> None:
    # 20 layers: blocks of 3 columns with 1 + 2 + 4 = 7 convolutions
    assert column("fractalnet20-cifar")[0] == ("32x32", ("[7 of 3x3, 64]",))


def test_rows_of_different_models_stand_by_falling_extent() -> None:
    stages = table("alexnet", "resnet18")
    extents = [int(row.size.split("x")[0]) for row in stages.rows]
    assert extents == sorted(extents, reverse=True)
    assert all(any(row.cells) for row in stages.rows)


def _flat() -> Report:
    """Return a report of a model without module names: one residual, one parallel module."""
    b = Builder("flat")
    x = b.add("stem", Conv2d(8, (3, 3), padding=(1, 1)), b.add("input", Input((3, 16, 16))))
    y = b.add("a", Conv2d(8, (3, 3), padding=(1, 1)), x)
    y = b.add("b", Conv2d(8, (3, 3), padding=(1, 1)), y)
    x = b.add("sum", Add(), y, x)
    left = b.add("left", Conv2d(4, (1, 1)), x)
    right = b.add("right", MaxPool2d((3, 3), stride=(1, 1), padding=(1, 1)), x)
    x = b.add("cat", Concat(), left, right)
    x = b.add("flat", Flatten(), b.add("gap", GlobalAvgPool2d(), x))
    return analyze(infer_shapes(b.graph(b.add("fc", Linear(5), x)), {}))


def test_modules_are_found_without_names() -> None:
    stages = stage_table([("flat", _flat())])
    assert [row.cells[0] for row in stages.rows] == [
        ("3x3, 8", "[3x3, 8; 3x3, 8]", "[1x1, 4 | 3x3 max pool]"),
        ("average pool", "5-d fc"),
    ]


def test_a_stage_that_models_name_differently_has_two_names_at_most() -> None:
    rows = {row.size: row.name for row in table("resnet18", "vgg16").rows if row.size == "112x112"}
    assert rows == {"112x112": "conv1 / conv2_x"}
    last = table("resnet18", "vgg16", "mobilenet").rows[-1]
    assert last.name == "pool5 ... fc / ..."
