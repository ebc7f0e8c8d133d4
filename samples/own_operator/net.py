"""A net with two operators of its own: a library's formula counts one, rules.py the other."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula


@torch.library.custom_op("own::mix", mutates_args=())
def mix(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply with a matrix."""
    return x @ weight


@mix.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[1])


@register_flop_formula(torch.ops.own.mix)
def mix_flops(x_shape, weight_shape, *args, out_shape=None, **kwargs) -> int:
    """Count 2 FLOPs to a multiply-accumulate, as every formula of the registry."""
    return 2 * x_shape[0] * x_shape[1] * weight_shape[1]


@torch.library.custom_op("own::blend", mutates_args=())
def blend(x: Tensor, taps: int) -> Tensor:
    """Blend every value with so many neighbours."""
    return sum(x.roll(tap, -1) for tap in range(taps)) / taps


@blend.register_fake
def _(x: Tensor, taps: int) -> Tensor:
    return torch.empty_like(x)


class Net(nn.Module):
    """A product, a layer, and neighbours that are blended."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 8))
        self.head = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 16) to (n, 8)."""
        return torch.ops.own.blend(self.head(torch.ops.own.mix(x, self.weight)), 5)
