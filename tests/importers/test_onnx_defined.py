"""ONNX operators with a definition of their work: FLOPs as products, shapes as ONNX computes."""

from pathlib import Path

import numpy as np
import pytest

from cnnstat import api
from tests.importers.onnx_models import IMAGE, Case, X, case, ints, saved, weight
from tests.importers.test_onnx_rules import run

N = 1 * 4 * 9 * 11
"""Elements of ``IMAGE``."""

ROWS = X((2, 6, 8))
M = 2 * 6 * 8


def of(flops: int, made: Case) -> tuple[Case, int]:
    return made, flops


CASES: list[tuple[Case, int]] = [
    *(
        of(N, case(name, "Function", IMAGE, runs=False))
        for name in ("Asin", "Acos", "Atan", "Sinh", "Cosh", "Tan", "Asinh", "Acosh", "Atanh")
    ),
    of(N, case("IsNaN", "Function", IMAGE)),
    of(N, case("IsInf", "Function", IMAGE)),
    of(N, case("Shrink", "Function", IMAGE, lambd=0.5)),
    of(N, case("ThresholdedRelu", "Nonlinearity", IMAGE, alpha=0.5)),
    of(M - 12, case("Hardmax", "Function", ROWS, axis=2)),
    of(M + M - 12 + 12 + M, case("LpNormalization", "Function", ROWS, axis=2)),
    of(M + M - 12 + M, case("LpNormalization", "Function", ROWS, axis=2, p=1)),
    of(6 * N, case("MeanVarianceNormalization", "Function", IMAGE)),
    of(M, case("CumProd", "Reduce", ROWS, ints(1), opset=26, runs=False)),
    of(M * 2, case("TopK", "Function", ROWS, ints(3), axis=2, results=2)),
    of(M * 2, case("TopK", "Function", ROWS, ints(3), axis=1, results=2)),
    of(4 * 15 * 7, case("GridSample", "Function", IMAGE, weight(1, 3, 5, 2), opset=20, params=30)),
    of(0, case("GridSample", "Function", IMAGE, weight(1, 3, 5, 2), params=30, mode="nearest")),
    of(
        2 * 2 * 20 * 2 * 3,
        case("AffineGrid", "Function", X((2, 2, 3)), ints(2, 1, 4, 5), opset=20),
    ),
    of(
        7 * 4 * 6 * (16 + 15 + 1),
        case(
            "RoiAlign",
            "Function",
            IMAGE,
            weight(7, 4),
            np.zeros(7, np.int64),
            params=28,
            output_height=2,
            output_width=3,
            sampling_ratio=2,
        ),
    ),
    of(
        7 * 4 * 9 * 11,
        case(
            "MaxRoiPool",
            "Function",
            IMAGE,
            weight(7, 5),
            params=35,
            runs=False,
            pooled_shape=[2, 3],
        ),
    ),
    of(
        # 8 channels of 4x3x3 products on 7x9 positions; 4 + 3 operations for each tap of 4 channels
        2 * 8 * 63 * 36 + 7 * 4 * 9 * 63,
        case(
            "DeformConv",
            "DeformConv2d",
            IMAGE,
            weight(8, 4, 3, 3),
            X((1, 18, 7, 9)),
            opset=19,
            params=8 * 36,
            macs=8 * 63 * 36,
        ),
    ),
    of(
        4 * 20 * (4 + 3 + 1), case("LpPool", "Function", IMAGE, kernel_shape=[2, 2], strides=[2, 2])
    ),
    of(
        4 * 20 * (4 + 3),
        case("LpPool", "Function", IMAGE, kernel_shape=[2, 2], strides=[2, 2], p=1),
    ),
    of(4 * (99 + 98 + 1), case("GlobalLpPool", "Reduce", IMAGE, runs=False)),
    of(4 * (99 + 99 + 98 + 1), case("GlobalLpPool", "Function", IMAGE, p=3, runs=False)),
    of(2 * M, case("Max", "Function", ROWS, X((2, 6, 8)), X((2, 6, 1)))),
    of(0, case("Min", "Function", ROWS, runs=False)),
    of(3 * M, case("Mean", "Function", ROWS, X((2, 6, 8)), X((2, 6, 1)))),
    of(
        20,
        case(
            "ScatterND",
            "Function",
            X((4, 5)),
            np.zeros((4, 1), np.int64),
            np.ones((4, 5), np.int64),
            opset=18,
            reduction="add",
            runs=False,
        ),
    ),
    of(
        0,
        case(
            "ScatterND",
            "Rearrange",
            X((4, 5)),
            np.zeros((4, 1), np.int64),
            np.ones((4, 5), np.int64),
            opset=18,
            runs=False,
        ),
    ),
    of(
        6,
        case(
            "ScatterElements",
            "Function",
            X((4, 5)),
            np.zeros((2, 3), np.int64),
            np.ones((2, 3), np.int64),
            opset=18,
            reduction="mul",
            runs=False,
        ),
    ),
    of(2 * (14 + 14 + 6 + 4 + 3), case("Det", "Function", X((2, 4, 4)))),
    of(16 * 5 * 3 // 2, case("DFT", "Function", X((2, 8, 1)), axis=1, onesided=1)),
    of(
        (12 + 2) + (36 - 2) + 3,
        case("SoftmaxCrossEntropyLoss", "Function", X((2, 6)), np.zeros(2, np.int64)),
    ),
    of(3, case("NegativeLogLikelihoodLoss", "Function", X((2, 6)), np.zeros(2, np.int64))),
    of(
        2 + 2,
        case(
            "NegativeLogLikelihoodLoss",
            "Function",
            X((2, 6)),
            np.zeros(2, np.int64),
            weight(6),
            params=6,
            reduction="sum",
            runs=False,
        ),
    ),
    of(
        2 * 2 * 3 * 4 * 5,
        case("Einsum", "MatMul", X((2, 3, 4)), X((2, 4, 5)), equation="...mk,...kn->...mn"),
    ),
    of(0, case("Einsum", "View", X((2, 3, 4)), equation="...ij->...ji")),
    of(24 - 6, case("Einsum", "Function", X((2, 3, 4)), equation="bij->bi")),
    of(
        2 * (2 * 3 * 4 * 5 + 2 * 3 * 5 * 6),
        case(
            "Einsum",
            "Function",
            X((2, 3, 4)),
            X((2, 4, 5)),
            X((2, 5, 6)),
            equation="bij,bjk,bkl->bil",
        ),
    ),
    of(0, case("CenterCropPad", "Rearrange", IMAGE, ints(5, 12), axes=[2, 3], opset=18)),
    of(0, case("Compress", "Rearrange", ROWS, np.array([True, False, True]), axis=1)),
    of(0, case("Multinomial", "Rearrange", X((2, 6)), sample_size=4, runs=False)),
    of(0, case("BitwiseXor", "Function", X((2, 3), "int64"), X((2, 3), "int64"), opset=18)),
    of(0, case("BitwiseNot", "Function", X((2, 3), "int64"), opset=18)),
    of(0, case("BitShift", "Function", X((2, 3), "uint8"), X((2, 3), "uint8"), direction="LEFT")),
    of(0, case("ReduceSum", "View", ROWS, noop_with_empty_axes=1)),
    of(2 * M, case("SwiGLU", "Function", ROWS, X((2, 6, 8)), opset=27, runs=False)),
]


@pytest.mark.parametrize(("made", "flops"), CASES, ids=lambda each: getattr(each, "id", ""))
def test_operator(made: Case, flops: int, tmp_path: Path) -> None:
    first = next(each for each in made.inputs if isinstance(each, X))
    report = api.analyze(saved(made.proto(), tmp_path), batch=int(first.shape[0]))
    node = next(each for each in report.shaped.nodes if each.name == "here")
    assert type(node.op).__name__ == made.kind
    assert report.status == "complete", report.notes
    assert (report.totals.params, report.totals.flops) == (made.params, flops)
    if made.runs:
        shapes = [report.shaped.spec(value).shape for value in report.shaped.graph.outputs]
        assert shapes == [result.shape for result in run(made)]
