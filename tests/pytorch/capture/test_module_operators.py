"""Each operator in a module of its own: parameters and MACs by hand, FlopCounterMode's count."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.pytorch.capture.modules import Applied, Shape, seen, types


class Use(NamedTuple):
    """A module, its input without the batch of 2, its operators, its parameters and MACs."""

    make: Callable[[], nn.Module]
    shape: Shape
    operators: list[str]
    params: int = 0
    macs: int = 0


def function(call: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return lambda: Applied(call)


LAYERS = {
    "conv1d": Use(lambda: nn.Conv1d(4, 6, 3), (4, 9), ["Conv1d"], 4 * 3 * 6 + 6, 2 * 7 * 4 * 3 * 6),
    "conv2d same": Use(
        lambda: nn.Conv2d(3, 8, 3, padding="same", bias=False),
        (3, 5, 7),
        ["Conv2d"],
        3 * 3 * 3 * 8,
        2 * 5 * 7 * 3 * 3 * 3 * 8,
    ),
    "depthwise": Use(
        lambda: nn.Conv2d(8, 8, 3, groups=8), (8, 5, 5), ["Conv2d"], 3 * 3 * 8 + 8, 2 * 9 * 9 * 8
    ),
    "conv3d": Use(
        lambda: nn.Conv3d(2, 4, (1, 3, 3)),
        (2, 3, 5, 5),
        ["Conv3d"],
        2 * 1 * 3 * 3 * 4 + 4,
        2 * 3 * 3 * 3 * 2 * 1 * 3 * 3 * 4,
    ),
    "transposed": Use(
        lambda: nn.ConvTranspose2d(4, 6, 2, 2),
        (4, 5, 5),
        ["ConvTranspose2d"],
        4 * 2 * 2 * 6 + 6,
        2 * 5 * 5 * 4 * 2 * 2 * 6,
    ),
    "transposed 1d": Use(
        lambda: nn.ConvTranspose1d(4, 6, 4, 2, 1, groups=2, bias=False),
        (4, 5),
        ["ConvTranspose1d"],
        4 * 4 * 3,
        2 * 5 * 4 * 4 * 3,
    ),
    "transposed 3d": Use(
        lambda: nn.ConvTranspose3d(4, 6, 2, 2),
        (4, 2, 3, 5),
        ["ConvTranspose3d"],
        4 * 8 * 6 + 6,
        2 * 30 * 4 * 8 * 6,
    ),
    "fold": Use(lambda: nn.Fold((6, 7), 3, padding=1), (36, 42), ["Fold"]),
    "linear": Use(lambda: nn.Linear(7, 5), (3, 7), ["Linear"], 7 * 5 + 5, 2 * 3 * 7 * 5),
    "batch norm": Use(lambda: nn.BatchNorm2d(6), (6, 3, 3), ["BatchNorm2d"], 2 * 6),
    "layer norm": Use(lambda: nn.LayerNorm(6), (4, 6), ["LayerNorm"], 2 * 6),
    "layer norm over maps": Use(lambda: nn.LayerNorm((3, 4)), (2, 3, 4), ["LayerNorm"], 2 * 3 * 4),
    "layer norm without bias": Use(lambda: nn.LayerNorm(6, bias=False), (4, 6), ["LayerNorm"], 6),
    "rms norm": Use(lambda: nn.RMSNorm(6), (4, 6), ["RMSNorm"], 6),
    "group norm": Use(lambda: nn.GroupNorm(2, 6), (6, 3, 3), ["GroupNorm"], 2 * 6),
    "instance norm": Use(
        lambda: nn.InstanceNorm2d(6, affine=True), (6, 3, 3), ["InstanceNorm"], 2 * 6
    ),
    "instance norm, tracked": Use(
        lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
        (6, 3, 3),
        ["BatchNorm2d"],
        2 * 6,
    ),
    "prelu": Use(lambda: nn.PReLU(6), (6, 3, 3), ["PReLU"], 6),
}

NONLINEARITIES = {
    name: Use(getattr(nn, name), (6, 3), [name])
    for name in (
        *("SiLU", "GELU", "Hardswish", "Hardsigmoid", "Hardtanh", "ReLU6", "ELU", "SELU", "CELU"),
        *("LeakyReLU", "Mish", "Softplus", "LogSigmoid", "ReLU", "Tanh", "Sigmoid"),
    )
}
FUNCTIONS = {
    "interpolate nearest": Use(
        function(lambda x: F.interpolate(x, scale_factor=2.0)), (3, 4, 5), ["Interpolate"]
    ),
    "interpolate bilinear": Use(
        function(lambda x: F.interpolate(x, (7, 9), mode="bilinear")), (3, 4, 5), ["Interpolate"]
    ),
    "interpolate bicubic": Use(
        function(lambda x: F.interpolate(x, (7, 9), mode="bicubic")), (3, 4, 5), ["Interpolate"]
    ),
    "pixel shuffle": Use(lambda: nn.PixelShuffle(2), (8, 3, 3), ["PixelShuffle"]),
    "pixel unshuffle": Use(lambda: nn.PixelUnshuffle(2), (2, 6, 4), ["PixelUnshuffle"]),
    "channel shuffle": Use(lambda: nn.ChannelShuffle(2), (6, 3, 3), ["ChannelShuffle"]),
    "pad": Use(function(lambda x: F.pad(x, (1, 2))), (3, 4), ["Pad"]),
    "slice": Use(function(lambda x: x[:, 1:3]), (5, 4), ["Slice"]),
    "permute": Use(function(lambda x: x.permute(0, 2, 1)), (5, 4), ["Permute"]),
    "transpose": Use(function(lambda x: x.transpose(1, 2)), (5, 4), ["Transpose"]),
    "reshape": Use(function(lambda x: x.reshape(2, 4, 5)), (5, 4), ["View"]),
    "unsqueeze": Use(function(lambda x: x.unsqueeze(1)), (5, 4), ["Unsqueeze"]),
    "mean": Use(function(lambda x: x.mean((2, 3))), (5, 4, 4), ["Mean"]),
    "sum": Use(function(lambda x: x.sum(1)), (5, 4), ["Sum"]),
    "largest": Use(function(lambda x: x.max(1).values), (5, 4), ["Max"]),
    "larger": Use(function(lambda x: torch.max(x, -x)), (5, 4), ["Neg", "Maximum"]),
    "mul": Use(function(lambda x: x * 3), (5, 4), ["Mul"]),
    "add": Use(function(lambda x: x + x), (5, 4), ["Add"]),
    "running sum": Use(function(lambda x: x.cumsum(1)), (5, 4), ["Cumsum"]),
    "softmax": Use(function(lambda x: x.softmax(-1)), (5, 4), ["Softmax"]),
    "matmul": Use(
        function(lambda x: x @ x.transpose(1, 2)), (5, 4), ["Transpose", "MatMul"], 0, 2 * 5 * 4 * 5
    ),
    "adaptive pooling": Use(lambda: nn.AdaptiveAvgPool2d(1), (5, 4, 4), ["GlobalAvgPool2d"]),
    "max pooling": Use(lambda: nn.MaxPool2d(2), (5, 4, 4), ["MaxPool2d"]),
    "max pooling, dilated": Use(lambda: nn.MaxPool2d(2, 1, 1, (2, 1)), (5, 4, 4), ["MaxPool2d"]),
    "max pooling of lines": Use(lambda: nn.MaxPool1d(3, 2, 1), (5, 9), ["MaxPool1d"]),
    "max pooling of volumes": Use(lambda: nn.MaxPool3d((1, 2, 2)), (5, 3, 4, 4), ["MaxPool3d"]),
    "mean pooling of lines": Use(lambda: nn.AvgPool1d(3, 2, 1, True), (5, 8), ["AvgPool1d"]),
    "mean pooling of volumes": Use(
        lambda: nn.AvgPool3d(2, divisor_override=3), (5, 4, 4, 4), ["AvgPool3d"]
    ),
    "adaptive pooling of lines": Use(
        lambda: nn.AdaptiveAvgPool1d(1), (5, 9), ["AdaptiveAvgPool1d"]
    ),
    "adaptive pooling of volumes": Use(
        lambda: nn.AdaptiveAvgPool3d((1, 2, None)), (5, 3, 4, 4), ["AdaptiveAvgPool3d"]
    ),
    "global pooling of volumes": Use(
        lambda: nn.AdaptiveAvgPool3d(1), (5, 3, 4, 4), ["AdaptiveAvgPool3d"]
    ),
    "adaptive maximum of lines": Use(
        lambda: nn.AdaptiveMaxPool1d(4), (5, 9), ["AdaptiveMaxPool1d"]
    ),
    "adaptive maximum of volumes": Use(
        lambda: nn.AdaptiveMaxPool3d(2), (5, 3, 4, 4), ["AdaptiveMaxPool3d"]
    ),
    "dropout": Use(nn.Dropout, (5, 4), ["Dropout"]),
    "flatten": Use(nn.Flatten, (5, 4, 4), ["Flatten"]),
    "roll": Use(function(lambda x: x.roll(1, 1)), (5, 4), ["Roll"]),
}
USES = {**LAYERS, **NONLINEARITIES, **FUNCTIONS}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_operator(use: Use) -> None:
    report = seen(use.make(), use.shape)
    assert types(report) == use.operators
    assert (report.status, report.totals.params, report.totals.macs) == (
        "complete",
        use.params,
        use.macs,
    )


def test_einsum_is_the_product_that_it_stands_for() -> None:
    module = Applied(lambda a, b: torch.einsum("nhqd,nhkd->nhqk", a, b))
    report = seen(module, (3, 5, 4), (3, 7, 4))
    assert report.totals.macs == 2 * 3 * 5 * 7 * 4
    assert report.status == "complete"


def test_scaled_dot_product_attention() -> None:
    module = Applied(F.scaled_dot_product_attention)
    report = seen(module, (3, 5, 4), (3, 7, 4), (3, 7, 4))
    assert types(report) == ["Attention"]
    assert report.totals.macs == 2 * 3 * 5 * 7 * (4 + 4)


def test_grouped_queries_share_heads() -> None:
    module = Applied(lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True))
    report = seen(module, (6, 5, 4), (2, 7, 4))
    assert report.totals.macs == 2 * 6 * 5 * 7 * (4 + 4)


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return y


def test_multihead_attention_is_its_projections_and_its_attention() -> None:
    report = seen(SelfAttention(), (5, 8))
    assert report.totals.params == 4 * (8 * 8 + 8)
    assert report.totals.macs == 2 * (5 * 8 * 24 + 2 * 5 * 5 * (4 + 4) + 5 * 8 * 8)
    names = [row.name for row in report.layers]
    assert "attention/out_proj" in names


def test_a_transformer_layer_takes_no_fused_short_cut() -> None:
    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    report = seen(module, (5, 8))
    assert report.status == "complete"
    assert "Attention" in types(report)


def test_places_of_maxima_are_a_second_result() -> None:
    for module, shape in (
        (nn.MaxPool1d(2, return_indices=True), (5, 8)),
        (nn.MaxPool2d(2, dilation=2, return_indices=True), (5, 8, 6)),
        (nn.MaxPool3d(2, return_indices=True), (5, 4, 4, 4)),
    ):
        report = seen(module, shape)
        assert types(report) == [type(module).__name__]
        assert [value.result for value in report.shaped.graph.outputs] == [0, 1]
        assert report.status == "complete"


def test_pooling_of_one_sample_without_a_batch() -> None:
    for function, each in ((F.max_pool1d, 1), (F.avg_pool1d, 1 + 1)):
        report = seen(Applied(lambda x, pool=function: pool(x[0], 2)), (5, 8))
        assert report.status == "complete"
        assert report.totals.flops == 5 * 4 * each


class Video(nn.Module):
    """Layers of video models; ResNet's head for volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 8, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False)
        self.pool, self.head = nn.MaxPool3d(2), nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.head(self.pool(self.conv(x).relu())).flatten(1))
        return y


