"""Inputs of a fractal join, and its description."""

import pytest

from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import FractalJoin

MAP = TensorSpec((2, 8, 5, 5))


def test_a_join_is_a_mean() -> None:
    work = FractalJoin(0.15).work((MAP, MAP, MAP), (MAP,))
    assert (work.additions, work.divisions) == (2 * 2 * 8 * 5 * 5, 2 * 8 * 5 * 5)
    assert work.flops == 3 * 2 * 8 * 5 * 5


@pytest.mark.parametrize(
    ("inputs", "rule"),
    [((MAP,), "at least 2 inputs"), ((MAP, TensorSpec((2, 8, 5, 4))), "one shape")],
)
def test_columns_must_agree(inputs: tuple[TensorSpec, ...], rule: str) -> None:
    with pytest.raises(OpError, match=rule):
        FractalJoin().infer(inputs)


@pytest.mark.parametrize("drop_path", [-0.1, 1.0])
def test_some_column_must_be_able_to_survive(drop_path: float) -> None:
    with pytest.raises(OpError, match="0 to 1"):
        FractalJoin(drop_path)


def test_detail() -> None:
    assert (FractalJoin().detail, FractalJoin(0.15).detail) == ("", "drop-path 0.15")
