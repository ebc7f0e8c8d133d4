"""Average cost of a training step where paths are dropped at random (stochastic depth).

An operator whose ``survival`` is below 1 drops its path. A node is needed unless such an operator
has dropped it that every way from the node to the outputs passes through. Those are its post-
dominators, so P(node) = survival(node) * P(immediate post-dominator), the drops being independent.
Of parallel paths that could all be dropped, one is taken to be kept always. No operator is known
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

from cnnstat.count.paths import depth_of, weighted_nodes
from cnnstat.ir.graph import ShapedGraph


@dataclass(frozen=True, slots=True)
class Expected:
    """Expectations over the random paths of a training step, next to what inference runs in full.

    ``depth`` is the longest path with every weighted layer counted at its probability: exact where
    a dropped path has only a shortcut parallel to it, a lower bound where weighted paths compete.
    ``macs`` and ``flops`` are those of one forward pass. ``kept_paths`` of ``droppable_paths``
    survive.
    """

    depth: float
    full_depth: int
    macs: float
    full_macs: int
    flops: float
    full_flops: int
    kept_paths: float
    droppable_paths: int


def expected(shaped: ShapedGraph) -> Expected | None:
    """Return the expectations of a training step; None where no path can be dropped.

    Nodes that run in training alone count as they do in the report; an operator without a work rule
    adds nothing.
    """
    drops = [node.op.survival for node in shaped.nodes if node.op.survival < 1]
    if not drops:
        return None
    running = probabilities(shaped)
    works = [facts.work for facts in shaped.facts]
    known = [(p, work) for p, work in zip(running, works, strict=True) if work is not None]
    return Expected(
        depth=_longest(shaped, running),
        full_depth=depth_of(shaped),
        macs=fsum([p * work.macs for p, work in known]),
        full_macs=sum([work.macs for _, work in known]),
        flops=fsum([p * work.flops for p, work in known]),
        full_flops=sum([work.flops for _, work in known]),
        kept_paths=fsum(drops),
        droppable_paths=len(drops),
    )


def probabilities(shaped: ShapedGraph) -> list[float]:
    """Return for each node the probability that a training step needs to run it."""
    graph = shaped.graph
    count = len(graph.nodes)
    leaving = {value.node for value in (*graph.outputs, *graph.training_outputs)}
    readers = graph.consumers()
    after = [count] * count  # immediate post-dominator; ``count`` stands for the end of the graph
    level = [0] * (count + 1)
    running = [1.0] * (count + 1)
    for index in range(count - 1, -1, -1):
        meet = count
        if index not in leaving and readers[index]:
            meet = readers[index][0]
            for reader in readers[index][1:]:
                meet = _common(meet, reader, after, level)
        after[index] = meet
        level[index] = level[meet] + 1
        running[index] = graph.nodes[index].op.survival * running[meet]
    return running[:count]


def _common(one: int, other: int, after: list[int], level: list[int]) -> int:
    """Return the first node that lies on every way from both nodes to the end."""
    while one != other:
        if level[one] >= level[other]:
            one = after[one]
        else:
            other = after[other]
    return one


def _longest(shaped: ShapedGraph, running: list[float]) -> float:
    longest: list[float] = []
    for node, weighted, p in zip(shaped.nodes, weighted_nodes(shaped), running, strict=True):
        before = max([longest[value.node] for value in node.inputs], default=0.0)
        longest.append(before + p if weighted else before)
    return max(longest)
