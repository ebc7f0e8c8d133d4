"""ResNet for ImageNet: blocks of its stages, the classifier, the ensemble."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from cnnstat.ir.graph import ShapedGraph
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import ops, row
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Add, Linear

MODELS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
STAGES = range(2, 6)


def _adds(shaped: ShapedGraph, stage: int) -> list[str]:
    """Return the names of a stage's additions, one for each block."""
    prefix = f"conv{stage}_"
    return [n.name for n in shaped.nodes if n.name.startswith(prefix) and isinstance(n.op, Add)]


def blocks(reports: Reports, model: str) -> Computed:
    """Return the blocks of conv2_x to conv5_x, and the depth."""
    shaped, depth = reports.shaped(model), reports.outline(model).depth
    return tuple(len(_adds(shaped, stage)) for stage in STAGES), depth


def stages_double(reports: Reports) -> Computed:
    """Return whether each stage after the first has twice the maps of half the extent."""
    net = reports("resnet34")
    ends = [row(net, _adds(net.shaped, stage)[-1]).output for stage in STAGES]
    return all(
        b.shape[1] == 2 * a.shape[1] and 2 * b.shape[2] == a.shape[2] for a, b in pairwise(ends)
    )


def least_depth_with_bottlenecks(reports: Reports) -> Computed:
    """Return the least of the five depths whose blocks have three convolutions."""
    return min(
        reports.outline(name).depth
        for name in MODELS
        if any(node.name == "conv2_1/1x1" for node in reports.shaped(name).nodes)
    )


def pooling_gives_channels(reports: Reports) -> Computed:
    """Return whether the global pooling gives a vector as long as there are channels."""
    pooled = row(reports("resnet50"), "pool5")
    return pooled.output.numel == pooled.inputs[0].shape[1]


def classifier(reports: Reports) -> Computed:
    """Return the number of fully connected layers, and the units of the last."""
    net = reports("resnet50")
    return len(ops(net.shaped, Linear)), row(net, "fc").output.shape[1]


def ensemble_error(reports: Reports) -> Computed:
    """Return the top-5 error of the ensemble on the card: it was measured, nothing derives it."""
    from cnnstat.zoo.resnet import card

    errors = [a.top5_error for a in card("resnet152").accuracy if a.ensemble and a.top5_error]
    return Fraction(str(errors[0]))


def share_of_rounded(reports: Reports, model: str, whole: str) -> Computed:
    """Return one model's MACs as a share of another's, both rounded to 0.1 x 10^9 first."""
    part, total = (reports.outline(name).macs for name in (model, whole))
    step = 10**8
    return Fraction((part + step // 2) // step, (total + step // 2) // step)
