"""Figures that no expression of plain reads gives: they follow a graph, or build an example.

Every function takes the reports and the record's model, then what the record's ``compute`` passes.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from cnnstat.count.report import Report
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, NodeFacts, ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import groups, hwc, kernel_weights, node, ops, row, window
from cnnstat.ledger.reports import Reports
from cnnstat.ops import (
    RBF,
    Add,
    AvgPool2d,
    Concat,
    ConnectedConv2d,
    Conv2d,
    DropPath,
    GlobalAvgPool2d,
    Input,
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
    Subsampling,
)

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
STAGES = range(2, 6)


def sequence(reports: Reports, model: str) -> Computed:
    """Return the kinds in order; a convolution that covers its whole input is fully connected."""
    words = []
    for layer in reports(model).layers[1:]:
        if layer.type == "Subsampling":
            words.append("POOL")
        elif "Conv2d" in layer.type and layer.output.shape[2:] != (1, 1):
            words.append("CONV")
        else:
            words.append("FC")
    return "-".join(words), len(words)


def connections(reports: Reports, model: str, layer: str = "") -> Computed:
    """Return the connections as LeCun et al. count them, of the model or of one layer."""
    shaped = reports.shaped(model)
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    return sum(_connections(n.op, facts) for n, facts in pairs if layer in ("", n.name))


def _connections(op: Op, facts: NodeFacts) -> int:
    """Return a bias and one connection for each value that an output adds up."""
    work = facts.work
    if work is None:
        return 0
    if isinstance(op, Subsampling):
        return work.additions + work.multiplications + work.bias_adds
    return work.multiplications if isinstance(op, RBF) else work.macs + work.bias_adds


def params_of_maps(reports: Reports, model: str, inputs: int) -> Computed:
    """Return the parameters of the maps of C3 that read this many maps of S2."""
    op = node(reports(model), "C3")[0].op
    if not isinstance(op, ConnectedConv2d):
        raise LookupError("C3 has no connection table")
    kh, kw = op.kernel
    return sum(len(read) * kh * kw + 1 for read in op.connections if len(read) == inputs)


def exchanging(reports: Reports, model: str) -> Computed:
    """Return the layers of AlexNet after conv1 that read the maps of both GPUs."""
    after = ("conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
    return tuple(name for name in after if groups(reports(model), name) == 1)


def pooling_label(reports: Reports, model: str) -> Computed:
    """Return the name that table 14-2 would give the last pooling: S and its position."""
    layers = [layer.name for layer in reports(model).layers[1:]]
    return f"S{layers.index('pool5') + 1}"


def pooling_halves(reports: Reports, model: str) -> Computed:
    """Return for each pooling whether its output has half its input's height."""
    pools = [layer for layer in reports(model).layers if layer.type == "MaxPool2d"]
    return tuple(2 * layer.output.shape[2] == layer.inputs[0].shape[2] for layer in pools)


def mlpconv_layers(reports: Reports, model: str) -> Computed:
    """Return the mlpconv layers and the global average poolings.

    An mlpconv layer is a convolution of more than 1x1 with the 1x1 convolutions after it.
    """
    net = reports.shaped(model)
    wide = [op for op in ops(net, Conv2d) if isinstance(op, Conv2d) and op.kernel != (1, 1)]
    return len(wide), len(ops(net, GlobalAvgPool2d))


def branches_equal_groups(reports: Reports, model: str) -> Computed:
    """Return whether the three forms of the block have the same parameters, MACs and output."""
    forms = [reports(f"resnext-block{suffix}") for suffix in ("", "-concat", "-grouped")]
    sums = {(f.totals.params, f.totals.macs, f.layers[-1].output.shape) for f in forms}
    return len(sums) == 1


def concatenates(reports: Reports, model: str) -> Computed:
    """Return whether each concatenation has the channels of all it joins, and nothing is added."""
    shaped = reports.shaped(model)
    for each, facts in zip(shaped.nodes, shaped.facts, strict=True):
        joined = sum(spec.shape[1] for spec in facts.inputs)
        if isinstance(each.op, Concat) and facts.outputs[0].shape[1] != joined:
            return False
    return bool(ops(shaped, Concat)) and not ops(shaped, Add)


def _modules(net: Report) -> list[str]:
    names = [n.name for n in net.shaped.nodes if n.name.startswith("inception_")]
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def modules(reports: Reports, model: str) -> int:
    """Return the number of GoogLeNet's modules."""
    return len(_modules(reports(model)))


def convolutions_outside(reports: Reports, model: str) -> int:
    """Return how many convolutions lie outside GoogLeNet's modules."""
    named = [n.name for n in reports.shaped(model).nodes if isinstance(n.op, Conv2d)]
    return sum(not name.startswith("inception_") for name in named)


def module_branches(reports: Reports, model: str) -> Computed:
    """Return the last operator and its kernel of each branch that a module joins."""
    net = reports(model)
    nodes = net.shaped.nodes
    ends = []
    for value in next(n for n in nodes if isinstance(n.op, Concat)).inputs:
        end = nodes[value.node]
        while isinstance(end.op, ReLU):
            end = nodes[end.inputs[0].node]
        ends.append((end.op.type_name, window(net, end.name)[0]))
    return tuple(ends)


