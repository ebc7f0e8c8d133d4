"""Ways through a graph: how many weighted layers lie on them, and how many ways there are.

Each is one walk in the graph's order. An auxiliary head counts for the paths; for the depth only
where it is the longest.
"""

from __future__ import annotations

from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph


def depth_of(shaped: ShapedGraph) -> int:
    """Return the weighted layers (convolutions, fully connected ...) on the longest path."""
    longest: list[int] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        inputs = node[2]
        if len(inputs) == 1:
            before = longest[inputs[0][0]]
        else:
            before = max([longest[value[0]] for value in inputs], default=0)
        longest.append(before + 1 if node[1].is_layer and is_weighted(node, facts) else before)
    return max(longest)


def shortest_depth_of(shaped: ShapedGraph) -> int:
    """Return the weighted layers on the shortest path from an input to an output."""
    shortest: list[int] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        before = min([shortest[value.node] for value in node.inputs], default=0)
        shortest.append(before + is_weighted(node, facts))
    return min([shortest[value.node] for value in shaped.graph.outputs])


def paths_of(shaped: ShapedGraph) -> int:
    """Return the number of different ways from the inputs to the outputs, heads included."""
    ways: list[int] = []
    for node in shaped.nodes:
        ways.append(sum([ways[value.node] for value in node.inputs]) if node.inputs else 1)
    leaving = (*shaped.graph.outputs, *shaped.graph.training_outputs)
    return sum(ways[value.node] for value in leaving)


def is_weighted(node: Node, facts: NodeFacts) -> bool:
    """Return whether a node is a layer with parameters: what a depth counts."""
    return node.op.is_layer and any(weight[2] != "buffer" for weight in facts.weights)
