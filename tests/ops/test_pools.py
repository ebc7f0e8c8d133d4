"""Poolings by hand: their work as products, and the rules that they hold to."""

import pytest

from cnnstat.ir.op import Op, OpError
from cnnstat.ir.reach import ByAxis, Ranges, Slide, Sliding
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Window
from cnnstat.ir.work import Work
from cnnstat.ops import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)

LINE, MAPS, VOLUME = (2, 4, 17), (2, 3, 9, 11), (2, 3, 4, 6, 8)
WORKS: tuple[tuple[Op, tuple[int, ...], Work], ...] = (
    (MaxPool1d((3,), (2,)), LINE, Work(comparisons=2 * 4 * 8 * 2)),
    (MaxPool1d((3,), (1,), dilation=(4,)), LINE, Work(comparisons=2 * 4 * 9 * 2)),
    (MaxPool2d((3, 2), (1, 1), dilation=(2, 5)), MAPS, Work(comparisons=2 * 3 * 5 * 6 * 5)),
    (MaxPool3d((1, 2, 2), (1, 2, 2)), VOLUME, Work(comparisons=2 * 3 * 4 * 3 * 4 * 3)),
    (AvgPool1d((3,), (2,)), LINE, Work(additions=2 * 4 * 8 * 2, divisions=2 * 4 * 8)),
    (
        AvgPool3d((2, 2, 2), (2, 2, 2)),
        VOLUME,
        Work(additions=2 * 3 * 2 * 3 * 4 * 7, divisions=2 * 3 * 2 * 3 * 4),
    ),
    # 17 to 4: windows of 5, 5, 5 and 5 elements, each neighbour sharing one
    (AdaptiveAvgPool1d((4,)), LINE, Work(additions=2 * 4 * (20 - 4), divisions=2 * 4 * 4)),
    (AdaptiveMaxPool1d((4,)), LINE, Work(comparisons=2 * 4 * (20 - 4))),
    (
        AdaptiveAvgPool3d((1, 1, 1)),
        VOLUME,
        Work(additions=2 * 3 * (4 * 6 * 8 - 1), divisions=2 * 3),
    ),
    (AdaptiveMaxPool3d((2, 3, 4)), VOLUME, Work(comparisons=2 * 3 * 2 * 3 * 4 * 7)),
)


@pytest.mark.parametrize(("op", "shape", "expected"), WORKS, ids=lambda part: str(part))
def test_work(op: Op, shape: tuple[int, ...], expected: Work) -> None:
    inputs = (TensorSpec(shape),)
    assert op.work(inputs, op.infer(inputs)) == expected


def test_dilated_taps_reach_further() -> None:
    op = MaxPool2d((3, 2), (1, 1), dilation=(2, 5))
    assert op.reach((TensorSpec(MAPS),)) == Sliding((Window(3, dilation=2), Window(2, dilation=5)))
    assert op.detail == "3x2 dilation 2x5"


def test_one_element_reads_everything() -> None:
    inputs = (TensorSpec(VOLUME),)
    whole = ByAxis(((Slide(0), Slide(1), "whole", "whole", "whole"),))
    assert AdaptiveAvgPool3d((1, 1, 1)).reach(inputs) == whole
    assert AdaptiveAvgPool3d((2, 3, 4)).reach(inputs) == Sliding(
        (Window(2, 2), Window(2, 2), Window(2, 2))
    )
    # 6 to 4: floor(i*6/4) to ceil((i + 1)*6/4)
    ranges = Ranges(3, ((0, 1), (1, 2), (3, 4), (4, 5)))
    uneven = ByAxis(((Slide(0), Slide(1), Slide(2, Window(2, 2)), ranges, "whole"),))
    assert AdaptiveAvgPool3d((2, 4, 1)).reach(inputs) == uneven


def test_arguments_of_another_rank_are_refused() -> None:
    with pytest.raises(OpError, match=r"kernel \(=\(2, 2\)\) needs 1 axes"):
        MaxPool1d((2, 2), (2, 2))
    with pytest.raises(OpError, match=r"dilation \(=\(1, 1\)\) needs 3 axes"):
        MaxPool3d((2, 2, 2), (2, 2, 2), dilation=(1, 1))
    with pytest.raises(OpError, match=r"output_size \(=\(7, 7\)\) needs 3 axes"):
        AdaptiveAvgPool3d((7, 7))
    with pytest.raises(OpError, match="needs 3 axes"):
        AvgPool1d((2,), (2,)).infer((TensorSpec(MAPS),))
