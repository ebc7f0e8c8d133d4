"""Shape inference: one walk in order, each operator asked once per combination of input shapes.

A ``FactTable`` carries the answers from graph to graph where thousands of models are alike.

A failure names the node, the operator, the input shapes and the rule that is broken.
"""

from collections.abc import Mapping
from operator import attrgetter

from cnnstat.errors import ShapeError
from cnnstat.ir.graph import Graph, Node, NodeFacts, ShapedGraph, Value
from cnnstat.ir.op import Op, OpError, Specs, Weight
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import WindowError
from cnnstat.ir.work import Work

MAX_FACTS = 40_000
"""Most answers that a ``FactTable`` remembers: some ninety megabytes in all."""


_IS_COMPLEX = attrgetter("is_complex")


class FactTable:
    """Answers of operators, remembered over many graphs: one answer to equal questions.

    An operator is recognised by identity, which costs nothing, and where it is new by its class and
    fields. The table forgets everything when it is full, between two graphs. Without a ``limit`` it
    serves one graph alone.
    """

    def __init__(self, limit: int | None = MAX_FACTS) -> None:
        self._limit = limit
        self._following: dict[tuple[int, ...], NodeFacts] = {}
        self._answers: dict[tuple[int, Specs], NodeFacts] = {}
        self._ops: dict[int, tuple[Op, Op]] = {}
        self._by_value: dict[tuple[type[Op], str], Op] = {}

    def begin(self) -> dict[tuple[int, ...], NodeFacts]:
        """Return the answers by the identities of an operator and of the facts in front of it."""
        largest = max(len(self._answers), len(self._ops), len(self._following) // 4)
        if self._limit is not None and largest > self._limit:
            for table in (self._following, self._answers, self._ops, self._by_value):
                table.clear()
        return self._following

    def ask(self, graph: Graph, name: str, op: Op, specs: Specs) -> NodeFacts:
        """Return what an operator answers for these inputs."""
        op = op if self._limit is None else self._canonical(op)
        key = (id(op), specs)
        answer = self._answers.get(key)
        if answer is None:
            answer = NodeFacts(specs, *answers(graph, name, op, specs), op.reach(specs))
            self._answers[key] = answer
        return answer

    def _canonical(self, op: Op) -> Op:
        """Return the operator that stands for all equal ones; both live as long as the table."""
        known = self._ops.get(id(op))
        if known is None:
            same = self._by_value.setdefault((type(op), repr(op)), op)
            known = self._ops[id(op)] = (op, same)
        return known[1]


def infer_shapes(
    graph: Graph, inputs: Mapping[str, TensorSpec], table: FactTable | None = None
) -> ShapedGraph:
    """Return ``graph`` with the facts of every node.

    ``inputs`` gives the spec (batch included) of every node that has no inputs and is named in it;
    it replaces what the node's operator would answer. ``table`` remembers answers from one graph to
    the next. Raises ``ShapeError`` where an operator cannot take its inputs.
    """
    table = FactTable(None) if table is None else table
    following = table.begin()
    facts: list[NodeFacts] = []
    for node in graph.nodes:  # by position: this loop is most of what a sweep does
        op, values = node[1], node[2]
        step: tuple[int, ...] | None = None
        if len(values) == 1:
            if not values[0][1]:  # the only input is a first result
                step = (id(op), id(facts[values[0][0]]))
        elif len(values) == 2 and not values[0][1] and not values[1][1]:
            step = (id(op), id(facts[values[0][0]]), id(facts[values[1][0]]))
        answer = following.get(step) if step else None
        if answer is None:
            answer = _answer(graph, node, facts, inputs, table)
            if step:
                following[step] = answer
        facts.append(answer)
        if node[3] is not None:
            _check_tie(graph, node, answer, facts[node[3]])
    for value in (*graph.outputs, *graph.training_outputs):
        _check_result(graph, "", value, facts)
    if graph.weight_dtypes:
        facts = [_stored_as(graph, *pair) for pair in zip(graph.nodes, facts, strict=True)]
    return ShapedGraph(graph, tuple(facts))


def _stored_as(graph: Graph, node: Node, facts: NodeFacts) -> NodeFacts:
    """Return a node's facts with its weights in the dtype in which they are stored."""
    dtype = graph.weight_dtypes.get(node.name)
    if dtype is None:
        return facts
    weights = tuple([weight._replace(dtype=weight.dtype or dtype) for weight in facts.weights])
    return facts._replace(weights=weights)


def _answer(
    graph: Graph,
    node: Node,
    facts: list[NodeFacts],
    inputs: Mapping[str, TensorSpec],
    table: FactTable,
) -> NodeFacts:
    for value in node.inputs:
        _check_result(graph, node.name, value, facts)
    specs = tuple([facts[value.node].outputs[value.result] for value in node.inputs])
    if not specs and node.name in inputs:
        specs = (inputs[node.name],)
    return table.ask(graph, node.name, node.op, specs)


def _check_result(graph: Graph, reader: str, value: Value, facts: list[NodeFacts]) -> None:
    count = len(facts[value.node].outputs)
    if value.result >= count:
        node = graph.nodes[value.node]
        raise ShapeError(
            f"{graph.name}: {reader or 'an output'} reads result {value.result} of {node.name}, "
            f"whose results ({count}) are numbered from 0",
            reader or node.name,
        )


def _check_tie(graph: Graph, node: Node, facts: NodeFacts, owner: NodeFacts) -> None:
    """Raise where layers, or two of one operator, share weights of different sizes."""
    first = graph.nodes[node.tied_to or 0]
    layers = first.op.is_layer and node.op.is_layer
    if type(first.op) is not type(node.op) and not layers:
        return
    there = {weight.name: weight for weight in owner.weights}
    for weight in facts.weights:
        shared = there.get(weight.name)
        if shared is not None and shared.numel != weight.numel:
            raise ShapeError(
                f"{graph.name}: {node.name} shares the weights of {first.name}, but {weight.name} "
                f"is {shared.shape} there and {weight.shape} here",
                node.name,
            )


def answers(
    graph: Graph, name: str, op: Op, specs: Specs
) -> tuple[Specs, tuple[Weight, ...], Work | None]:
    """Return the results, the weights and the work of an operator; no reach.

    Raises ``ShapeError`` where it cannot take its inputs; ``name`` is the node's, for the message.
    """
    try:
        outputs = op.infer(specs)
        work = op.work(specs, outputs)
        if work and min(work) < 0:  # a sum of no elements needs no addition
            work = Work(*(max(count, 0) for count in work))
        if work and not op.counts_complex and any(work) and any(map(_IS_COMPLEX, specs)):
            work = None
        return outputs, op.weights(specs), work
    except (OpError, WindowError) as error:
        shapes = ", ".join(map(str, specs)) or "no input"
        detail = f" {op.detail}" if op.detail else ""
        message = f"{graph.name}: {name} ({op.type_name}{detail}) cannot take {shapes}: {error}"
        raise ShapeError(message, name) from error
