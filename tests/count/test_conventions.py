"""Counts of every convention for every operator that its tool knows, as products by hand.

Each figure was read off the tool itself (versions in ``Convention.source``), on one image.
"""

import csv
from pathlib import Path

import pytest

from cnnstat import ops
from cnnstat.api import analyze as analyze_model
from cnnstat.count import toolrules
from cnnstat.count.conventions import CONVENTIONS, convention
from cnnstat.count.report import analyze
from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.op import Op
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    Attention,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    GlobalAvgPool2d,
    GroupNorm,
    Input,
    InstanceNorm,
    Interpolate,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MatMul,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    Nonlinearity,
    Opaque,
    PReLU,
    Recurrent,
    ReLU,
    RMSNorm,
    Softmax,
    Subsampling,
)
from cnnstat.zoo.catalog import names

TOOLS = ("torch", "fvcore", "torchinfo", "thop", "thop-2021", "ptflops", "ptflops-aten")
RESNET50_V15 = {
    "paper": 4_089_184_256,
    "torch": 8_178_368_512,
    "fvcore": 4_111_512_576,
    "thop": 4_133_742_592,
    "thop-2021": 4_111_514_624,
}
MAP = (4, 9, 10)
ELEMENTS = 4 * 9 * 10
LINE, VOLUME = (4, 17), (4, 3, 9, 10)
IN_LINE, IN_VOLUME = 4 * 17, 4 * 3 * 9 * 10

