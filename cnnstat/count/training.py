"""Multiply-accumulates of one training step, operator by operator: forward, backward, by formula.

The backward pass of a product has one product for each factor that needs a gradient. A tensor needs
one where a trained parameter lies before it and a result of the model behind it: the first layer
passes nothing back, frozen weights get nothing. The update of the weights multiplies no matrices.

``flop_counter`` is what PyTorch's ``FlopCounterMode`` makes of the same step. It counts the
gradient of the weights of a grouped convolution as if every group read every input channel, which
is ``groups`` times the products that there are; nothing else differs but what its forward count
leaves out (``count/conventions.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from cnnstat import ops
from cnnstat.count.conventions import TORCH
from cnnstat.ir.graph import Node, NodeFacts, ShapedGraph
from cnnstat.ir.op import Op


class Needs(NamedTuple):
    """Which tensors that a node reads, and which weights that it stores, need a gradient."""

    inputs: tuple[bool, ...]
    weights: tuple[bool, ...]


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

    def plus(self, other: StepWork) -> StepWork:
        """Return the sum."""
        return StepWork(*map(int.__add__, self, other))


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
        total = StepWork()
        for index in indices:
            step = self.nodes[index]
            if step is None:
                return None
            total = total.plus(step)
        return total

    @property
    def total(self) -> StepWork:
        """Return the sum over what is known."""
        total = StepWork()
        for step in self.nodes:
            total = total if step is None else total.plus(step)
        return total

    @property
    def is_complete(self) -> bool:
        """Return whether every node has a rule."""
        return None not in self.nodes


class _Backward(NamedTuple):
    """A node, what its operator answered, what needs a gradient and where the inputs come from."""

    op: Any
    facts: NodeFacts
    needs: Needs
    is_parameter: tuple[bool, ...]
    """Whether each input is a parameter that is used as data."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass."""
        return self.facts.work.macs if self.facts.work else 0

    def needs_input(self, number: int) -> bool:
        """Return whether an input needs a gradient."""
        return number < len(self.needs.inputs) and self.needs.inputs[number]

    def needs_weight(self, number: int) -> bool:
        """Return whether a stored weight needs a gradient, or the value that is in its place."""
        shape = self.facts.weights[number].shape
        for place, spec in enumerate(self.facts.inputs[1:], 1):
            if spec.shape == shape and len(self.facts.inputs) > self.op.reads[0]:
                return self.needs.inputs[place]
        return number < len(self.needs.weights) and self.needs.weights[number]


Products = tuple[int, int, int]
"""Multiply-accumulates of gradients of inputs and of weights, and those that FlopCounterMode adds
to them by its formula."""

Rule = Callable[[_Backward], Products]


def _convolution(b: _Backward) -> Products:
    """X (*) w = y: dx is y's gradient (*) w, dw is x (*) y's gradient, each as many products."""
    groups = getattr(b.op, "groups", 1)
    own = b.macs if b.needs_weight(0) else 0
    return b.macs * b.needs_input(0), own, (groups - 1) * own


def _deformable(b: _Backward) -> Products:
    """As ``_convolution`` over gathered samples: what offsets and masks need comes from dx, too."""
    return b.macs * any(b.needs.inputs), b.macs * b.needs_weight(0), 0