def modules_behind_pooling(reports: Reports, model: str) -> Computed:
    """Return the positions of the modules whose input comes out of a max-pooling."""
    net = reports(model)
    nodes = net.shaped.nodes
    positions = []
    for position, module in enumerate(_modules(net), 1):
        first = next(n for n in nodes if n.name.startswith(f"{module}/"))
        if isinstance(nodes[first.inputs[0].node].op, MaxPool2d):
            positions.append(position)
    return tuple(positions)


def auxiliary_heads(reports: Reports, model: str) -> Computed:
    """Return the number of auxiliary heads, the layers of one, whether they only train."""
    members = [n for n in reports(model).shaped.nodes if n.name.startswith("aux")]
    heads = {n.name.partition("/")[0] for n in members}
    kinds = (AvgPool2d, Conv2d, Linear, Softmax)
    layers = [n for n in members if isinstance(n.op, kinds)]
    one = tuple(n.op.type_name for n in layers if n.name.startswith("aux1/"))
    return len(heads), one, all(n.training_only for n in members)


def _adds(shaped: ShapedGraph, stage: int) -> list[str]:
    """Return the names of the additions in a stage of a ResNet, one for each block."""
    prefix = f"conv{stage}_"
    return [n.name for n in shaped.nodes if n.name.startswith(prefix) and isinstance(n.op, Add)]


def blocks(reports: Reports, model: str) -> Computed:
    """Return the blocks of conv2_x to conv5_x."""
    return tuple(len(_adds(reports.shaped(model), stage)) for stage in STAGES)


def stages_double(reports: Reports, model: str) -> Computed:
    """Return whether each stage after the first has twice the maps of half the extent."""
    net = reports(model)
    ends = [row(net, _adds(net.shaped, stage)[-1]).output for stage in STAGES]
    return all(
        b.shape[1] == 2 * a.shape[1] and 2 * b.shape[2] == a.shape[2] for a, b in pairwise(ends)
    )


def least_depth_with_bottlenecks(reports: Reports, model: str) -> Computed:
    """Return the least of the five depths whose blocks have three convolutions."""
    return min(
        reports.outline(name).depth
        for name in RESNETS
        if any(node.name == "conv2_1/1x1" for node in reports.shaped(name).nodes)
    )


def ensemble_error(reports: Reports, model: str) -> Computed:
    """Return the top-5 error of the ensemble on the card: it was measured, nothing derives it."""
    from cnnstat.zoo.catalog import find

    errors = [a.top5_error for a in find(model).accuracy if a.ensemble and a.top5_error]
    return Fraction(str(errors[0]))


def surviving_blocks(reports: Reports, model: str) -> Computed:
    """Return the expected number of residual blocks in a training step, and how many there are."""
    survivals = [Fraction(str(op.survival)) for op in ops(reports.shaped(model), DropPath)]
    return sum(survivals, Fraction(0)), len(survivals)


def params_of_layers(reports: Reports, model: str) -> Computed:
    """Return the parameters of a model's layers, without those of its batch norms."""
    shaped = reports.shaped(model)
    return sum(
        weight.numel
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        if node.op.is_layer
        for weight in facts.weights
        if weight.role != "buffer"
    )


def square_blocks(reports: Reports, model: str, columns: int) -> Computed:
    """Return FractalNet's weights of convolutions if all those of a block are square.

    A 1x1 convolution in front of each block gives it the block's width where that changes.
    """
    from cnnstat.zoo.blocks import conv_op
    from cnnstat.zoo.fractalnet import FIRST_WIDTH, INPUT, WIDTH_FACTORS, fractal_block

    b = Builder("fractal blocks of square convolutions")
    x, channels = b.add("input", Input(INPUT)), INPUT[0]
    for block, factor in enumerate(WIDTH_FACTORS, 1):
        width = factor * FIRST_WIDTH
        with b.scope(f"block{block}"):
            if width != channels:
                x, channels = b.add("widen", conv_op(width, 1, bias=False), x), width
            x = fractal_block(b, x, columns, width)
    net = reports(b.graph(x))
    convolutions = [n.name for n in net.shaped.nodes if n.op.is_layer]
    return sum(kernel_weights(net, name) for name in convolutions)


def _chain(shape: tuple[int, ...], *convolutions: Conv2d) -> Graph:
    """Return an example of a source: convolutions one after the other."""
    b = Builder("example")
    x = b.add("input", Input(shape))
    for number, op in enumerate(convolutions, 1):
        x = b.add(f"conv{number}", op, x)
    return b.graph(x)


def example_of_1x1(reports: Reports, model: str) -> Computed:
    """Return the blog's example: input and output of a 1x1 convolution from 128 to 32 maps."""
    net = reports(_chain((128, 28, 28), Conv2d(32, (1, 1))))
    return hwc(net.input), hwc(net.layers[-1].output)


def example_params(reports: Reports, model: str, channels: int) -> Computed:
    """Return the parameters of Conv2D(32, 3), the notes' first example, on so many channels."""
    return reports(_chain((channels, 28, 28), Conv2d(32, (3, 3)))).totals.params


def thinner_layer(reports: Reports, model: str, extent: int) -> Computed:
    """Return MACs and parameters of table 3's separable layer with 384 channels on such maps."""
    c = 512 * 3 // 4
    depthwise = Conv2d(c, (3, 3), padding="same", groups=c, bias=False)
    net = reports(_chain((c, extent, extent), depthwise, Conv2d(c, (1, 1), bias=False)))
    return net.totals.macs, net.totals.params