# Operator, input, and what torch, fvcore, torchinfo, thop, thop-2021, ptflops and its aten backend
# count. The convolutions put out 6 maps; the strided ones 5x5, the others 7x8.
CONV, CONV_BIAS = 7 * 8 * 6 * 2 * 9, 7 * 8 * 6
STRIDED = 5 * 5 * 6 * 4 * 9
SPREAD, SPREAD_OUT = ELEMENTS * 3 * 9, 6 * 19 * 21
LSTM = 4 * 6 * (10 + 6)
CASES: dict[str, tuple[Op, tuple[int, ...], tuple[int, ...]]] = {
    "grouped convolution": (
        Conv2d(6, (3, 3), groups=2),
        MAP,
        (2 * CONV, CONV, CONV + CONV_BIAS, CONV, *[CONV + CONV_BIAS] * 3),
    ),
    "convolution without bias": (
        Conv2d(6, (3, 3), (2, 2), (1, 1), bias=False),
        MAP,
        (2 * STRIDED, *[STRIDED] * 6),
    ),
    "transposed convolution": (
        ConvTranspose2d(6, (3, 3), (2, 2), groups=2),
        MAP,
        (
            2 * SPREAD,
            SPREAD,
            19 * 21 * (4 * 3 * 9 + 6),
            SPREAD_OUT * 2 * 9,
            SPREAD_OUT * (2 * 9 + 1),
            SPREAD + SPREAD_OUT,
            SPREAD + SPREAD_OUT,
        ),
    ),
    "fully connected": (Linear(5), (10,), (2 * 50, 50, 55, 50, 50, 55, 55)),
    "sequence of vectors": (Linear(5), (7, 10), (700, 350, 55, 350, 350, 385, 385)),
    "batch norm": (BatchNorm2d(), MAP, (0, 2 * ELEMENTS, 8, 4 * ELEMENTS, *[2 * ELEMENTS] * 2, 0)),
    "batch norm, not affine": (
        BatchNorm2d(affine=False),
        MAP,
        (0, ELEMENTS, 0, 2 * ELEMENTS, 2 * ELEMENTS, ELEMENTS, 0),
    ),
    "layer norm": (LayerNorm(), MAP, (0, 5 * ELEMENTS, 20, 4 * ELEMENTS, 0, ELEMENTS, 0)),
    "group norm": (GroupNorm(2), MAP, (0, 5 * ELEMENTS, 8, 0, 0, 2 * ELEMENTS, 0)),
    "instance norm": (InstanceNorm(), MAP, (0, 4 * ELEMENTS, 0, 2 * ELEMENTS, 0, ELEMENTS, 0)),
    "RMS norm": (RMSNorm(), MAP, (0, 0, 10, 0, 0, 0, 0)),
    "local response norm": (
        LocalResponseNorm(5),
        (11, 9, 10),
        (0, 0, 0, 0, 0, 3 * 11 * 90 + (11 + 4) * 90, 0),
    ),
    "ReLU": (ReLU(), MAP, (0, 0, 0, 0, 0, 2 * ELEMENTS, 0)),
    "PReLU": (PReLU(4), MAP, (0, 0, 4, ELEMENTS, 0, 2 * ELEMENTS, 0)),
    "leaky ReLU": (Nonlinearity("LeakyReLU"), MAP, (0, 0, 0, 0, ELEMENTS, ELEMENTS, 0)),
    "ReLU6": (Nonlinearity("ReLU6"), MAP, (0, 0, 0, 0, 0, ELEMENTS, 0)),
    "GELU": (Nonlinearity("GELU"), MAP, (0, 0, 0, 0, 0, 2 * ELEMENTS, 0)),
    "hard swish": (Nonlinearity("Hardswish"), MAP, (0, 0, 0, 0, 0, 0, 0)),
    "softmax": (Softmax(), (10,), (0, 0, 0, 10 + 9 + 10, 0, 10, 0)),
    "max-pooling": (MaxPool2d((3, 3), (2, 2), (1, 1)), MAP, (0, 0, 0, 0, 0, 2 * ELEMENTS, 0)),
    "mean-pooling": (
        AvgPool2d((3, 3), (2, 2), (1, 1)),
        MAP,
        (0, 0, 0, 4 * 5 * 5, 4 * 5 * 5, 2 * ELEMENTS, 0),
    ),
    "adaptive mean-pooling": (  # 9x10 to 4x3: 2.25 * 3.33 taps, 2 * 3 with whole numbers
        AdaptiveAvgPool2d((4, 3)),
        MAP,
        (0, ELEMENTS, 0, ELEMENTS + 48, (2 * 3 + 1) * 48, 2 * ELEMENTS, 0),
    ),
    "global mean-pooling": (
        GlobalAvgPool2d(),
        MAP,
        (0, ELEMENTS, 0, ELEMENTS + 4, ELEMENTS + 4, 2 * ELEMENTS, 0),
    ),
    "adaptive max-pooling": (AdaptiveMaxPool2d((4, 3)), MAP, (0, 0, 0, 0, 0, 2 * ELEMENTS, 0)),
    "max-pooling of lines": (MaxPool1d((3,), (2,), (1,)), LINE, (0, 0, 0, 0, 0, 2 * IN_LINE, 0)),
    "max-pooling of volumes": (
        MaxPool3d((1, 3, 2), (1, 2, 2), (0, 1, 0)),
        VOLUME,
        (0, 0, 0, 0, 0, 2 * IN_VOLUME, 0),
    ),
    "dilated max-pooling": (
        MaxPool2d((3, 3), (1, 1), dilation=(2, 2)),
        MAP,
        (0, 0, 0, 0, 0, 2 * ELEMENTS, 0),
    ),
    "mean-pooling of lines": (
        AvgPool1d((3,), (2,), (1,)),
        LINE,
        (0, 0, 0, 4 * 9, 4 * 9, 2 * IN_LINE, 0),
    ),
    "mean-pooling of volumes": (
        AvgPool3d((1, 3, 2), (1, 2, 2), (0, 1, 0)),
        VOLUME,
        (0, 0, 0, *[4 * 3 * 5 * 5] * 2, 2 * IN_VOLUME, 0),
    ),
    "adaptive mean-pooling of lines": (  # 17 to 5: 3.4 taps, 3 in whole numbers
        AdaptiveAvgPool1d((5,)),
        LINE,
        (0, 0, 0, IN_LINE + 4 * 5, (3 + 1) * 4 * 5, 2 * IN_LINE, 0),
    ),
    "adaptive mean-pooling of volumes": (  # 3x9x10 to 2x4x3: 1 * 2 * 3 taps in whole numbers
        AdaptiveAvgPool3d((2, 4, 3)),
        VOLUME,
        (0, 0, 0, IN_VOLUME + 96, (1 * 2 * 3 + 1) * 96, 2 * IN_VOLUME, 0),
    ),
    "global mean-pooling of volumes": (
        AdaptiveAvgPool3d((1, 1, 1)),
        VOLUME,
        (0, 0, 0, IN_VOLUME + 4, IN_VOLUME + 4, 2 * IN_VOLUME, 0),
    ),
    "adaptive max-pooling of lines": (
        AdaptiveMaxPool1d((5,)),
        LINE,
        (0, 0, 0, 0, 0, 2 * IN_LINE, 0),
    ),
    "adaptive max-pooling of volumes": (
        AdaptiveMaxPool3d((2, 4, 3)),
        VOLUME,
        (0, 0, 0, 0, 0, 2 * IN_VOLUME, 0),
    ),
    "LeNet's subsampling": (Subsampling((2, 2)), MAP, (0, 0, 8, 0, 0, ELEMENTS, 0)),
    "nearest": (
        Interpolate((18, 20)),
        MAP,
        (0, 4 * ELEMENTS, 0, 4 * ELEMENTS, 0, 2 * 4 * ELEMENTS, 0),
    ),
    "bilinear": (
        Interpolate((18, 20), "linear"),
        MAP,
        (0, *[16 * ELEMENTS, 0], *[11 * 4 * ELEMENTS] * 2, 2 * 4 * ELEMENTS, 0),
    ),
    "bicubic": (
        Interpolate((18, 20), "bicubic"),
        MAP,
        (0, 0, 0, *[259 * 4 * ELEMENTS] * 2, 2 * 4 * ELEMENTS, 0),
    ),
    "LSTM": (
        Recurrent("LSTM", 6),
        (7, 10),
        (
            2 * 7 * LSTM,
            0,
            7 * (LSTM + 2 * 24),
            *[7 * (LSTM + 4 * (6 + 2 * 6) + 4 * 6)] * 2,
            7 * (LSTM + 2 * 24 + 10 * 6),
            0,
        ),
    ),
    "GRU, two layers, both ways": (
        Recurrent("GRU", 6, layers=2, directions=2),
        (7, 10),
        (17_136, 0, 9_576, 10_752, 10_752, 10_752, 9_576),
    ),
}