def test_a_network_of_volumes() -> None:
    report = seen(Video(), (3, 4, 12, 12))
    assert types(report) == [
        *("Conv3d", "ReLU", "MaxPool3d", "AdaptiveAvgPool3d", "Flatten", "Linear")
    ]
    assert report.status == "complete"
    assert report.totals.macs == 2 * (4 * 6 * 6 * 3 * 3 * 5 * 5 * 8 + 8 * 10)
    pooled = 2 * 8 * 2 * 3 * 3
    comparisons, means = pooled * (2 * 2 * 2 - 1), 2 * 8 * (2 * 3 * 3)
    rectified, biases = 2 * 8 * 4 * 6 * 6, 2 * 10
    assert report.totals.flops == 2 * report.totals.macs + rectified + comparisons + means + biases


class SqueezeAndExcitation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        s = F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.expand(s))


def test_squeeze_and_excitation() -> None:
    report = seen(SqueezeAndExcitation(), (8, 5, 5))
    assert report.totals.params == (8 * 2 + 2) + (2 * 8 + 8)
    assert report.totals.macs == 2 * (8 * 2 + 2 * 8)
    assert [row.name for row in report.layers][1:] == [
        "adaptive_avg_pool2d",
        "reduce",
        "expand",
        "mul",
    ]


