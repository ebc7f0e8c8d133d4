"""Random small networks: chains and branches of windows, normalisations and merges."""

from hypothesis import strategies as st

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ir.op import Op
from cnnstat.ir.window import Padding
from cnnstat.ops import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Input,
    Linear,
    MaxPool2d,
    ReLU,
)

EXTENTS = (20, 17)
CHANNELS = 4
PADDINGS: tuple[Padding, ...] = ("same", (0, 0), (1, 1), (0, 1))


@st.composite
def windowed(draw: st.DrawFn, *, mean: bool = False) -> Op:
    """A convolution with its window, or a pooling; ``mean`` leaves the maximum out."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2)]))
    if draw(st.booleans()):
        groups = draw(st.sampled_from([1, 2, 4]))
        padding = draw(st.sampled_from(PADDINGS))
        dilation = draw(st.sampled_from([(1, 1), (2, 1)]))
        return Conv2d(CHANNELS, kernel, stride, padding, dilation, groups, draw(st.booleans()))
    half = (kernel[0] // 2, kernel[1] // 2)
    if mean or draw(st.booleans()):
        return AvgPool2d(kernel, stride, half)
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 3)]))
    return MaxPool2d(kernel, stride, half, draw(st.booleans()), dilation=dilation)


@st.composite
def networks(draw: st.DrawFn, *, spatial: bool = False) -> Graph:
    """A graph of up to eight steps. ``spatial``: windows, means and merges, no classifier."""
    b = Builder("random")
    x = b.add("input", Input((CHANNELS, *EXTENTS)))
    for step in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["window", "branches", "pointwise"]))
        if kind == "window":
            x = b.add(f"{step}/window", draw(windowed(mean=spatial)), x)
        elif kind == "pointwise":
            op = (
                ReLU()
                if spatial
                else draw(st.sampled_from([ReLU(), BatchNorm2d(), Conv2d(4, (1, 1))]))
            )
            x = b.add(f"{step}/pointwise", op, x)
        else:
            x = branches(draw, b, f"{step}", x)
    if spatial:
        return b.graph(x)
    x = b.add("flatten", Flatten(), b.add("pool", GlobalAvgPool2d(), x))
    return b.graph(b.add("fc", Linear(10), x))


def branches(draw: st.DrawFn, b: Builder, name: str, x: Value) -> Value:
    """Two or three paths that keep the extents, added or put side by side (and reduced again)."""
    ends = [x] if draw(st.booleans()) else []
    for path in range(draw(st.integers(2, 3)) - len(ends)):
        kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 1), (2, 2)]))
        conv = b.add(f"{name}/{path}/conv", Conv2d(CHANNELS, kernel, padding="same"), x)
        ends.append(b.add(f"{name}/{path}/relu", ReLU(), conv))
    if draw(st.booleans()):
        return b.add(f"{name}/add", Add(), *ends)
    joined = b.add(f"{name}/concat", Concat(), *ends)
    return b.add(f"{name}/reduce", Conv2d(CHANNELS, (1, 1)), joined)