def _connected(b: _Backward) -> Products:
    """As ``_convolution``, run as one grouped convolution for each number of maps that are read."""
    op: ops.ConnectedConv2d = b.op
    own = b.macs if b.needs_weight(0) else 0
    fan_ins = [len(row) for row in op.connections]
    added = sum(own // op.count * fan_in * (fan_ins.count(fan_in) - 1) for fan_in in fan_ins)
    return b.macs * b.needs_input(0), own, added


def _matrix(b: _Backward) -> Products:
    """[n, k] [k, m] = [n, m]: dx = dy w^T and dw = x^T dy, n*k*m products each."""
    return b.macs * b.needs_input(0), b.macs * b.needs_weight(0), 0


def _product(b: _Backward) -> Products:
    """As ``_matrix``; a factor that is a parameter has the gradient of a weight."""
    made = [0, 0]
    for number in (0, 1):
        made[b.is_parameter[number]] += b.macs * b.needs_input(number)
    return made[0], made[1], 0


def _attention(b: _Backward) -> Products:
    """Return the products of y = a v and a = softmax(q k^T).

    Back from y: da = dy v^T and dv = a^T dy, then dq = da k and dk = da^T q:
    [l, d] [s, d] -> [l, s], then [l, s] [s, e] -> [l, e]: l*s*d products, and l*s*e.
    """
    d, e = b.facts.inputs[0].shape[-1], b.facts.inputs[2].shape[-1]
    scores, values = b.macs * d // (d + e), b.macs * e // (d + e)
    q, k, v = (b.needs_input(number) for number in range(3))
    mask = b.needs_input(3)  # an additive bias: its gradient is that of the scores
    return scores * (q + k) + values * ((q or k or mask) + v), 0, 0


def _recurrent(b: _Backward) -> Products | None:
    """Each matrix passes back as many products as it has; the first step starts from zeros.

    A state that is not passed in gets no gradient: of the matrix that reads it one step fewer. A
    frozen layer passes on what layers before it need.
    """
    op: ops.Recurrent = b.op
    if op.sequences:  # how many rows the first step has, the graph does not know
        return None
    shape = b.facts.inputs[0].shape
    n, steps = (shape[0], shape[1]) if op.batch_first else (shape[1], shape[0])
    later = steps if any(b.needs.inputs[1:]) else steps - 1
    trained = {weight.name: b.needs_weight(i) for i, weight in enumerate(b.facts.weights)}
    into, own, before = 0, 0, b.needs_input(0)
    for layer in range(op.layers):
        ways = [f"l{layer}", f"l{layer}_reverse"][: op.directions]
        states = []
        for way in ways:
            matrices = {w.name: w.numel for w in b.facts.weights if w.name.endswith(f"_{way}")}
            state = before or any(trained[name] for name in matrices) or later == steps
            states.append(state)
            for name, numel in matrices.items():
                if name.startswith("bias"):
                    continue
                own += n * steps * numel * trained[name]
                if name.startswith("weight_ih"):
                    into += n * steps * numel * before
                else:
                    into += n * (later if name.startswith("weight_hh") else steps) * numel * state
        before = any(states)
    return into, own, 0


@cache
def rules() -> Mapping[type[Op], Callable[[_Backward], Products | None]]:
    """Return the rule of each operator that multiplies and accumulates, by its class."""
    convolutions = (
        *(ops.Conv1d, ops.Conv2d, ops.Conv3d),
        *(ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d),
    )
    return {
        **dict.fromkeys(convolutions, _convolution),
        ops.ConnectedConv2d: _connected,
        ops.DeformConv2d: _deformable,
        ops.Linear: _matrix,
        ops.MatMul: _product,
        ops.Attention: _attention,
        ops.Recurrent: _recurrent,
    }


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
        backward = _Backward(node.op, facts, needs[index], flags)
        work.append(_step(backward, reached=reached[index]))
    return tuple(work)


def _step(b: _Backward, *, reached: bool) -> StepWork | None:
    if b.facts.work is None:
        return None
    counted = TORCH.count(b.op, b.facts) or 0
    if not b.macs or not reached:
        return StepWork(b.macs, flop_counter=counted)
    rule = rules().get(type(b.op))
    products = None if rule is None else rule(b)
    if products is None:
        return None
    into, own, added = products
    return StepWork(b.macs, into, own, counted + counted * (into + own + added) // b.macs)


def _needs(shaped: ShapedGraph, known: Mapping[str, Needs]) -> list[Needs]:
    """Return of each node which of its inputs and weights need a gradient."""
    result: list[Needs] = []
    depends: list[bool] = []
    for node, facts in zip(shaped.nodes, shaped.facts, strict=True):
        derived = Needs(
            tuple([depends[value.node] for value in node.inputs]),
            tuple([weight.role != "buffer" for weight in facts.weights]),
        )
        needs = _merged(derived, known.get(node.name))
        result.append(needs)
        depends.append(any((*needs.inputs, *needs.weights)) and _is_differentiable(node, facts))
    return result


def _merged(derived: Needs, known: Needs | None) -> Needs:
    """Return what is known where it is, which may be of the first inputs and weights alone."""
    if known is None:
        return derived
    inputs = [a and b for a, b in zip(derived.inputs, known.inputs, strict=False)]
    weights = [a and b for a, b in zip(derived.weights, known.weights, strict=False)]
    return Needs(
        (*inputs, *derived.inputs[len(inputs) :]), (*weights, *derived.weights[len(weights) :])
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
        sources = node.inputs if moved else ()
        is_source = isinstance(node.op, ops.Parameter)
        result.append(is_source or (moved and all(result[value.node] for value in sources)))
    return result