def window_partition(x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)


def test_window_partition_is_a_copy_behind_views() -> None:
    report = seen(Applied(window_partition), (4, 6, 3))
    assert report.layers[-1].output.shape == (2 * 2 * 3, 4, 3)
    assert report.totals.flops == 0


def test_embedding_takes_whole_numbers() -> None:
    from cnnstat import api
    from cnnstat.ir.tensor import TensorSpec

    report = api.analyze(nn.Embedding(10, 4), input={"input": TensorSpec((7,), "int64")})
    assert report.totals.params == 10 * 4
    assert report.totals.macs == 0
    assert report.layers[-1].output.shape == (1, 7, 4)


@pytest.mark.parametrize(
    ("make", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)], ids=["LSTM", "GRU", "RNN"]
)
def test_recurrent_layers(make: Callable[..., nn.Module], gates: int) -> None:
    from cnnstat import api

    module = make(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    report = api.analyze(module, input={"input": (7, 3)}, batch=2)
    matrices = gates * 2 * (5 * (3 + 5) + 5 * (2 * 5 + 5))
    assert report.totals.params == matrices + gates * 2 * 2 * (5 + 5)
    assert report.totals.params == sum(p.numel() for p in module.parameters())
    assert report.totals.macs == 2 * 7 * matrices
    assert report.layers[-1].output.shape == (2, 7, 10)


def test_a_linear_layer_after_addition_of_a_third_tensor() -> None:
    report = seen(Applied(lambda x: torch.baddbmm(x, x, x)), (4, 4))
    assert report.totals.macs == 2 * 4 * 4 * 4
    assert report.totals.flops == 2 * report.totals.macs + 2 * 4 * 4


def test_standardised_weights_are_counted_once() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            flat = self.weight.reshape(1, self.out_channels, -1)
            weight = F.batch_norm(flat, None, None, training=True).reshape_as(self.weight)
            return F.conv2d(input, weight, self.bias)

    report = seen(Standardised(3, 4, 3), (3, 5, 5))
    assert report.status == "complete"
    assert report.totals.params == 3 * 3 * 3 * 4 + 4
    assert report.totals.macs == 2 * 3 * 3 * 3 * 3 * 3 * 4


def test_kernels_that_are_buffers_are_no_parameters() -> None:
    class Blur(nn.Module):
        kernel: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.ones(3, 1, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.kernel, groups=3)

    report = seen(Blur(), (3, 5, 5))
    assert (report.totals.params, report.totals.buffers) == (0, 3 * 3 * 3)


def test_weight_norm_counts_what_is_stored() -> None:
    module = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    report = seen(module, (6,))
    assert report.totals.params == 4 + 6 * 4 + 4
    assert report.totals.macs == 2 * 6 * 4
