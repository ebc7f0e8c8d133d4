"""Receptive fields of small nets: by hand, and against the gradients of every output element."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import cnnstat
from cnnstat.count.report import Report
from tests.compat.fuzz_receptive import check


class Applied(nn.Module):
    """A function of a 1x30x30 image, after a convolution of 1x5 along the width."""

    def __init__(self, function: Callable[[Tensor], Tensor], kernel: int = 1) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(1, 1, (1, kernel), padding=(0, kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


def report(module: nn.Module, *shape: int) -> Report:
    return cnnstat.analyze(module, input=shape or (1, 30, 30)).report


def size(module: nn.Module, *shape: int) -> tuple[int, ...] | None:
    field = report(module, *shape).layers[-1].receptive_field
    return None if field is None else field.size


AXES: tuple[tuple[str, Callable[[Tensor], Tensor], tuple[int, int] | None], ...] = (
    ("roll", lambda x: x + x.roll(3, -1), (1, 28)),  # around the edge: 0 and 27
    ("flip", lambda x: x + x.flip(-1), (1, 30)),
    ("softmax", lambda x: x.softmax(-1), (1, 30)),
    ("softmax of channels", lambda x: x.softmax(1), None),  # one channel: a constant
    ("log-softmax", lambda x: F.log_softmax(x, 2), (30, 1)),
    ("layer norm", lambda x: F.layer_norm(x, (30,)), (1, 30)),
    ("instance norm", F.instance_norm, (30, 30)),
    ("seam of a concatenation", lambda x: F.avg_pool2d(torch.cat([x, x], -1), (1, 3), 1), (1, 30)),
    ("product", lambda x: x @ x.new_ones(30, 30), (1, 30)),
    ("product with itself", lambda x: x @ x.transpose(-1, -2), (30, 30)),
    ("running sum", lambda x: x.cumsum(3), (1, 30)),
    ("running sum of three", lambda x: x.cumsum(3)[..., :3], (1, 3)),
    ("mean of rows", lambda x: x.mean(3, keepdim=True) + F.avg_pool2d(x, 3, 1, 1), (3, 30)),
    ("every second", lambda x: F.avg_pool2d(x[..., ::2], (1, 2)), (1, 3)),
    (
        "reflection",
        lambda x: F.avg_pool2d(F.pad(x, (2, 2, 0, 0), mode="reflect"), (1, 5), 1),
        (1, 5),
    ),
    ("pixel shuffle", lambda x: F.pixel_unshuffle(x, 2), None),
    ("repetition", lambda x: F.avg_pool2d(F.interpolate(x, scale_factor=2), (1, 4), 1), (1, 3)),
    ("spectrum", lambda x: torch.fft.fft2(x).real, (30, 30)),
    ("indices", lambda x: x[..., torch.arange(29, -1, -1)], None),
)


@pytest.mark.parametrize(
    ("function", "expected"), [row[1:] for row in AXES], ids=[r[0] for r in AXES]
)
def test_along_each_axis(
    function: Callable[[Tensor], Tensor], expected: tuple[int, int] | None
) -> None:
    assert size(Applied(function)) == expected


@pytest.mark.parametrize("turn", [lambda x: x.transpose(2, 3), lambda x: x.permute(0, 1, 3, 2)])
def test_axes_keep_their_field_through_a_transposition(turn: Callable[[Tensor], Tensor]) -> None:
    three = nn.Conv2d(1, 1, (1, 3), padding=(0, 1))
    net = nn.Sequential(nn.Conv2d(1, 1, (1, 5), padding=(0, 2)), Applied(turn), three)
    assert size(net) == (3, 5)  # three along what was the height


@pytest.mark.parametrize(
    ("kernel", "stride", "last", "expected"), [(1, 3, 2, 1), (2, 4, 3, 1), (3, 2, 2, 2)]
)
def test_phases_without_a_tap_read_nothing(
    kernel: int, stride: int, last: int, expected: int
) -> None:
    net = nn.Sequential(nn.ConvTranspose2d(1, 1, kernel, stride), nn.Conv2d(1, 1, last))
    assert size(net) == (expected, expected)


def test_padding_behind_a_product_over_a_row_reads_nothing() -> None:
    def beside(x: Tensor) -> Tensor:
        return F.pad(x @ x.new_ones(30, 30), (1, 1, 0, 0))

    assert size(Applied(lambda x: beside(x)[..., :1])) is None  # the padded column alone
    assert size(Applied(lambda x: beside(x)[..., :2])) == (1, 30)


def test_a_part_of_a_concatenation_has_its_own_field() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Conv2d(1, 1, 5, padding=2)

        def forward(self, x: Tensor) -> Tensor:
            both = torch.cat([x, self.wide(x)], 1)
            return both[:, :1]

    assert size(Parts()) == (1, 1)


def test_windows_of_attention_read_their_window() -> None:
    def within(x: Tensor) -> Tensor:
        y = x.view(1, 1, 5, 6, 5, 6).permute(0, 2, 4, 3, 5, 1).reshape(25, 36, 1)
        return F.scaled_dot_product_attention(y, y, y)

    assert size(Applied(within)) == (6, 6)


class Picked(nn.Module):
    """Two convolutions, between them columns that are picked by a tensor of indices."""

    def __init__(self, *, pooled: bool) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3)
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.b(self.a(x)[..., torch.arange(14, -1, -1)])
        return y.mean((2, 3)) if self.pooled else y


@pytest.mark.parametrize("pooled", [False, True])
def test_the_headline_is_unknown_behind_an_unknown_operator(pooled: bool) -> None:
    picked = report(Picked(pooled=pooled), 3, 31, 31)
    last = picked.last_map
    assert last is not None
    assert last == picked.layers[-1]
    assert last.receptive_field is None


def test_a_unit_norm_of_one_element_reads_nothing() -> None:
    assert size(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Softmax(1)), 1, 9, 9) is None


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_nets_against_gradients(first: int) -> None:
    verdicts = Counter(check(seed) for seed in range(first, first + 20))
    assert set(verdicts) <= {"right", "unknown"}
    assert verdicts["right"] > 12
