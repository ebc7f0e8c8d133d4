"""Random small nets: the receptive field against the gradients of every output element.

    python tests/compat/fuzz_receptive.py --count 5000 --seed 0

Weights and inputs are random and of double precision, so that what can depend has a gradient.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import cnnstat
from cnnstat.count.receptive.field import size_of
from cnnstat.count.receptive.lines import Line, intervals, taps
from cnnstat.count.receptive.positions import Along, Either, Folded, State
from cnnstat.count.report import Report

MOST_EXTENT, MOST_CHANNELS, LEAST_AREA = 24, 8, 2
Step = Callable[[Tensor], Tensor]
Maker = Callable[[random.Random, Tensor], "nn.Module | Step"]


class Scale(nn.Module):
    """A weight of its own for each element of all images."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(shape[1:]) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Weighted(nn.Module):
    """A step, then a scale: a mean of what was normalised would be a constant otherwise."""

    def __init__(self, step: Step, x: Tensor) -> None:
        super().__init__()
        self.step = step
        self.scale = Scale(step(x).shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale.forward(self.step(x))


def convolution(r: random.Random, x: Tensor) -> nn.Module:
    kernel = r.randint(1, 3), r.randint(1, 3)
    stride = r.choice([(1, 1), (1, 1), (2, 2), (1, 2), (3, 1)])
    padding: Any = r.choice([0, 1, (0, 1), (2, 0)])
    if stride == (1, 1) and r.random() < 0.2:
        padding = "same"
    groups = r.choice([1, 1, x.shape[1]])
    out = r.choice([x.shape[1], 2 * x.shape[1]]) if groups > 1 else r.randint(1, 3)
    dilation = r.choice([1, 1, 2])
    return nn.Conv2d(x.shape[1], out, kernel, stride, padding, dilation, groups)


def transposed(r: random.Random, x: Tensor) -> nn.Module:
    kernel, stride = r.randint(1, 4), r.randint(1, 3)
    padding, extra = r.randint(0, kernel - 1), r.randint(0, stride - 1)
    dilation = r.choice([1, 1, 2])
    channels = x.shape[1], r.randint(1, 3)
    return nn.ConvTranspose2d(*channels, kernel, stride, padding, extra, dilation=dilation)


def pooling(r: random.Random, x: Tensor) -> nn.Module:
    kernel = r.randint(2, 3), r.randint(1, 3)
    padding, stride = r.choice([(0, 0), (1, 0)]), r.choice([(1, 1), (2, 2), kernel])
    return nn.AvgPool2d(kernel, stride, padding, ceil_mode=r.random() < 0.5)


def adaptive(r: random.Random, x: Tensor) -> nn.Module:
    return nn.AdaptiveAvgPool2d((r.randint(1, x.shape[2]), r.randint(1, x.shape[3])))


def normalised(r: random.Random, x: Tensor) -> nn.Module:
    c = x.shape[1]
    kind = r.choice(["layer", "instance", "group", "softmax", "log_softmax", "batch"])
    axis = r.choice([1, 2, 3])
    steps: dict[str, Step] = {
        "layer": nn.LayerNorm(x.shape[r.choice([2, 3]) :]),
        "instance": nn.InstanceNorm2d(c) if x.shape[2] * x.shape[3] > 1 else nn.Identity(),
        "group": nn.GroupNorm(r.choice([1, c]), c),
        "softmax": nn.Softmax(axis),
        "log_softmax": nn.LogSoftmax(axis),
        "batch": nn.BatchNorm2d(c).eval(),
    }
    return Weighted(steps[kind], x)


def resampled(r: random.Random, x: Tensor) -> Step:
    k = r.randint(1, 3)
    if r.random() < 0.5:
        return lambda x: F.interpolate(x, scale_factor=k, mode="nearest")
    size = r.randint(1, 12), r.randint(1, 12)
    mode = r.choice(["nearest", "bilinear", "bicubic"])
    aligned = None if mode == "nearest" else r.random() < 0.5
    return lambda x: F.interpolate(x, size, mode=mode, align_corners=aligned)


def padded(r: random.Random, x: Tensor) -> Step:
    mode = r.choice(["constant", "reflect", "replicate", "circular"])
    most = 2 if mode == "constant" else min(2, x.shape[2] - 1, x.shape[3] - 1)
    pads = [r.randint(0, most) for _ in range(4)]
    return lambda x: F.pad(x, pads, mode=mode)


def rolled(r: random.Random, x: Tensor) -> Step:
    axis, shift = r.choice([1, 2, 3]), r.randint(-3, 3)
    return lambda x: x.roll(shift, axis)


def flipped(r: random.Random, x: Tensor) -> Step:
    axes = r.choice([[2], [3], [2, 3], [1]])
    return lambda x: x.flip(axes)


def turned(r: random.Random, x: Tensor) -> Step:
    order = r.choice([(0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 3, 2, 1)])
    return lambda x: x.permute(order)


def sliced(r: random.Random, x: Tensor) -> Step:
    axis = r.choice([1, 2, 3])
    n = x.shape[axis]
    start, step = r.randint(0, n // 2), r.randint(1, 2)
    chosen = [slice(None)] * 4
    chosen[axis] = slice(start, r.choice([None, n, n - 1 if n - 1 > start else None]), step)
    return lambda x: x[tuple(chosen)]


def chunked(r: random.Random, x: Tensor) -> Step:
    axis, part = r.choice([1, 2, 3]), r.randint(0, 1)
    return lambda x: x.chunk(2, axis)[min(part, len(x.chunk(2, axis)) - 1)]


def running(r: random.Random, x: Tensor) -> Step:
    axis = r.choice([1, 2, 3])
    return lambda x: x.cumsum(axis)


def multiplied(r: random.Random, x: Tensor) -> Step:
    linear = nn.Linear(x.shape[3], r.randint(1, 6))
    steps: list[Step] = [lambda x: x @ x.transpose(-1, -2), linear]
    return r.choice(steps)


def attended(r: random.Random, x: Tensor) -> Step:
    return lambda x: F.scaled_dot_product_attention(x, x, x)


def reshaped(r: random.Random, x: Tensor) -> Step:
    n, c, h, w = x.shape
    shapes = [(n, c, h * w, 1), (n, c * h, w, 1), (n, 1, c * h, w), (n, h, c, w), (n, h * w, c, 1)]
    if h % 2 == 0:
        shapes.append((n, c * 2, h // 2, w))
    if w % 2 == 0:
        shapes += [(n, c, h * 2, w // 2), (n, c, 2, h * w // 2)]
    shape = r.choice(shapes)
    return lambda x: x.reshape(shape)


def shuffled(r: random.Random, x: Tensor) -> Step:
    n, c, h, w = x.shape
    if c % 4 == 0 and r.random() < 0.5:
        return nn.PixelShuffle(2)
    if c % 2 == 0:
        return lambda x: x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
    return Weighted(lambda x: x.repeat(1, 2, 1, 1), x)


def repeated(r: random.Random, x: Tensor) -> Step:
    axis = r.choice([1, 2, 3])
    times = [1, 1, 1, 1]
    times[axis] = 2
    if r.random() < 0.5:
        return Weighted(lambda x: x.repeat_interleave(2, axis), x)
    return Weighted(lambda x: x.repeat(times), x)


def selected(r: random.Random, x: Tensor) -> Step:
    axis = r.choice([1, 2, 3])
    index = r.randint(0, x.shape[axis] - 1)
    return lambda x: x.select(axis, index).unsqueeze(axis)


def reduced(r: random.Random, x: Tensor) -> nn.Module:
    axes = r.choice([(1,), (2,), (3,), (2, 3)])
    return Weighted(lambda x: x.mean(axes, keepdim=True), x)


def windows(r: random.Random, x: Tensor) -> Step:
    """Partition into windows and attend within them, as Swin does."""
    n, c, h, w = x.shape
    if h % 2 or w % 2:
        return torch.tanh

    def step(x: Tensor) -> Tensor:
        y = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        y = F.scaled_dot_product_attention(y, y, y)
        y = y.view(n, h // 2, w // 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4)
        return y.reshape(n, c, h, w)

    return step


def squashed(r: random.Random, x: Tensor) -> Step:
    steps: list[Step] = [torch.tanh, torch.sigmoid, F.softplus]
    return r.choice(steps)


def gated(r: random.Random, x: Tensor) -> Step:
    axes = [axis for axis in (1, 2, 3) if x.shape[axis] % 2 == 0 and x.shape[axis] > 2]
    if not axes:
        return torch.sinh
    axis = r.choice(axes)
    return lambda x: F.glu(x, axis)


def defined(r: random.Random, x: Tensor) -> Step:
    axis = r.choice((2, 3))
    steps: list[Step] = [lambda x: x.logcumsumexp(axis), lambda x: F.normalize(x, 3.0, axis)]
    steps.insert(1, lambda x: torch.fft.fft(x, dim=axis).abs())
    return r.choice([*steps, lambda x: x - x.nansum(axis, keepdim=True)])


STEPS: tuple[Maker, ...] = (
    *(convolution, convolution, convolution, transposed, pooling, adaptive, normalised, resampled),
    *(padded, rolled, flipped, turned, sliced, chunked, running, multiplied, attended, reshaped),
    *(shuffled, repeated, selected, reduced, windows, squashed, squashed),
    *(gated, defined),
)


class Join(nn.Module):
    """A branch beside its input: added where shapes broadcast, else put side by side."""

    def __init__(self, branch: nn.Module, other: nn.Module, axis: int | None) -> None:
        super().__init__()
        self.branch, self.other, self.axis = branch, other, axis

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.branch(x), self.other(x)
        return one + other if self.axis is None else torch.cat([one, other], self.axis)


class Apply(nn.Module):
    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x)


def chain(r: random.Random, x: Tensor, length: int) -> tuple[nn.Module, Tensor]:
    """A random chain of steps on ``x``, and what comes out."""
    steps: list[nn.Module] = []
    while len(steps) < length:
        try:
            made = branched(r, x) if r.random() < 0.25 else r.choice(STEPS)(r, x)
            if made is None:
                continue
            module = made if isinstance(made, nn.Module) else Apply(made)
            y = module(x)
        except (RuntimeError, ValueError, IndexError):
            continue
        fits = max(y.shape[2:]) <= MOST_EXTENT and y.shape[1] <= 4 * MOST_CHANNELS
        if y.dim() == 4 and fits and y.numel():
            steps.append(module)
            x = y.detach()
    return nn.Sequential(*steps), x


def branched(r: random.Random, x: Tensor) -> nn.Module | None:
    one, y = chain(r, x, r.randint(1, 2))
    other, z = chain(r, x, r.randint(0, 2))
    axes: list[int | None] = []
    pairs = list(zip(y.shape, z.shape, strict=True))
    if all(a == b or 1 in (a, b) for a, b in pairs):
        axes += [None, None]
    for axis in (1, 2, 3):
        if all(a == b for i, (a, b) in enumerate(pairs) if i != axis):
            axes.append(axis)
    return Join(one, other, r.choice(axes)) if axes else None


def net(seed: int) -> tuple[nn.Module, Tensor]:
    """A random net and an input for it."""
    r = random.Random(seed)
    torch.manual_seed(seed)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        x = torch.randn(1, r.randint(1, 3), r.randint(5, 13), r.randint(5, 13))
        module, _ = chain(r, x, r.randint(1, 5))
    finally:
        torch.set_default_dtype(usual)
    return module.eval(), x


def read_by_gradients(module: nn.Module, x: Tensor) -> tuple[int, ...]:
    """Extent along height and width of what one output element depends on, the most of any."""
    flat = nn.Sequential(module, nn.Flatten(0))
    jacobian: Callable[..., Tensor] = torch.autograd.functional.jacobian
    try:
        gradients = jacobian(flat, x, vectorize=True)
    except RuntimeError:  # some backward passes cannot be batched
        gradients = jacobian(flat, x)
    rows = gradients[:, 0].ne(0).any(1)
    sizes = []
    for axis in (2, 1):
        marked = rows.any(axis).int()  # (outputs, positions)
        first, behind = marked.argmax(1), marked.flip(1).argmax(1)
        last = marked.shape[1] - 1 - behind
        sizes.append(int(((last - first + 1) * marked.any(1)).max()))
    return tuple(sizes)


def is_inside(line: Line, position: int) -> bool:
    """Whether no padding and no border lies between a position and the input."""
    for parent, window, transposed in line.parents:
        reached = taps(window, position, parent.extent, transposed=transposed)
        full = taps(window, position + 10**6 * window.stride, 10**9, transposed=transposed)
        if len(reached) < len(full) or not all(is_inside(parent, p) for p in reached):
            return False
    return True


def within_border(state: State, size: int) -> int:
    """The field of a state without what lies beyond the border, which a regular one includes."""
    if isinstance(state, Along):
        reads = [each for each in intervals(state.line, range(state.line.extent)) if each]
        return max([high - low + 1 for low, high in reads], default=0)
    if isinstance(state, Folded):
        return within_border(state.inner, size)
    if isinstance(state, Either):
        return max(within_border(part, size_of(part)) for part in state.parts)
    return size


def verdict(report: Report, gradient: tuple[int, ...]) -> str:
    """``right``, ``unknown``, or what is wrong."""
    (value,) = report.shaped.graph.outputs
    field = report.fields.receptive_field(value)
    if report.fields.is_unknown(value):
        return "unknown"
    if field is None:
        return "right" if gradient == (0, 0) else f"nothing, but gradients reach {gradient}"
    sides = zip(report.fields.of(value), field.size, gradient, strict=True)
    for axis, (state, size, reached) in enumerate(sides):
        exact = within_border(state, size)
        if isinstance(state, Along):
            inside = [p for p in range(state.line.extent) if is_inside(state.line, p)]
            spans = [s for s in map(state.line.span.at, inside) if s]
            if any(s[1] - s[0] + 1 == size for s in spans) and exact != size:
                return f"axis {axis}: {size}, but {exact} within the border"
        if exact != reached:
            return f"axis {axis}: {exact} ({type(state).__name__}), but gradients reach {reached}"
    return "right"


def check(seed: int) -> str:
    """The verdict of one net."""
    module, x = net(seed)
    report = cnnstat.analyze(module, input=tuple(x.shape[1:]), dtype="float64").report
    return verdict(report, read_by_gradients(module, x))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.count):
        said = check(seed)
        kind = said if said in ("right", "unknown") else "wrong"
        counts[kind] += 1
        if kind == "wrong":
            print(f"seed {seed}: {said}")
    print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
