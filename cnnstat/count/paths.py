"""Ways through a graph: how many weighted layers lie on them, and how many ways there are.

Each is one walk in the graph's order. An auxiliary head counts for the paths; for the depth only
where it is the longest.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.op import Op, Weight


def depth_of(shaped: ShapedGraph) -> int:
    """Return the weighted layers (convolutions, fully connected ...) on the longest path."""
    weighted = [
        is_weighted(node[1], facts.weights)
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
    ]
    return longest_path(sources_of(shaped.graph), weighted)


def sources_of(graph: Graph) -> list[int | tuple[int, ...]]:
    """Return the nodes that each node reads: one as a number, several or none as a tuple."""
    return [
        node[2][0][0] if len(node[2]) == 1 else tuple([value[0] for value in node[2]])
        for node in graph.nodes
    ]


def longest_path(sources: Sequence[int | tuple[int, ...]], weighted: Sequence[bool]) -> int:
    """Return the most weighted nodes on a path, from what each node reads."""
    longest: list[int] = []
    for source, own in zip(sources, weighted, strict=True):
        if source.__class__ is int:
            longest.append(longest[source] + own)
        else:
            longest.append(max([longest[each] for each in source], default=0) + own)  # type: ignore[union-attr]
    return max(longest)


def shortest_depth_of(shaped: ShapedGraph) -> int:
    """Return the weighted layers on the shortest path from an input to an output."""
    shortest: list[int] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        before = min([shortest[value.node] for value in node.inputs], default=0)
        shortest.append(before + is_weighted(node.op, facts.weights))
    return min([shortest[value.node] for value in shaped.graph.outputs])


def paths_of(shaped: ShapedGraph) -> int:
    """Return the number of different ways from the inputs to the outputs, heads included."""
    ways: list[int] = []
    for node in shaped.nodes:
        ways.append(sum([ways[value.node] for value in node.inputs]) if node.inputs else 1)
    leaving = (*shaped.graph.outputs, *shaped.graph.training_outputs)
    return sum(ways[value.node] for value in leaving)


def is_weighted(op: Op, weights: Sequence[Weight]) -> bool:
    """Return whether an operator is a layer with parameters: what a depth counts."""
    return op.is_layer and any(weight[2] != "buffer" for weight in weights)
