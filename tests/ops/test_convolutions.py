"""Impossible convolutions, transposed or not, and other operators of nothing."""

from collections.abc import Callable

import pytest

from cnnstat import ops
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

KINDS = (Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_and_channels(kind: type[Conv2d]) -> None:
    kernel = (3,) * kind.rank
    with pytest.raises(OpError, match=r"groups \(=0\) must be at least 1"):
        kind(4, kernel, groups=0)
    with pytest.raises(OpError, match=r"out_channels \(=0\)"):
        kind(0, kernel)
    with pytest.raises(OpError, match=rf"kernel \(=\(3, 3, 3, 3\)\) needs {kind.rank} axes"):
        kind(4, (3, 3, 3, 3))
    specs = (TensorSpec((1, 6, *kernel)),)
    with pytest.raises(OpError, match=r"in_channels \(=6\) must be divisible by groups \(=4\)"):
        kind(4, kernel, groups=4).infer(specs)
    with pytest.raises(OpError, match=r"out_channels \(=4\) must be divisible by groups \(=3\)"):
        kind(4, kernel, groups=3).infer(specs)


@pytest.mark.parametrize("kind", [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d])
def test_output_padding(kind: type[ConvTranspose2d]) -> None:
    kernel = (3,) * kind.rank
    with pytest.raises(OpError, match=rf"output_padding \(=\(0, 0, 0, 0\)\) needs {kind.rank}"):
        kind(4, kernel, output_padding=(0, 0, 0, 0))
    with pytest.raises(OpError, match="must be less than stride"):
        kind(4, kernel, output_padding=(1,) * kind.rank)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ops.GroupNorm(0), r"groups \(=0\)"),
        (lambda: ops.ZeroPadShortcut(8, 0), r"stride \(=0\)"),
        (lambda: ops.Embedding(5, 0), r"width \(=0\)"),
        (lambda: ops.Interpolate((4, 0)), r"output_size \(=\(4, 0\)\)"),
    ],
)
def test_nothing_is_no_extent(make: Callable[[], Op], said: str) -> None:
    with pytest.raises(OpError, match=f"{said}.* must be at least 1"):
        make()


def test_attention_needs_two_axes() -> None:
    with pytest.raises(OpError, match="need at least 2 axes"):
        ops.Attention().infer((TensorSpec((4,)),) * 3)
