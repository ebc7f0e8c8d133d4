"""Building blocks that papers and lectures argue with.

Weights are for C channels in and out: a number of weights over C*C is the 27 of '27C^2'.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import hwc, ops, row
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Add, Concat

DIRECT, REDUCED = "conv-5x5-direct", "conv-5x5-reduced"
SEPARABLE, STANDARD = "depthwise-separable", "standard-conv"


def weights_per_pair(reports: Reports, model: str) -> Fraction:
    """Return the weights over C*C, for C channels in and out."""
    net = reports(model)
    return Fraction(net.totals_figures.weights, net.input.shape[1] ** 2)


def excess_of_7x7(reports: Reports) -> Computed:
    """Return by what share the weights of a 7x7 exceed those of three 3x3."""
    single, stack = weights_per_pair(reports, "conv-7x7"), weights_per_pair(reports, "conv-3x3-x3")
    return single / stack - 1


def field(reports: Reports, model: str) -> int:
    """Return the receptive field of a block's output along one axis."""
    reach = reports(model).layers[-1].receptive_field
    return reach.size[0] if reach is not None else 0


def fields(reports: Reports, *models: str) -> Computed:
    """Return the receptive field of several blocks."""
    return tuple(field(reports, model) for model in models)


def layers_of_equal_field(reports: Reports) -> Computed:
    """Return how many 3x3 layers read as far as one 5x5 and one 7x7; 0 where they do not."""
    pairs = (("conv-3x3-x2", "conv-5x5"), ("conv-3x3-x3", "conv-7x7"))
    return tuple(
        reports(stack).totals.depth if field(reports, stack) == field(reports, single) else 0
        for stack, single in pairs
    )


def against_stack(reports: Reports, single: str, stack: str) -> Computed:
    """Return the weights over C*C of one large kernel and of the stack that reads as far."""
    if field(reports, stack) != field(reports, single):
        return 0, 0
    return weights_per_pair(reports, single), weights_per_pair(reports, stack)


def stack_of_one(reports: Reports) -> Computed:
    """Return the weights over C*C of one 3x3, and of the stack of two divided by its depth."""
    net = reports("conv-3x3-x2")
    first = Fraction(row(net, "conv1").weights, net.input.shape[1] ** 2)
    return first, weights_per_pair(reports, "conv-3x3-x2") / net.totals.depth


def reduction(reports: Reports) -> Computed:
    """Return both output shapes, and the reduced MACs as a share of the direct ones."""
    shapes = [hwc(reports(name).layers[-1].output) for name in (DIRECT, REDUCED)]
    return (*shapes, _share(reports, REDUCED, DIRECT, "macs"))


def sum_keeps_shape(reports: Reports) -> Computed:
    """Return whether the sum of a residual block has the input's shape, and its parameters."""
    net = reports("residual-basic")
    added = row(net, next(n.name for n in net.shaped.nodes if isinstance(n.op, Add)))
    return added.output.shape == net.input.shape, added.params


def branches_equal_groups(reports: Reports) -> Computed:
    """Return whether the three forms of the block have the same parameters, MACs and output."""
    forms = [reports(f"resnext-block{suffix}") for suffix in ("", "-concat", "-grouped")]
    sums = {
        (f.totals_figures.params, f.totals_figures.work.macs, f.layers[-1].output.shape)
        for f in forms
    }
    return len(sums) == 1


def concatenates(reports: Reports) -> Computed:
    """Return whether each concatenation has the channels of all it joins, and nothing is added."""
    net = reports("dense-block")
    for node, facts in zip(net.shaped.nodes, net.shaped.facts, strict=True):
        joined = sum(spec.shape[1] for spec in facts.inputs)
        if isinstance(node.op, Concat) and facts.outputs[0].shape[1] != joined:
            return False
    return bool(ops(net.shaped, Concat)) and not ops(net.shaped, Add)


def separable_saving(reports: Reports) -> Computed:
    """Return whether MACs and weights both are 1/N + 1/k^2 of the standard convolution's."""
    n = reports(STANDARD).layers[-1].output.shape[1]
    promised = Fraction(1, n) + Fraction(1, 3 * 3)
    return all(_share(reports, SEPARABLE, STANDARD, q) == promised for q in ("macs", "weights"))


def _share(reports: Reports, over: str, under: str, quantity: str) -> Fraction:
    above, below = (getattr(reports(name).totals, quantity) for name in (over, under))
    return Fraction(above, below)
