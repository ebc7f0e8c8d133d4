"""Random small modules against PyTorch: parameters are its own, MACs half of FlopCounterMode's.

    python tests/compat/fuzz_modules.py --cases 5000 [--seed 0]

A module is a chain of random steps on a map, a sequence or a vector: convolutions, poolings,
normalisations, linear and recurrent layers, attention, views, writes in place, residuals, hooks. A
case is a number: the same number gives the same module. Differences are printed with it.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)
from torch.utils.flop_counter import FlopCounterMode

from cnnstat import api

Shape = tuple[int, ...]
"""Without the batch: (c, h, w) of a map, (l, d) of a sequence, (d,) of a vector."""

BATCH = 2


class Step(nn.Module):
    """A module and a function of its own input and that module's output."""

    def __init__(
        self, layer: nn.Module | None, function: Callable[[Any, Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x: Tensor) -> Any:
        """Apply the function to the layer and the input; the layer alone where there is none."""
        if self.function is not None:
            return self.function(self.layer, x)
        return self.layer(x)  # type: ignore[misc]


Made = tuple[nn.Module, Shape]
Maker = Callable[[random.Random, Shape], Made | None]
"""Makes a step for an input of a shape, and the shape that comes out; None where it cannot."""


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def _extent(extent: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


# -- maps ------------------------------------------------------------------------------------------


def convolution(draw: random.Random, shape: Shape) -> Made | None:
    """(c, h, w) -> (c', h', w')."""
    c = shape[0]
    groups = draw.choice(_divisors(c))
    out = groups * draw.randint(1, 3)
    kernel = (draw.randint(1, 3), draw.randint(1, 3))
    stride, padding, dilation = draw.randint(1, 2), draw.randint(0, 2), draw.randint(1, 2)
    extents = [
        _extent(n, k, stride, padding, dilation) for n, k in zip(shape[1:], kernel, strict=True)
    ]
    if min(extents) < 1:
        return None
    mode: Any = draw.choice(["zeros", "zeros", "replicate"])
    layer = nn.Conv2d(
        c, out, kernel, stride, padding, dilation, groups, draw.random() < 0.5, padding_mode=mode
    )
    return layer, (out, *extents)


def transposed(draw: random.Random, shape: Shape) -> Made | None:
    """(c, h, w) -> (c', h', w'), larger."""
    c, h, w = shape
    if h * w > 200:
        return None
    groups = draw.choice(_divisors(c))
    kernel, stride = draw.randint(1, 3), draw.randint(1, 2)
    extra = draw.randint(0, stride - 1)
    layer = nn.ConvTranspose2d(
        c, groups * draw.randint(1, 2), kernel, stride, 0, extra, groups, draw.random() < 0.5
    )
    extents = [(n - 1) * stride + kernel + extra for n in (h, w)]
    return layer, (layer.out_channels, *extents)


def pooling(draw: random.Random, shape: Shape) -> Made | None:
    """(c, h, w) -> (c, h', w')."""
    if min(shape[1:]) < 2:
        return None
    ceil, padding = draw.random() < 0.5, draw.randint(0, 1)
    layer = draw.choice(
        [
            nn.MaxPool2d(2, 2, padding, ceil_mode=ceil),
            nn.AvgPool2d(2, 2, padding, ceil_mode=ceil, count_include_pad=draw.random() < 0.5),
            nn.AdaptiveAvgPool2d(draw.randint(1, 3)),
            nn.AdaptiveMaxPool2d((draw.randint(1, 2), 1)),
            nn.LPPool2d(2, 2),
        ]
    )
    out = layer(torch.zeros(1, *shape)).shape[1:]
    return layer, tuple(out)


def normalization(draw: random.Random, shape: Shape) -> Made:
    """Any map -> the same."""
    c = shape[0]
    affine = draw.random() < 0.7
    layers: list[Callable[[], nn.Module]] = [
        lambda: nn.BatchNorm2d(c, affine=affine, track_running_stats=draw.random() < 0.8),
        lambda: nn.GroupNorm(draw.choice(_divisors(c)), c, affine=affine),
        lambda: nn.LayerNorm(shape, elementwise_affine=affine),
        lambda: nn.LocalResponseNorm(2),
    ]
    if shape[1] * shape[2] > 1:
        layers.append(lambda: nn.InstanceNorm2d(c, affine=affine))
    return draw.choice(layers)(), shape


def map_view(draw: random.Random, shape: Shape) -> Made:
    """(c, h, w) -> the same elements otherwise arranged."""
    c, h, w = shape
    made: list[tuple[Callable[[Any, Tensor], Tensor], Shape]] = [
        (lambda _, x: x.transpose(2, 3).contiguous(), (c, w, h)),
        (lambda _, x: (x * 1).transpose_(2, 3), (c, w, h)),
        (lambda _, x: x.flip(2), shape),
        (lambda _, x: F.pad(x, (1, 0, 0, 1)), (c, h + 1, w + 1)),
        (lambda _, x: torch.cat([x, x[:, :1]], 1), (c + 1, h, w)),
        (lambda _, x: torch.stack(x.unbind(1), 1), shape),
        (lambda _, x: x.unsqueeze(1).squeeze_(1).roll(1, 3), shape),
    ]
    if not c % 4:
        made.append((lambda _, x: F.pixel_shuffle(x, 2), (c // 4, 2 * h, 2 * w)))
    if not c % 2:
        made.append((lambda _, x: torch.channel_shuffle(x, 2), shape))
        made.append((lambda _, x: x.chunk(2, 1)[1], (c // 2, h, w)))
        made.append((lambda _, x: torch.unsafe_split(x, c // 2, 1)[0], (c // 2, h, w)))
    function, out = draw.choice(made)
    return Step(None, function), out


def to_sequence(draw: random.Random, shape: Shape) -> Made:
    """(c, h, w) -> (h*w, c)."""
    c, h, w = shape
    made: list[Callable[[Any, Tensor], Tensor]] = [
        lambda _, x: x.flatten(2).transpose(1, 2),
        lambda _, x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, c),
        lambda _, x: x.view(x.shape[0], c, -1).mT.contiguous(),
    ]
    return Step(None, draw.choice(made)), (h * w, c)


def to_vector(draw: random.Random, shape: Shape) -> Made:
    """Any -> (d,)."""
    if draw.random() < 0.5 or len(shape) < 3:
        size = 1
        for extent in shape:
            size *= extent
        return nn.Flatten(), (size,)
    return Step(None, lambda _, x: x.mean((2, 3))), shape[:1]


# -- sequences and vectors -------------------------------------------------------------------------


def linear(draw: random.Random, shape: Shape) -> Made:
    """(..., d) -> (..., d')."""
    out = draw.randint(1, 6)
    layer = nn.Linear(shape[-1], out, draw.random() < 0.6)
    weight: list[Callable[[Any, Tensor], Tensor]] = [
        lambda layer, x: layer(x),
        lambda layer, x: F.linear(x, layer.weight, layer.bias),
        lambda layer, x: x @ layer.weight.t(),
        lambda layer, x: torch.einsum("...d,ed->...e", x, layer.weight),
    ]
    return Step(layer, draw.choice(weight)), (*shape[:-1], out)


def attention(draw: random.Random, shape: Shape) -> Made:
    """(l, d) -> the same."""
    d = shape[1]
    heads = draw.choice(_divisors(d))
    layer = nn.MultiheadAttention(d, heads, bias=draw.random() < 0.7, batch_first=True)
    needs = draw.random() < 0.5
    made: list[Callable[[], Made]] = [
        lambda: (Step(layer, lambda m, x: m(x, x, x, need_weights=needs)[0]), shape),
        lambda: (Step(None, lambda _, x: F.scaled_dot_product_attention(x, x, x)), shape),
        lambda: (Step(None, lambda _, x: (x @ x.mT).softmax(-1) @ x), shape),
        lambda: (
            nn.TransformerEncoderLayer(
                d, heads, 4, activation=draw.choice(["relu", "gelu"]), batch_first=True
            ),
            shape,
        ),
    ]
    return draw.choice(made)()


def recurrent(draw: random.Random, shape: Shape) -> Made:
    """(l, d) -> (l, d')."""
    hidden, both = draw.randint(2, 4), draw.random() < 0.4
    kind = draw.choice([nn.LSTM, nn.GRU, nn.RNN])
    more: dict[str, Any] = {"proj_size": 1} if kind is nn.LSTM and draw.random() < 0.3 else {}
    layer = kind(
        shape[1],
        hidden,
        draw.randint(1, 2),
        bias=draw.random() < 0.7,
        batch_first=True,
        bidirectional=both,
        **more,
    )
    out = more.get("proj_size", hidden) * (1 + both)
    return Step(layer, lambda layer, x: layer(x)[0]), (shape[0], out)


def over_time(draw: random.Random, shape: Shape) -> Made:
    """(l, d) -> (l, d'): a convolution over the sequence."""
    padding: Any = draw.choice([1, "same"])
    layer = nn.Conv1d(shape[1], draw.randint(1, 4), 3, padding=padding)
    return Step(layer, lambda layer, x: layer(x.mT).mT), (shape[0], layer.out_channels)


def sequence_norm(draw: random.Random, shape: Shape) -> Made:
    """(..., d) -> the same."""
    layers = [nn.LayerNorm(shape[-1]), nn.RMSNorm(shape[-1])]
    return draw.choice(layers), shape


# -- anything --------------------------------------------------------------------------------------

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.ReLU(inplace=True),
    *(nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Hardshrink, nn.Mish),
    *(nn.PReLU, nn.LeakyReLU, nn.Softsign, nn.Identity),
    lambda: nn.Dropout(0.1),
    lambda: nn.Softmax(-1),
    lambda: nn.LogSoftmax(1),
)


def activation(draw: random.Random, shape: Shape) -> Made:
    """Any -> the same."""
    return draw.choice(ACTIVATIONS)(), shape


def arithmetic(draw: random.Random, shape: Shape) -> Made:
    """Any -> the same: elementwise, or written in place."""
    made: list[Callable[[Any, Tensor], Tensor]] = [
        lambda _, x: x + x.mean(-1, keepdim=True),
        lambda _, x: x * x.sigmoid(),
        lambda _, x: (x * 2).add_(x),
        lambda _, x: (x.clone().mul_(0.5)).clamp_(min=0),
        lambda _, x: torch.where(x > 0, x, x.exp() - 1),
        lambda _, x: x.masked_fill(x < 0, 0.0).sqrt(),
        lambda _, x: x - x.amax(-1, keepdim=True),
    ]
    return Step(None, draw.choice(made)), shape


ANYWHERE: tuple[Maker, ...] = (activation, arithmetic)
BY_RANK: dict[int, tuple[Maker, ...]] = {
    3: (
        *(convolution, convolution, transposed, pooling, normalization, map_view),
        *(to_sequence, to_vector, *ANYWHERE),
    ),
    2: (linear, attention, recurrent, over_time, sequence_norm, to_vector, *ANYWHERE),
    1: (linear, sequence_norm, *ANYWHERE),
}


class Residual(nn.Module):
    """x + the steps, where they keep the shape; a hook adds the input where it is asked to."""

    def __init__(self, body: nn.Module, *, by_hook: bool) -> None:
        super().__init__()
        self.body, self.by_hook = body, by_hook
        self.stored: list[Tensor] = []
        if by_hook:
            body.register_forward_pre_hook(lambda module, args: self.stored.append(args[0]))

    def forward(self, x: Tensor) -> Any:
        """Any -> the same."""
        out = self.body(x)
        return out + (self.stored.pop() if self.by_hook else x)


def chain(draw: random.Random, shape: Shape, steps: int) -> tuple[nn.Module, Shape]:
    """Return a chain of random steps, and the shape that leaves it."""
    layers: list[nn.Module] = []
    for _ in range(steps):
        made = draw.choice(BY_RANK[len(shape)])(draw, shape)
        if made is None:
            continue
        layer, out = made
        if out == shape and draw.random() < 0.3:
            layer = Residual(layer, by_hook=draw.random() < 0.3)
        layers.append(layer)
        shape = out
        if draw.random() < 0.1 and _keeps(layer, shape):
            layers.append(layer)  # the same layer again: its weights count once
    return nn.Sequential(*layers), shape


def _keeps(layer: nn.Module, shape: Shape) -> bool:
    try:
        with torch.no_grad():
            return tuple(layer.eval()(torch.zeros(1, *shape)).shape[1:]) == shape
    except Exception:
        return False


class Case(NamedTuple):
    """A random module and the shape of its input."""

    module: nn.Module
    shape: Shape


def case(seed: int) -> Case:
    """Return the case of a number."""
    draw = random.Random(seed)
    shapes: tuple[Shape, ...] = (
        (draw.randint(1, 4), draw.randint(3, 9), draw.randint(3, 9)),
        (draw.randint(2, 6), draw.randint(1, 6)),
        (draw.randint(2, 8),),
    )
    shape = draw.choices(shapes, (6, 3, 1))[0]
    with torch.random.fork_rng([]):
        module, _ = chain(draw, shape, draw.randint(1, 6))
    return Case(module, shape)


def problem(seed: int) -> str:
    """Return what is wrong with the figures of a case; nothing where they are PyTorch's."""
    module, shape = case(seed)
    twin = case(seed).module.eval().requires_grad_(False).to("meta")  # hooks lead to itself
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(torch.empty(BATCH, *shape, device="meta"))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    analysis = api.analyze(module, input={"input": shape}, batch=BATCH)
    totals = analysis.totals
    wrong = []
    if analysis.status != "complete":
        wrong.append("partial: " + "; ".join(note.message for note in analysis.report.notes))
    if totals.params != sum(parameter.numel() for parameter in module.parameters()):
        wrong.append(f"params {totals.params}")
    if totals.macs * 2 != counter.get_total_flops():
        wrong.append(f"macs {totals.macs}, FlopCounterMode {counter.get_total_flops()} / 2")
    rows = analysis.layers
    if sum(row.params for row in rows) != totals.params:
        wrong.append("rows do not add up to params")
    if sum(row.macs or 0 for row in rows) != totals.macs:
        wrong.append("rows do not add up to MACs")
    if any(not torch.equal(value, before[name]) for name, value in module.state_dict().items()):
        wrong.append("the module changed")
    return ", ".join(wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; return 1 where one is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    chosen = parser.parse_args(arguments)
    wrong = 0
    for seed in range(chosen.seed, chosen.seed + chosen.cases):
        try:
            said = problem(seed)
        except Exception:
            said = traceback.format_exc(limit=-2)
        if said:
            wrong += 1
            print(f"case {seed}: {said}\n{case(seed)}", flush=True)
    print(f"{chosen.cases} cases from {chosen.seed}: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
