"""The layers that ``torch.nn`` does not have, against other ways to compute the same."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from cnnstat.ir.builder import Builder
from cnnstat.ir.op import Op
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import (
    RBF,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    ConnectedConv2d,
    Conv2d,
    ConvTranspose2d,
    Input,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxUnpool2d,
    ScaledTanh,
    Subsampling,
    ZeroPadShortcut,
)
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.layers import DropPath
from tests.cases import TABLE


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def layer(op: Op, *shapes: tuple[int, ...]) -> torch.nn.Module:
    """The module of one operator, by itself, in evaluation mode."""
    b = Builder("one")
    entering = [b.add(f"x{n}", Input(shape[1:])) for n, shape in enumerate(shapes)]
    graph = b.graph(b.add("op", op, *entering))
    specs = {f"x{n}": TensorSpec(shape) for n, shape in enumerate(shapes)}
    return build_module(graph, specs).eval().get_submodule("op")


def test_a_connection_table_is_a_full_convolution_with_zeros() -> None:
    made = layer(ConnectedConv2d(TABLE, (5, 5)), (2, 6, 14, 14))
    weight, bias = made.get_parameter("weight"), made.get_parameter("bias")
    full = torch.zeros(len(TABLE), 6, 5, 5)
    kernels = iter(weight.detach())
    for out, row in enumerate(TABLE):
        for map_read in row:
            full[out, map_read] = next(kernels)
    bias.data.copy_(rand(len(TABLE)))
    x = rand(2, 6, 14, 14)
    torch.testing.assert_close(made(x), F.conv2d(x, full, bias))


def test_a_connection_table_moves_between_devices_with_its_module() -> None:
    made = layer(ConnectedConv2d(TABLE, (5, 5)), (1, 6, 14, 14))
    assert set(made.state_dict()) == {"weight", "bias"}
    assert all(buffer.is_meta for buffer in made.to("meta").buffers())


def test_subsampling_is_a_scaled_sum() -> None:
    made = layer(Subsampling((2, 2)), (2, 3, 6, 8))
    made.get_parameter("bias").data.copy_(rand(3))
    x = rand(2, 3, 6, 8)
    sums = x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]
    scale, shift = made.get_parameter("weight"), made.get_parameter("bias")
    torch.testing.assert_close(made(x), sums * scale[:, None, None] + shift[:, None, None])


def test_radial_basis_functions_are_squared_distances_to_bitmaps() -> None:
    made = layer(RBF(10), (3, 84))
    codes = made.get_buffer("codes")
    assert set(codes.flatten().tolist()) == {-1.0, 1.0}
    x = rand(3, 84)
    torch.testing.assert_close(made(x), torch.cdist(x, codes).square(), rtol=1e-4, atol=1e-3)
    assert torch.equal(made(codes).diagonal(), torch.zeros(10))


def test_same_padding_is_pytorch_s_where_pytorch_has_it() -> None:
    made = layer(Conv2d(5, (4, 3), padding="same", dilation=(2, 1)), (2, 3, 9, 10))
    x = rand(2, 3, 9, 10)
    weight, bias = made.get_parameter("weight"), made.get_parameter("bias")
    torch.testing.assert_close(made(x), F.conv2d(x, weight, bias, padding="same", dilation=(2, 1)))


def test_same_padding_with_a_stride_puts_the_odd_element_behind() -> None:
    # 8 elements, kernel 3, stride 2: 4 outputs need 9, so one zero after and none before.
    made = layer(Conv2d(1, (3, 3), (2, 2), "same", bias=False), (1, 1, 8, 8))
    made.get_parameter("weight").data.fill_(1)
    ones = made(torch.ones(1, 1, 8, 8))[0, 0]
    assert ones.tolist() == [[9, 9, 9, 6]] * 3 + [[6, 6, 6, 4]]


def test_padding_never_wins_a_maximum() -> None:
    made = layer(MaxPool2d((3, 3), (2, 2), "same"), (1, 1, 8, 8))
    assert torch.equal(made(torch.full((1, 1, 8, 8), -5.0)), torch.full((1, 1, 4, 4), -5.0))


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (MaxPool1d((4,), (3,), "same", return_indices=True), (2, 3, 20)),
        (MaxPool2d((3, 3), (2, 2), "same", return_indices=True), (2, 3, 8, 6)),
        (MaxPool2d((3, 3), (1, 1), "same", False, True, (3, 2)), (2, 3, 8, 6)),
        (MaxPool3d((2, 3, 2), (1, 2, 2), "same", return_indices=True), (2, 3, 4, 6, 7)),
    ],
    ids=lambda part: str(part),
)
def test_indices_behind_padding_point_into_the_map_itself(op: Op, shape: tuple[int, ...]) -> None:
    x = rand(*shape)
    values, indices = layer(op, shape)(x)
    assert torch.equal(x.flatten(2).gather(2, indices.flatten(2)), values.flatten(2))


def test_means_leave_padding_out_where_asked() -> None:
    made = layer(AvgPool2d((2, 2), (2, 2), "same", count_include_pad=False), (1, 2, 5, 5))
    assert torch.equal(made(torch.ones(1, 2, 5, 5)), torch.ones(1, 2, 3, 3))
    made = layer(AvgPool2d((2, 2), (2, 2), "same"), (1, 2, 5, 5))
    assert made(torch.ones(1, 2, 5, 5))[0, 0].tolist() == [
        [1, 1, 0.5],
        [1, 1, 0.5],
        [0.5, 0.5, 0.25],
    ]


@pytest.mark.parametrize("counted", [True, False])
def test_means_of_lines_and_volumes_are_those_of_maps(counted: bool) -> None:
    x = rand(1, 2, 5)
    made = layer(AvgPool1d((4,), (2,), "same", count_include_pad=counted), (1, 2, 5))
    maps = layer(AvgPool2d((1, 4), (1, 2), "same", count_include_pad=counted), (1, 2, 1, 5))
    volumes = layer(
        AvgPool3d((1, 1, 4), (1, 1, 2), "same", count_include_pad=counted), (1, 2, 1, 1, 5)
    )
    expected = maps(x[:, :, None])
    torch.testing.assert_close(made(x), expected[:, :, 0])
    torch.testing.assert_close(volumes(x[:, :, None, None]), expected[:, :, None])


def test_unpooling_puts_maxima_back_where_they_were() -> None:
    x = rand(1, 3, 10, 11).abs()
    pooled, indices = F.max_pool2d(x, 3, 3, return_indices=True)
    made = layer(MaxUnpool2d((3, 3), (3, 3)), (1, 3, 3, 3), (1, 3, 3, 3), (1, 3, 10, 11))
    back = made(pooled, indices, x)
    assert back.shape == x.shape
    assert torch.equal(back[back > 0], x[back > 0])
    assert int((back > 0).sum()) == pooled.numel()


def test_a_transposed_convolution_is_the_gradient_of_a_convolution() -> None:
    made = layer(ConvTranspose2d(3, (7, 7), (2, 2), bias=False), (1, 8, 5, 6), (1, 3, 16, 18))
    pixels = torch.zeros(1, 3, 16, 18, requires_grad=True)
    y = rand(1, 8, 5, 6)
    down = F.conv2d(pixels, made.get_parameter("weight"), stride=2)
    (gradient,) = torch.autograd.grad(down, pixels, y)
    torch.testing.assert_close(made(y, pixels), gradient)


def test_scaled_tanh_is_lecun_s() -> None:
    made = layer(ScaledTanh(), (1, 3))
    # Appendix A of LeCun et al. 1998: f(1) = 1 and f(-1) = -1.
    torch.testing.assert_close(
        made(torch.tensor([1.0, -1.0])), torch.tensor([1.0, -1.0]), atol=1e-4, rtol=0
    )


def test_the_zero_padded_shortcut_thins_and_fills() -> None:
    x = rand(2, 4, 5, 8)
    out = layer(ZeroPadShortcut(6, 2), (2, 4, 5, 8))(x)
    assert torch.equal(out[:, :4], x[:, :, ::2, ::2])
    assert torch.equal(out[:, 4:], torch.zeros(2, 2, 3, 4))


def test_stochastic_depth_drops_in_training_and_scales_in_use() -> None:
    torch.manual_seed(0)
    path, x = DropPath(0.7), rand(4, 3)
    drawn = [path.train()(x) for _ in range(500)]
    survived = [bool(y.any()) for y in drawn]
    assert all(
        torch.equal(y, x if keep else torch.zeros_like(x))
        for y, keep in zip(drawn, survived, strict=True)
    )
    # 500 draws at 0.7: 350 expected, standard deviation sqrt(500*0.7*0.3) = 10.2.
    assert 300 < sum(survived) < 400
    assert torch.equal(path.eval()(x), x * 0.7)
    assert torch.equal(DropPath(1.0).train()(x), x)
