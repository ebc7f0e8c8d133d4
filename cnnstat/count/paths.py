"""Ways through a graph: how many weighted layers lie on them, and how many ways there are.

Each is one walk in the graph's order. An auxiliary head counts for the paths; for the depth only
where it is the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.op import Op, Weight


def depth_of(shaped: ShapedGraph) -> int:
    """Return the weighted layers (convolutions, fully connected ...) on the longest path."""
    return longest_path(sources_of(shaped.graph), weighted_nodes(shaped))


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
    shortest: list[float] = []  # infinite where nothing that enters is read
    for node, weighted in zip(shaped.nodes, weighted_nodes(shaped), strict=True):
        start = 0 if node.op.is_input else inf
        shortest.append(
            min([shortest[value.node] for value in node.inputs], default=start) + weighted
        )
    least = min([shortest[value.node] for value in shaped.graph.outputs])
    return 0 if least == inf else int(least)


def paths_of(shaped: ShapedGraph) -> int:
    """Return the number of distinct paths from the inputs to the outputs, heads included."""
    ways: list[int] = []
    for node in shaped.nodes:
        read = sum([ways[value.node] for value in node.inputs])
        ways.append(read if node.inputs else int(node.op.is_input))
    leaving = (*shaped.graph.outputs, *shaped.graph.training_outputs)
    return sum(ways[value.node] for value in leaving)


def weighted_nodes(shaped: ShapedGraph) -> list[bool]:
    """Return for each node whether a depth counts it.

    It does so for a layer with parameters, and for a matrix product with a stored weight.
    """
    nodes = shaped.nodes
    weighted = [
        is_weighted(node[1], facts.weights) for node, facts in zip(nodes, shaped.facts, strict=True)
    ]
    if not any(node.is_stored for node in nodes):
        return weighted
    from cnnstat.ops import MatMul, Parameter, Rearrange, View  # few models need them

    stored: set[int] = set()  # weights, and views of them
    for index, node in enumerate(nodes):
        op = node.op
        if isinstance(op, Parameter):
            if op.role == "weight":
                stored.add(index)
        elif stored and isinstance(op, View | Rearrange):
            if node.inputs and all(value.node in stored for value in node.inputs):
                stored.add(index)
        elif stored and isinstance(op, MatMul):
            weighted[index] = any(value.node in stored for value in node.inputs[:2])
    return weighted


def is_weighted(op: Op, weights: Sequence[Weight]) -> bool:
    """Return whether an operator is a layer with parameters: what a depth counts."""
    return op.is_layer and any(weight[2] != "buffer" for weight in weights)
