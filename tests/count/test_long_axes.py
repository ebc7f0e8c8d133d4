"""Receptive fields cost by the structure of a graph: an axis of any length is no list."""

import pytest

from cnnstat.count.report import analyze
from cnnstat.ir.builder import Builder
from cnnstat.ir.op import Op
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import AdaptiveAvgPool1d, Conv1d, GroupNorm, Input, Rearrange

LONG = 2**40
SAME = (TensorSpec((1, 4, LONG)),)


@pytest.mark.parametrize(
    "op",
    [
        Rearrange("repeat", (TensorSpec((1, 4, 2 * LONG)),)),
        Rearrange("flip", (TensorSpec((1, 4, LONG)),), arguments=(("dims", (2,)),)),
        Rearrange(
            "roll", (TensorSpec((1, 4, LONG)),), arguments=(("shifts", (3,)), ("dims", (2,)))
        ),
        AdaptiveAvgPool1d((LONG // 3,)),
        Conv1d(LONG, (1,), groups=2),
    ],
)
def test_long_axis(op: Op) -> None:
    b = Builder("long")
    x = b.add("input", Input((4, LONG)))
    report = analyze(infer_shapes(b.graph(b.add("op", op, x)), {}))
    assert report.totals.activation_bytes >= 4 * 4 * LONG
    assert report.layers[-1].receptive_field is None or op.type_name == "Conv1d"


def test_many_channels() -> None:
    b = Builder("wide")
    x = b.add("input", Input((LONG, 2)))
    report = analyze(infer_shapes(b.graph(b.add("norm", GroupNorm(2), x)), {}))
    assert report.totals.params == 2 * LONG
