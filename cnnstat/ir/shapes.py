"""Shape inference: one walk in order, each operator asked once per combination of input shapes.

A failure names the node, the operator, the input shapes and the rule that is broken.
"""

from collections.abc import Mapping

from cnnstat.errors import ShapeError
from cnnstat.ir.graph import Graph, Node, NodeFacts, ShapedGraph, Value
from cnnstat.ir.op import Op, OpError, Specs
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError


def infer_shapes(graph: Graph, inputs: Mapping[str, TensorSpec]) -> ShapedGraph:
    """Return ``graph`` with the facts of every node.

    ``inputs`` gives the spec (batch included) of every node that has no inputs and is named in it;
    it replaces what the node's operator would answer. Raises ``ShapeError`` where an operator
    cannot take its inputs.
    """
    known: dict[tuple[int, Specs], NodeFacts] = {}
    facts: list[NodeFacts] = []
    for node in graph.nodes:
        op = node.op
        for value in node.inputs:
            _check_result(graph, node.name, value, facts)
        specs = tuple([facts[value.node].outputs[value.result] for value in node.inputs])
        if not specs and node.name in inputs:
            specs = (inputs[node.name],)
        key = (id(op), specs)
        found = known.get(key)
        if found is None:
            found = known[key] = _ask(graph, node.name, op, specs)
        facts.append(found)
        if node.tied_to is not None:
            _check_tie(graph, node, found, facts[node.tied_to])
    for value in (*graph.outputs, *graph.training_outputs):
        _check_result(graph, "", value, facts)
    return ShapedGraph(graph, tuple(facts))


def _check_result(graph: Graph, reader: str, value: Value, facts: list[NodeFacts]) -> None:
    count = len(facts[value.node].outputs)
    if value.result >= count:
        node = graph.nodes[value.node]
        raise ShapeError(
            f"{graph.name}: {reader or 'an output'} reads result {value.result} of {node.name}, "
            f"whose results ({count}) are numbered from 0",
            reader or node.name,
        )


def _check_tie(graph: Graph, node: Node, found: NodeFacts, owner: NodeFacts) -> None:
    """Raise where layers, or two of one operator, share weights of different sizes."""
    first = graph.nodes[node.tied_to or 0]
    layers = first.op.is_layer and node.op.is_layer
    if type(first.op) is not type(node.op) and not layers:
        return
    there = {weight.name: weight for weight in owner.weights}
    for weight in found.weights:
        held = there.get(weight.name)
        if held is not None and held.numel != weight.numel:
            raise ShapeError(
                f"{graph.name}: {node.name} shares the weights of {first.name}, but {weight.name} "
                f"is {held.shape} there and {weight.shape} here",
                node.name,
            )


def _ask(graph: Graph, name: str, op: Op, specs: Specs) -> NodeFacts:
    try:
        outputs = op.infer(specs)
        return NodeFacts(
            specs, outputs, op.weights(specs), op.work(specs, outputs), op.reach(specs)
        )
    except (OpError, WindowError) as error:
        shapes = ", ".join(map(str, specs)) or "no input"
        detail = f" {op.detail}" if op.detail else ""
        message = f"{graph.name}: {name} ({op.type_name}{detail}) cannot take {shapes}: {error}"
        raise ShapeError(message, name) from error