def counted(op: Op, shape: tuple[int, ...], name: str, batch: int = 1) -> int:
    b = Builder("one operator")
    graph = b.graph(b.add("op", op, b.add("input", Input(shape))))
    shaped = infer_shapes(graph, {"input": TensorSpec((batch, *shape))})
    return analyze(shaped, convention=CONVENTIONS[name]).totals.counted


@pytest.mark.parametrize("case", CASES)
def test_operators_count_what_the_tools_print(case: str) -> None:
    op, shape, expected = CASES[case]
    assert {name: counted(op, shape, name) for name in TOOLS} == dict(
        zip(TOOLS, expected, strict=True)
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [name for name in TOOLS if name != "ptflops"])
def test_a_batch_counts_as_many_images(case: str, name: str) -> None:
    op, shape, _ = CASES[case]
    assert counted(op, shape, name, batch=3) == 3 * counted(op, shape, name)


@pytest.mark.parametrize("name", RESNET50_V15)
def test_resnet50_of_torchvision(name: str) -> None:
    assert analyze_model("resnet50-v1.5", convention=name).totals.counted == RESNET50_V15[name]


def test_products_of_tensors_that_broadcast() -> None:
    b = Builder("attention")
    x = b.add("input", Input((2, 5, 8)))
    y = b.add("keys", Input((1, 8, 3)))
    shaped = infer_shapes(b.graph(b.add("product", MatMul(), x, y)), {})
    counts = {name: analyze(shaped, convention=CONVENTIONS[name]).totals.counted for name in TOOLS}
    product = 2 * 5 * 3 * 8
    assert counts == {
        **dict.fromkeys(TOOLS, 0),
        **dict.fromkeys(("fvcore", "ptflops", "ptflops-aten"), product),
        "torch": 2 * product,
    }


def test_attention_is_seen_by_some() -> None:
    b = Builder("attention")
    q, k, v = (b.add(name, Input((4, 8))) for name in "qkv")
    shaped = infer_shapes(b.graph(b.add("mix", Attention(), q, k, v)), {})
    macs = 4 * 4 * (8 + 8)
    for name, expected in {"torch": 2 * macs, "fvcore": 0, "thop": 0, "torchinfo": 0}.items():
        assert analyze(shaped, convention=CONVENTIONS[name]).totals.counted == expected


def test_unknown_work_is_unknown_to_cnnstat_and_nothing_to_a_tool() -> None:
    b = Builder("foreign")
    foreign = Opaque("wavelet", (TensorSpec((1, 4)),))
    shaped = infer_shapes(b.graph(b.add("op", foreign, b.add("input", Input((4,))))), {})
    for name, rule in CONVENTIONS.items():
        figures = analyze(shaped, convention=rule).totals_figures
        assert figures.unknown_counted == (name in ("paper", "flops")), name


def test_rules_stand_under_operators() -> None:
    tables = {
        name: getattr(toolrules, each.rules) for name, each in CONVENTIONS.items() if each.rules
    }
    assert set(CONVENTIONS) - set(tables) == {"paper", "flops"}
    for name, table in tables.items():
        assert table, name
        assert set(table) <= set(ops.ALL_OPS), name


def test_every_convention_says_what_it_weighs_and_where_that_stands() -> None:
    assert next(iter(CONVENTIONS)) == "paper"
    for name, rule in CONVENTIONS.items():
        assert rule.name == name
        assert rule.title
        assert rule.source
        assert rule.unit


def test_a_typo_gets_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="thop"):
        convention("thopp")


def peers() -> list[tuple[str, str, int]]:
    table = Path(__file__).parents[2] / "samples" / "peers.csv"
    with table.open(encoding="utf-8", newline="") as file:
        return [(row["model"], row["convention"], int(row["tool"])) for row in csv.DictReader(file)]


PASSED_OVER = {("zfnet-deconv", "thop"), ("zfnet-deconv", "thop-2021"), ("zfnet-deconv", "ptflops")}
"""These tools know modules by their exact class; see ``tests/compat/peers.py``."""


@pytest.mark.parametrize("name", ["torchinfo", "thop", "thop-2021", "ptflops", "ptflops-aten"])
def test_the_zoo_counts_what_the_tools_printed(name: str) -> None:
    printed = {model: count for model, tool, count in peers() if tool == name}
    assert set(printed) == set(names())
    differ = set()
    for model, count in printed.items():
        report = analyze_model(model, convention=name).report
        pairs = zip(report.nodes, report.shaped.nodes, strict=True)
        inference = sum(figures.counted for figures, node in pairs if not node.training_only)
        if inference != count:
            differ.add((model, name))
    assert differ == {pair for pair in PASSED_OVER if pair[1] == name}
