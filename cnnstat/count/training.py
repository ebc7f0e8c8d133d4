"""Multiply-accumulates of one training step, operator by operator: forward, backward, by formula.

The backward pass of a product has one product for each factor that needs a gradient. A tensor needs
one where a trained parameter lies before it and a result of the model after it: the first layer
passes nothing back, frozen weights get nothing. The update of the weights multiplies no matrices.

``flop_counter`` is what PyTorch's ``FlopCounterMode`` makes of the same step. It counts the
gradient of the weights of a grouped convolution as if every group read every input channel, which
is ``groups`` times the products that there are; nothing else differs but what its forward count
leaves out (``count/conventions.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from cnnstat import ops
from cnnstat.count.conventions import TORCH
from cnnstat.count.gradients import OF_MATRICES, Backward, Needs, may_multiply_back, rules
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph


class StepWork(NamedTuple):
    """Multiply-accumulates of one training step; ``flop_counter`` in FLOPs as PyTorch counts."""

    forward_macs: int = 0
    input_gradient_macs: int = 0
    weight_gradient_macs: int = 0
    flop_counter: int = 0

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates of the whole step."""
        return self.forward_macs + self.input_gradient_macs + self.weight_gradient_macs


def _summed(steps: Iterable[StepWork | None]) -> StepWork:
    """Return the sum of what is known."""
    return StepWork(*map(sum, zip(StepWork(), *filter(None, steps), strict=True)))


class Epoch(NamedTuple):
    """One pass over a data set: its images, its steps, their multiply-accumulates."""

    images: int
    steps: int
    macs: int


@dataclass(frozen=True, slots=True)
class Training:
    """Work of a training step by node, parallel to the graph's; None where there is no rule."""

    nodes: tuple[StepWork | None, ...]
    epoch: Epoch | None = None

    def of(self, indices: tuple[int, ...]) -> StepWork | None:
        """Return the sum over some nodes; None where one of them is unknown."""
        steps = [self.nodes[index] for index in indices]
        return None if None in steps else _summed(steps)

    @property
    def total(self) -> StepWork:
        """Return the sum over what is known."""
        return _summed(self.nodes)

    @property
    def is_complete(self) -> bool:
        """Return whether every node has a rule."""
        return None not in self.nodes


def training_work(
    shaped: ShapedGraph, known: Mapping[str, Needs] = MappingProxyType({})
) -> tuple[StepWork | None, ...]:
    """Return the work of each node in one training step, None where it has no rule.

    ``known`` has what a reader knows of a node by its name: frozen weights, detached tensors.
    """
    needs = _needs(shaped, known)
    reached = _reached(shaped, needs)
    parameters = _parameters(shaped)
    work: list[StepWork | None] = []
    for index, (node, facts) in enumerate(zip(shaped.nodes, shaped.facts, strict=True)):
        flags = tuple([parameters[value.node] for value in node.inputs])
        backward = Backward(node.op, facts, needs[index], flags)
        work.append(_step(backward, reached=reached[index]))
    return tuple(work)


def _step(b: Backward, *, reached: bool) -> StepWork | None:
    if b.facts.work is None:
        return None
    counted = TORCH.count(b.op, b.facts) or 0
    if not reached or not (b.macs or may_multiply_back(b)):
        return StepWork(b.macs, flop_counter=counted)
    rule = rules().get(type(b.op)) if b.macs else OF_MATRICES.get(b.op.kind)
    products = None if rule is None else rule(b)
    if products is None:
        return None
    into, own, added = products
    each = 2 if isinstance(b.op, ops.Function) else Fraction(counted, b.macs)
    return StepWork(b.macs, into, own, counted + int(each * (into + own + added)))


def _needs(shaped: ShapedGraph, known: Mapping[str, Needs]) -> list[Needs]:
    """Return of each node which of its inputs and weights need a gradient."""
    result: list[Needs] = []
    depends: list[bool] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        derived = Needs(
            tuple([depends[value.node] for value in node.inputs]),
            tuple([weight.role != "buffer" and not node.frozen for weight in facts.weights]),
        )
        needs = _merged(derived, known.get(node.name))
        result.append(needs)
        wanted = needs.leaf or any((*needs.inputs, *needs.weights))
        depends.append(wanted and _is_differentiable(node, facts))
    return result


def _merged(derived: Needs, known: Needs | None) -> Needs:
    """Return what is known where it is, which may be of the first inputs and weights alone."""
    if known is None:
        return derived
    inputs = [a and b for a, b in zip(derived.inputs, known.inputs, strict=False)]
    weights = [a and b for a, b in zip(derived.weights, known.weights, strict=False)]
    return Needs(
        (*inputs, *derived.inputs[len(inputs) :]),
        (*weights, *derived.weights[len(weights) :]),
        known.leaf,
    )


UNDIFFERENTIABLE = frozenset(
    [
        *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "bernoulli", "multinomial", "shape"),
        *("one_hot", "compare", "logical", "argmax", "argmin", "constant"),
    ]
)
"""Kinds of operators whose results have no gradient with respect to what they read."""


def _is_differentiable(node: Node, facts: NodeFacts) -> bool:
    spec = facts.outputs[0] if facts.outputs else None
    numbers = spec is not None and (spec.is_float or spec.is_complex)
    return numbers and getattr(node.op, "kind", "") not in UNDIFFERENTIABLE


def _reached(shaped: ShapedGraph, needs: list[Needs]) -> list[bool]:
    """Return of each node whether a gradient comes back to its results."""
    graph = shaped.graph
    reached = [False] * len(graph.nodes)
    for value in (*graph.outputs, *graph.training_outputs):
        reached[value.node] = True
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        if not (reached[index] and _is_differentiable(node, shaped.facts[index])):
            reached[index] = False
            continue
        for value, need in zip(node.inputs, needs[index].inputs, strict=True):
            reached[value.node] |= need
    return reached


def _parameters(shaped: ShapedGraph) -> list[bool]:
    """Return of each node whether its result is a parameter, or one in another shape."""
    result: list[bool] = []
    for node in shaped.nodes:
        moved = isinstance(node.op, ops.View | ops.Rearrange) and bool(node.inputs)
        seen = moved and all(result[value.node] for value in node.inputs)
        result.append(seen or isinstance(node.op, ops.Parameter))
    return result
