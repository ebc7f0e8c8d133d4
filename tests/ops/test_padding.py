"""Padding of each side of an axis: shapes, what a spec file says, what a table shows."""

import pytest

from cnnstat import ops
from cnnstat.importers.spec.operators import make
from cnnstat.importers.spec.reading import read_text
from cnnstat.importers.spec.writing import write_text
from cnnstat.ir.builder import Builder
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.reach import Sliding
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Window

MAPS = (TensorSpec((1, 3, 10, 9)),)


def test_a_pair_is_the_padding_before_and_after() -> None:
    op = ops.Conv2d(6, (3, 3), (2, 2), ((0, 1), (2, 0)))
    # height (10 + 0 + 1 - 3)//2 + 1, width (9 + 2 + 0 - 3)//2 + 1
    assert op.infer(MAPS)[0].shape == (1, 6, 5, 5)
    assert op.reach(MAPS) == Sliding((Window(3, 2, 0, 1), Window(3, 2, 2, 0)), groups=1)
    assert op.detail == "3x3/2 pad 0+1x2+0"


def test_same_is_the_pair_that_it_works_out_to() -> None:
    same = ops.Conv2d(6, (3, 3), (2, 2), "same")
    assert same.windows((10, 9)) == ops.Conv2d(6, (3, 3), (2, 2), ((0, 1), 1)).windows((10, 9))


def test_a_transposed_convolution_cuts_both_sides() -> None:
    op = ops.ConvTranspose2d(3, (4, 3), (2, 2), ((1, 0), (0, 2)))
    # height (5 - 1)*2 - 1 + 4, width (6 - 1)*2 - 2 + 3
    assert op.infer((TensorSpec((2, 4, 5, 6)),))[0].shape == (2, 3, 11, 11)


@pytest.mark.parametrize(
    ("written", "op"),
    [
        (
            {"kernel": 3, "padding": [[0, 1], [2, 0]]},
            ops.AvgPool2d((3, 3), (3, 3), ((0, 1), (2, 0))),
        ),
        ({"kernel": 3, "padding": [[0, 1], 1]}, ops.AvgPool2d((3, 3), (3, 3), ((0, 1), 1))),
        ({"kernel": 3, "padding": [0, 1]}, ops.AvgPool2d((3, 3), (3, 3), (0, 1))),
        ({"kernel": 3, "padding": 1}, ops.AvgPool2d((3, 3), (3, 3), (1, 1))),
    ],
)
def test_a_spec_file_has_pairs_too(written: dict[str, object], op: Op) -> None:
    assert make("AvgPool2d", written) == op


def test_pairs_are_written_and_read_back() -> None:
    b = Builder("padded")
    x = b.add("x", ops.Input((3, 10, 9)))
    graph = b.graph(b.add("c", ops.Conv2d(6, (3, 3), padding=((0, 1), (0, 1))), x))
    assert read_text(write_text(graph)).graph.nodes == graph.nodes


@pytest.mark.parametrize(
    "padding", [[[0, 1]], [[0, 1, 2], 0], [[0, "x"], 0], [[0, -1], 0], [[0, 3], 0], "valid"]
)
def test_a_padding_that_is_none(padding: object) -> None:
    with pytest.raises(OpError, match="padding"):
        make("AvgPool2d", {"kernel": 3, "padding": padding})
