"""GoogLeNet and its modules: layers outside them, branches, heads, other accountings."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.count.report import Report
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Value
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import hwc, row, window
from cnnstat.ledger.reports import Reports
from cnnstat.ops import (
    AvgPool2d,
    Concat,
    Conv2d,
    Input,
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
)

NET, AUX = "googlenet", "googlenet-aux"
NAIVE, REDUCED = "inception-naive", "inception-bottleneck"


def _modules(net: Report) -> list[str]:
    names = [n.name for n in net.shaped.nodes if n.name.startswith("inception_")]
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def _outside(net: Report, kind: type[Conv2d] | type[Linear]) -> int:
    """Return how many layers of a kind lie outside the modules."""
    named = [n.name for n in net.shaped.nodes if isinstance(n.op, kind)]
    return sum(not name.startswith("inception_") for name in named)


def depth_parts(reports: Reports) -> Computed:
    """Return the layers in the modules, convolutions and fully connected ones outside, depth."""
    net = reports(NET)
    per_module = reports(REDUCED).totals.depth
    inside = per_module * len(_modules(net))
    return inside, _outside(net, Conv2d), _outside(net, Linear), net.totals.depth


def outside_modules(reports: Reports) -> Computed:
    """Return the number of modules, and of the convolutions outside."""
    net = reports(NET)
    return len(_modules(net)), _outside(net, Conv2d)


def outside_modules_with_classifier(reports: Reports) -> Computed:
    """Return the number of modules, and of the layers outside with the fully connected one."""
    net = reports(NET)
    return len(_modules(net)), _outside(net, Conv2d) + _outside(net, Linear)


def without_classifier(reports: Reports, quantity: str) -> int:
    """Return a total without the last fully connected layer."""
    net = reports(NET)
    return int(getattr(net.totals, quantity)) - int(getattr(row(net, "fc"), quantity))


def _producer(net: Report, value: Value) -> int:
    """Return the node after a value, activations skipped."""
    nodes, index = net.shaped.nodes, value.node
    while isinstance(nodes[index].op, ReLU):
        index = nodes[index].inputs[0].node
    return index


def branches(reports: Reports) -> Computed:
    """Return the last operator and its kernel of each branch of the naive module."""
    net = reports(NAIVE)
    joined = next(n for n in net.shaped.nodes if isinstance(n.op, Concat))
    ends = [net.shaped.nodes[_producer(net, value)] for value in joined.inputs]
    return tuple((end.op.type_name, window(net, end.name)[0]) for end in ends)


def branch_count(reports: Reports) -> Computed:
    """Return the branches that the module joins."""
    return len(next(n for n in reports(REDUCED).shaped.nodes if isinstance(n.op, Concat)).inputs)


def modules_behind_pooling(reports: Reports) -> Computed:
    """Return the positions of the modules whose input comes out of a max-pooling."""
    net = reports(NET)
    nodes = net.shaped.nodes
    positions = []
    for position, module in enumerate(_modules(net), 1):
        first = next(n for n in nodes if n.name.startswith(f"{module}/"))
        if isinstance(nodes[first.inputs[0].node].op, MaxPool2d):
            positions.append(position)
    return tuple(positions)


def auxiliary_heads(reports: Reports) -> Computed:
    """Return the number of auxiliary heads, the layers of one, whether they only train."""
    members = [n for n in reports(AUX).shaped.nodes if n.name.startswith("aux")]
    heads = {n.name.partition("/")[0] for n in members}
    kinds = (AvgPool2d, Conv2d, Linear, Softmax)
    layers = [n for n in members if isinstance(n.op, kinds)]
    one = tuple(n.op.type_name for n in layers if n.name.startswith("aux1/"))
    return len(heads), one, all(n.training_only for n in members)


def flattened_layer(reports: Reports, outputs_of: str) -> Computed:
    """Return the weights of a fully connected layer on the maps that the global pooling takes.

    It has as many outputs as the row ``outputs_of``.
    """
    net = reports(NET)
    return row(net, "pool5").inputs[0].numel * row(net, outputs_of).output.numel


def row_counted_twice(reports: Reports) -> Computed:
    """Return the MACs of the reduced module with its 3x3 row counted twice."""
    net = reports(REDUCED)
    return net.totals_figures.work.macs + (row(net, "3x3").macs or 0)


def pooling_keeps_channels(reports: Reports) -> Computed:
    """Return whether the pooling branch keeps its channels and the module's output has more."""
    net = reports(NAIVE)
    c = net.input.shape[1]
    return row(net, "pool").output.shape[1] == c and row(net, "output").output.shape[1] > c


def factored_7x7(reports: Reports, quantity: str) -> Computed:
    """Return a figure of conv1 with a 7x1 and a 1x7 kernel for each 7x7 one."""
    return Fraction(getattr(row(reports(NET), "conv1"), quantity) * (7 + 7), 7 * 7)


def factored_7x7_with_biases(reports: Reports) -> Computed:
    """Return the weights of conv1 with such kernels, and its biases."""
    layer = row(reports(NET), "conv1")
    return Fraction(layer.weights * (7 + 7), 7 * 7) + layer.biases


def example_of_1x1(reports: Reports) -> Computed:
    """Return the blog's example: input and output of a 1x1 convolution from 128 to 32 maps."""
    b = Builder("1x1 convolution, 128 to 32 maps")
    net = reports(b.graph(b.add("conv", Conv2d(32, (1, 1)), b.add("input", Input((128, 28, 28))))))
    return hwc(net.input), hwc(row(net, "conv").output)


def wider_reduction(reports: Reports, module: str, width: int) -> Computed:
    """Return the MACs of a module whose 5x5 reduction has ``width`` filters."""
    net = reports(NET)
    total = sum(layer.macs or 0 for layer in net.layers if layer.name.startswith(f"{module}/"))
    changed = [row(net, f"{module}/{name}") for name in ("5x5_reduce", "5x5")]
    narrow = changed[0].output.shape[1]
    macs = sum(layer.macs or 0 for layer in changed)
    return total - macs + Fraction(macs * width, narrow)


def last_modules_on_6x6(reports: Reports) -> Computed:
    """Return the MACs with the maps of 7x7 in modules 5a and 5b cut to 6x6."""
    net = reports(NET)
    last = [r for r in net.layers if r.name.startswith(("inception_5a/", "inception_5b/"))]
    macs = sum(layer.macs or 0 for layer in last)
    h, w = row(net, "inception_5b/output").output.shape[2:]
    return net.totals_figures.work.macs - macs + Fraction(macs * 6 * 6, h * w)
