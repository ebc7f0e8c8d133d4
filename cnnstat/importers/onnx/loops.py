"""Graphs inside operators: the body of a loop, read once, times its count; branches that agree.

A ``Loop`` runs as often as a number says that the file has, unless its condition is computed; a
``Scan`` as often as its inputs have elements along an axis. What a body hands on to itself must
keep its shape; else the work is unknown. The branches of an ``If`` whose condition is computed are
both read: what they agree on, shapes or work, holds whichever is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from onnx import AttributeProto

from cnnstat.importers.onnx.call import Call, Operand, check_axis
from cnnstat.importers.onnx.nodes import constant_of, elements
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import NO_WORK, Work

WITH_GRAPHS = ("Loop", "Scan", "If")
"""Operators that run graphs inside of them."""

Specs = tuple[TensorSpec | None, ...]
"""The specs of results, None for one that nobody knows."""


class Body(NamedTuple):
    """One run of a body: its graph with shapes, and the specs of its results by name."""

    shaped: ShapedGraph
    results: Mapping[str, TensorSpec | None]


Reader = Callable[[Any, Mapping[str, TensorSpec]], Body]
"""Reads a body whose inputs have these specs."""


class Rounds(NamedTuple):
    """How often a body runs, what enters it, and its results in order.

    ``states`` of the results come back as inputs; the others are joined along ``axes``. ``trips``
    is None where it is computed.
    """

    trips: int | None
    entering: Mapping[str, TensorSpec]
    states: tuple[tuple[str, TensorSpec], ...]
    joined: tuple[tuple[str, int], ...]


def graph_of(node: Any, name: str) -> Any:
    """Return a graph inside a node; raise ``ValueError`` where it is missing."""
    graphs = [a.g for a in node.attribute if a.name == name and a.type == AttributeProto.GRAPH]
    if not graphs:
        raise ValueError(f"its {name} is missing")
    return graphs[0]


def run_inside(call: Call, node: Any, read: Reader) -> tuple[Specs, Work | None] | None:
    """Return the specs of the results and the work; None where nothing is known of them."""
    if call.op_type == "If":
        return _either(*(_branch(node, name, read) for name in ("then_branch", "else_branch")))
    body = graph_of(node, "body")
    rounds = _loop(call, body) if call.op_type == "Loop" else _scan(call, body)
    if rounds is None:
        return None
    once = read(body, rounds.entering)
    if any(once.results.get(name) != spec for name, spec in rounds.states):
        return None
    specs: list[TensorSpec | None] = [spec for _, spec in rounds.states]
    for name, axis in rounds.joined:
        spec = once.results.get(name)
        if spec is None or rounds.trips is None:
            specs.append(None)
            continue
        shape = list(spec.shape)
        shape.insert(check_axis(axis, len(shape) + 1), rounds.trips)
        specs.append(TensorSpec(tuple(shape), spec.dtype))
    work = _work(once.shaped)
    if work is None or rounds.trips is None:
        return tuple(specs), None
    return tuple(specs), work.times(rounds.trips)


def branch_of(node: Any, name: str) -> Any:
    """Return a branch of an ``If``; raise ``ValueError`` where it has other results than that."""
    graph = graph_of(node, name)
    if len(graph.output) != len(node.output):
        raise ValueError(f"its {name} has {len(graph.output)} results, not {len(node.output)}")
    return graph


def _branch(node: Any, name: str, read: Reader) -> tuple[Specs, Work | None]:
    """Return the specs of a branch's results and its work."""
    graph = branch_of(node, name)
    once = read(graph, {})
    return tuple(once.results[each.name] for each in graph.output), _work(once.shaped)


def _either(
    one: tuple[Specs, Work | None], other: tuple[Specs, Work | None]
) -> tuple[Specs, Work | None]:
    """Return what is the same in both branches."""
    pairs = zip(one[0], other[0], strict=True)
    specs = tuple(spec if spec == second else None for spec, second in pairs)
    return specs, one[1] if one[1] == other[1] else None


def _work(shaped: ShapedGraph) -> Work | None:
    total = NO_WORK
    for facts in shaped.facts:
        if facts.work is None:
            return None
        total = total.plus(facts.work)
    return total


def _spec(operand: Operand | None) -> TensorSpec | None:
    return None if operand is None else operand.spec


def _loop(call: Call, body: Any) -> Rounds | None:
    """Read a ``Loop``: trip count, condition, states; the body makes condition, states, rows."""
    operands = [_spec(each) for each in call.operands[2:]]
    names = [each.name for each in body.input]
    results = [each.name for each in body.output][1:]
    if any(spec is None for spec in operands) or len(names) != len(operands) + 2:
        return None
    states = [spec for spec in operands if spec is not None]
    entering = {names[0]: TensorSpec((), "int64"), names[1]: TensorSpec((), "bool")}
    entering |= dict(zip(names[2:], states, strict=True))
    joined = tuple((name, 0) for name in results[len(states) :])
    return Rounds(_trips(call, body), entering, tuple(zip(results, states, strict=False)), joined)


def _trips(call: Call, body: Any) -> int | None:
    """Return how often a ``Loop`` runs, None where that is computed."""
    trips, condition = call.operand(0), call.operand(1)
    if condition is not None and condition.value is not None and not condition.value.all():
        return 0
    started = condition is None or condition.value is not None
    if not started or trips is None or trips.value is None or not _goes_on(body):
        return None
    return max(int(trips.value.reshape(-1)[0]), 0)


def _goes_on(body: Any) -> bool:
    """Return whether a condition that is true at first stays so."""
    name = body.output[0].name
    makers = {made: node for node in body.node for made in node.output}
    while name in makers and makers[name].op_type == "Identity":
        name = makers[name].input[0]
    if name == body.input[1].name:
        return True
    tensors = {each.name: each for each in body.initializer}
    if name in makers and makers[name].op_type == "Constant":
        tensors[name] = constant_of(makers[name])
    value = elements(tensors[name]) if tensors.get(name) is not None else None
    return value is not None and bool(value.all())


def _scan(call: Call, body: Any) -> Rounds | None:
    """Read a ``Scan``: states, then inputs that are walked along an axis."""
    walked = call.integer("num_scan_inputs", 1)
    operands = [_spec(each) for each in call.operands]
    specs = [spec for spec in operands if spec is not None]
    names = [each.name for each in body.input]
    if len(specs) != len(operands) or len(names) != len(specs) or call.opset < 9:
        return None
    carried = len(specs) - walked
    axes = call.ints("scan_input_axes") or (0,) * walked
    entering, counts = dict(zip(names[:carried], specs[:carried], strict=True)), set()
    for name, spec, axis in zip(names[carried:], specs[carried:], axes, strict=True):
        at = check_axis(axis, spec.rank)
        counts.add(spec.shape[at])
        entering[name] = TensorSpec((*spec.shape[:at], *spec.shape[at + 1 :]), spec.dtype)
    if len(counts) != 1:
        return None
    results = [each.name for each in body.output]
    made = call.ints("scan_output_axes") or (0,) * (len(results) - carried)
    states = tuple(zip(results, specs[:carried], strict=False))
    return Rounds(counts.pop(), entering, states, tuple(zip(results[carried:], made, strict=True)))
