"""Shape inference: one walk in order, each operator asked once per combination of input shapes.

A failure names the node, the operator, the input shapes and the rule that is broken.
"""

from collections.abc import Mapping

from cnnstat.errors import ShapeError
from cnnstat.ir.graph import Graph, NodeFacts, ShapedGraph
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
        specs = tuple([facts[value.node].outputs[value.result] for value in node.inputs])
        if not specs and node.name in inputs:
            specs = (inputs[node.name],)
        key = (id(op), specs)
        found = known.get(key)
        if found is None:
            found = known[key] = _ask(graph, node.name, op, specs)
        facts.append(found)
    return ShapedGraph(graph, tuple(facts))


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
