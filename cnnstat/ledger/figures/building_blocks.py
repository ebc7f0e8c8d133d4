"""Published figures of the building blocks that papers and lectures argue with.

Weights are for C channels in and out: a weight count over C*C is what '27C^2' prints.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Ask, Bound, Computed, Figure, percent
from cnnstat.ledger.figures.measure import hwc, ops, ratio, row
from cnnstat.ops import Add, Concat, ReLU

DIRECT, REDUCED = "conv-5x5-direct", "conv-5x5-reduced"
SEPARABLE, STANDARD = "depthwise-separable", "standard-conv"


def _per_channel_pair(model: str, ask: Ask) -> Fraction:
    """Return the weights over C*C, for C channels in and out."""
    net = ask(model)
    return Fraction(net.totals.weights, net.input.shape[1] ** 2)


def _first_per_channel_pair(model: str, ask: Ask) -> Fraction:
    net = ask(model)
    return Fraction(row(net, "conv1").weights, net.input.shape[1] ** 2)


def _excess(ask: Ask) -> Computed:
    return Fraction(ask("conv-7x7").totals.weights, ask("conv-3x3-x3").totals.weights) - 1


def _field(model: str, ask: Ask) -> int:
    """Return the receptive field of a block's output along one axis."""
    found = ask(model).layers[-1].receptive_field
    return found.size[0] if found is not None else 0


def _layers_for_the_same_field(ask: Ask) -> Computed:
    """Return how many 3x3 layers read as far as one 5x5 and one 7x7; 0 where they do not."""
    pairs = (("conv-3x3-x2", "conv-5x5"), ("conv-3x3-x3", "conv-7x7"))
    return tuple(
        ask(stack).totals.depth if _field(stack, ask) == _field(single, ask) else 0
        for stack, single in pairs
    )


def _reduction(ask: Ask) -> Computed:
    """Return both output shapes, and the reduced MACs as a share of the direct ones."""
    shapes = [hwc(ask(name).layers[-1].output) for name in (DIRECT, REDUCED)]
    return (*shapes, ratio(REDUCED, DIRECT, "macs")(ask))


def _identity(ask: Ask) -> Computed:
    """Return whether the sum has the block's input shape, and its parameters."""
    net = ask("residual-basic")
    added = row(net, next(n.name for n in net.shaped.nodes if isinstance(n.op, Add)))
    return added.output.shape == net.input.shape, added.params


def _branches_equal_groups(ask: Ask) -> Computed:
    """Return whether the three forms of the block have the same parameters, MACs and output."""
    forms = [ask(f"resnext-block{suffix}") for suffix in ("", "-concat", "-grouped")]
    sums = {(f.totals.params, f.totals.macs, f.layers[-1].output.shape) for f in forms}
    return len(sums) == 1


def _concatenates(ask: Ask) -> Computed:
    """Return whether each concatenation has the channels of all it joins, and nothing is added."""
    net = ask("dense-block")
    for node, facts in zip(net.shaped.nodes, net.shaped.facts, strict=True):
        joined = sum(spec.shape[1] for spec in facts.inputs)
        if isinstance(node.op, Concat) and facts.outputs[0].shape[1] != joined:
            return False
    return bool(ops(net, Concat)) and not ops(net, Add)


def _saving(ask: Ask) -> Computed:
    """Return whether MACs and weights both are 1/N + 1/k^2 of the standard convolution's."""
    n = ask(STANDARD).layers[-1].output.shape[1]
    promised = Fraction(1, n) + Fraction(1, 3 * 3)
    return all(ratio(SEPARABLE, STANDARD, what)(ask) == promised for what in ("macs", "weights"))


def _against_stack(stack: str, single: str, ask: Ask) -> Computed:
    """Return the weights of one large kernel and of the stack that reads as far."""
    if _field(stack, ask) != _field(single, ask):
        return 0, 0
    return _per_channel_pair(single, ask), _per_channel_pair(stack, ask)


