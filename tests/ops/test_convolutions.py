"""What no convolution, transposed or not, can be."""

import pytest

from cnnstat.ir.op import OpError
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
    given = (TensorSpec((1, 6, *kernel)),)
    with pytest.raises(OpError, match=r"in_channels \(=6\) must be divisible by groups \(=4\)"):
        kind(4, kernel, groups=4).infer(given)
    with pytest.raises(OpError, match=r"out_channels \(=4\) must be divisible by groups \(=3\)"):
        kind(4, kernel, groups=3).infer(given)


@pytest.mark.parametrize("kind", [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d])
def test_output_padding(kind: type[ConvTranspose2d]) -> None:
    kernel = (3,) * kind.rank
    with pytest.raises(OpError, match=rf"output_padding \(=\(0, 0, 0, 0\)\) needs {kind.rank}"):
        kind(4, kernel, output_padding=(0, 0, 0, 0))
    with pytest.raises(OpError, match="must be less than stride"):
        kind(4, kernel, output_padding=(1,) * kind.rank)