FIGURES: tuple[Figure, ...] = (
    Figure(
        "blog-vgg-3x3-stack",
        "conv-3x3-x3",
        "weights over C^2, for C channels",
        "3(3^2 C^2) = 27C^2",
        27,
        lambda ask: _per_channel_pair("conv-3x3-x3", ask),
        "blog",
        headline=True,
    ),
    Figure(
        "blog-vgg-7x7",
        "conv-7x7",
        "weights over C^2, for C channels",
        "7^2 C^2 = 49C^2",
        49,
        lambda ask: _per_channel_pair("conv-7x7", ask),
        "blog",
        headline=True,
    ),
    Figure(
        "blog-vgg-81pct",
        "conv-7x7",
        "weights in excess of three 3x3 convolutions",
        "about 81% more",
        percent("81"),
        _excess,
        "blog",
        unit="share",
        headline=True,
    ),
    Figure(
        "blog-vgg-rf",
        "conv-3x3-x3",
        "3x3 layers that read as far as one 5x5, and one 7x7",
        "2 or 3",
        (2, 3),
        _layers_for_the_same_field,
        "blog",
        unit="for 5x5; for 7x7",
    ),
    Figure(
        "study-rf-5",
        "conv-3x3-x2",
        "receptive fields of one 5x5 and of two 3x3",
        "one 5x5 or two 3x3",
        (5, 5),
        lambda ask: (_field("conv-5x5", ask), _field("conv-3x3-x2", ask)),
        "study-notes",
        unit="one 5x5; two 3x3",
    ),
    Figure(
        "slides-vgg-rf-3",
        "conv-3x3-x2",
        "weights for one channel: one 3x3, and a stack of one",
        "9 vs 1 x 9 = 9",
        (9, 9),
        lambda ask: (
            _first_per_channel_pair("conv-3x3-x2", ask),
            _per_channel_pair("conv-3x3-x2", ask) / ask("conv-3x3-x2").totals.depth,
        ),
        "slides",
        unit="single; stack",
    ),
    Figure(
        "slides-vgg-rf-5",
        "conv-5x5",
        "weights for one channel: one 5x5, and two 3x3",
        "25 vs 2 x 9 = 18",
        (25, 18),
        lambda ask: _against_stack("conv-3x3-x2", "conv-5x5", ask),
        "slides",
        unit="single; stack",
        headline=True,
    ),
    Figure(
        "slides-vgg-rf-7",
        "conv-7x7",
        "weights for one channel: one 7x7, and three 3x3",
        "49 vs 3 x 9 = 27",
        (49, 27),
        lambda ask: _against_stack("conv-3x3-x3", "conv-7x7", ask),
        "slides",
        unit="single; stack",
        headline=True,
    ),
    Figure(
        "blog-googlenet-1x1-saving",
        REDUCED,
        "both output shapes; MACs as a share of the direct convolution's",
        "final map 14x14x48 in both, ops cut drastically",
        ((14, 14, 48), (14, 14, 48), Bound("<", Fraction(1, 2))),
        _reduction,
        "blog",
        unit="height x width x channels; height x width x channels; share",
        headline=True,
    ),
    Figure(
        "study-resnet-relu-2",
        "residual-basic",
        "ReLUs of a residual block",
        "2 (one in the branch, one after the sum)",
        2,
        lambda ask: len(ops(ask("residual-basic"), ReLU)),
        "study-notes",
    ),
    Figure(
        "study-resnet-identity",
        "residual-basic",
        "whether the sum keeps the input's shape; its parameters",
        "H(x) = F(x) + x",
        (True, 0),
        _identity,
        "study-notes",
        unit="same shape; parameters",
    ),
    Figure(
        "study-resnext-equals-group",
        "resnext-block-grouped",
        "parallel branches equal one grouped convolution",
        "identical",
        True,
        _branches_equal_groups,
        "study-notes",
        kind="statement",
    ),
    Figure(
        "study-densenet-concat",
        "dense-block",
        "channels add up: outputs are concatenated",
        "outputs are concatenated, not added",
        True,
        _concatenates,
        "study-notes",
        kind="statement",
    ),
    Figure(
        "study-mobilenet-saving",
        SEPARABLE,
        "MACs and weights are 1/N + 1/k^2 of the standard convolution's",
        "computation and parameters cut drastically",
        True,
        _saving,
        "study-notes",
        kind="statement",
    ),
)
