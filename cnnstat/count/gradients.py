"""Multiply-accumulates of the gradients of one operator, by formula.

The backward pass of a product has one product for each factor that needs a gradient. A function of
matrices may multiply in its backward pass alone; one without a rule is unknown there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import prod
from typing import Any, NamedTuple

from cnnstat import ops
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ops.definitions.algebra import ALGEBRA


class Needs(NamedTuple):
    """Which tensors that a node reads, and which weights that it stores, need a gradient."""

    inputs: tuple[bool, ...]
    weights: tuple[bool, ...]
    leaf: bool = False
    """Whether the result is to have a gradient itself: an input that asks for one."""


class Backward(NamedTuple):
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

Rule = Callable[[Backward], Products]


def _convolution(b: Backward) -> Products:
    """X (*) w = y: dx is y's gradient (*) w, dw is x (*) y's gradient, each as many products."""
    groups = getattr(b.op, "groups", 1)
    own = b.macs if b.needs_weight(0) else 0
    return b.macs * b.needs_input(0), own, (groups - 1) * own


def _deformable(b: Backward) -> Products:
    """As ``_convolution`` over gathered samples: what offsets and masks need comes from dx, too."""
    return b.macs * any(b.needs.inputs), b.macs * b.needs_weight(0), 0


def _connected(b: Backward) -> Products:
    """As ``_convolution``, run as one grouped convolution for each number of maps that are read."""
    op: ops.ConnectedConv2d = b.op
    own = b.macs if b.needs_weight(0) else 0
    fan_ins = [len(row) for row in op.connections]
    added = sum(own // op.count * fan_in * (fan_ins.count(fan_in) - 1) for fan_in in fan_ins)
    return b.macs * b.needs_input(0), own, added


def _matrix(b: Backward) -> Products:
    """[n, k] [k, m] = [n, m]: dx = dy w^T and dw = x^T dy, n*k*m products each."""
    return b.macs * b.needs_input(0), b.macs * b.needs_weight(0), 0


def _product(b: Backward) -> Products:
    """As ``_matrix``; a factor that is a parameter has the gradient of a weight."""
    into, own = _of_factors(b, (0, 1))
    return into, own, 0


def _of_factors(b: Backward, numbers: Iterable[int]) -> tuple[int, int]:
    """Return the products of the gradients of some inputs: of tensors, and of parameters."""
    made = [0, 0]
    for number in numbers:
        made[b.is_parameter[number]] += b.macs * b.needs_input(number)
    return made[0], made[1]


def _attention(b: Backward) -> Products:
    """Return the products of y = a v and a = softmax(q k^T).

    Back from y: da = dy v^T and dv = a^T dy, then dq = da k and dk = da^T q:
    [l, d] [s, d] -> [l, s], then [l, s] [s, e] -> [l, e]: l*s*d products, and l*s*e.
    """
    d, e = b.facts.inputs[0].shape[-1], b.facts.inputs[2].shape[-1]
    scores, values = b.macs * d // (d + e), b.macs * e // (d + e)
    q, k, v = (b.needs_input(number) for number in range(3))
    mask = b.needs_input(3)  # an additive bias: its gradient is that of the scores
    return scores * (q + k) + values * ((q or k or mask) + v), 0, 0


def _recurrent(b: Backward) -> Products | None:
    """Each matrix passes back as many products as it has; the first step starts from zeros.

    A state that is not passed in gets no gradient: the matrix that reads it has products for all
    rows but those of the first step. A frozen layer passes on what layers before it need.
    """
    op: ops.Recurrent = b.op
    shape = b.facts.inputs[0].shape
    rows = prod(shape[:-1])
    first = _first_rows(op, shape)[: op.directions]
    if 0 in first and rows:
        return None
    with_state = any(b.needs.inputs[1:])
    trained = {weight.name: b.needs_weight(i) for i, weight in enumerate(b.facts.weights)}
    into, own, before = 0, 0, b.needs_input(0)
    for layer in range(op.layers):
        states = []
        for way, start in zip((f"l{layer}", f"l{layer}_reverse"), first, strict=False):
            matrices = {w.name: w.numel for w in b.facts.weights if w.name.endswith(f"_{way}")}
            state = before or any(trained[name] for name in matrices) or with_state
            states.append(state)
            for name, numel in matrices.items():
                if name.startswith("bias"):
                    continue
                own += rows * numel * trained[name]
                if name.startswith("weight_ih"):
                    into += rows * numel * before
                else:
                    starts = name.startswith("weight_hh") and not with_state
                    into += (rows - start * starts) * numel * state
        before = any(states)
    return into, own, 0


def _first_rows(op: ops.Recurrent, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many rows the first step has in each direction; 0: it is not known.

    Of packed sequences, all begin together; from behind the longest ones do.
    """
    if op.sequences:
        return op.sequences, op.longest
    n = shape[0] if op.batch_first else shape[1]
    return n, n


FACTORS: dict[str, tuple[str, ...]] = {
    "addbmm": ("batch1", "batch2"),
    "affine_grid_generator": ("theta",),
    "conv_tbc": ("self", "weight"),
    "contraction": (),
    "causal_convolution": (),
}
"""Functions that multiply two tensors, and the names of those; none: the first two."""

UNCOUNTED = ("conv_tbc", "causal_convolution")
"""Functions whose gradients PyTorch computes in one kernel that its counter does not know."""


def _function(b: Backward) -> Products | None:
    """As ``_product``, for a function of ``ops.definitions`` that is one product of two tensors."""
    op: ops.Function = b.op
    if op.kind == "attention":
        return _attention(b)
    if op.kind not in FACTORS or (not FACTORS[op.kind] and len(b.facts.inputs) < 2):
        return None
    if op.kind == "contraction" and len(b.facts.inputs) != 2:
        return None
    wanted = FACTORS[op.kind]
    numbers = [op.names.index(name) for name in wanted] if wanted else [0, 1]
    into, own = _of_factors(b, numbers)
    return into, own, -(into + own) if op.kind in UNCOUNTED else 0


def _inverse(b: Backward) -> Products:
    """Return those of dA = -A^-T dY A^-T: [n, n] [n, n] -> [n, n], twice."""
    shape = b.facts.inputs[0].shape
    macs = 2 * prod(shape) * shape[-1] * b.needs_input(0)
    return (0, macs, 0) if b.is_parameter[0] else (macs, 0, 0)


def _solution(b: Backward) -> Products:
    """Return those of dA = -dB X^T, [n, k] [k, n] -> [n, n]; dB comes by substitution."""
    n = b.facts.inputs[0].shape[-1]
    macs = b.facts.outputs[0].numel * n * b.needs_input(0)
    return (0, macs, 0) if b.is_parameter[0] else (macs, 0, 0)


OF_MATRICES: dict[str, Rule] = {
    "linalg_inv_ex": _inverse,
    "linalg_solve_ex": _solution,
    "_linalg_solve_ex": _solution,
    **dict.fromkeys(
        ("linalg_cross", "trace", "_linalg_det", "_linalg_slogdet"), lambda b: (0, 0, 0)
    ),
}
"""Functions of matrices that count no multiply-accumulates, and those of their gradients."""


@cache
def rules() -> Mapping[type[Op], Callable[[Backward], Products | None]]:
    """Return the rule of each operator that multiplies and accumulates, by its class."""
    from cnnstat.ops.conv import CONVOLUTIONS, TRANSPOSED

    return {
        **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED), _convolution),
        ops.ConnectedConv2d: _connected,
        ops.DeformConv2d: _deformable,
        ops.Linear: _matrix,
        ops.MatMul: _product,
        ops.Attention: _attention,
        ops.Recurrent: _recurrent,
        ops.Function: _function,
    }


def may_multiply_back(b: Backward) -> bool:
    """Return whether gradients may multiply matrices although the function itself counts none."""
    return isinstance(b.op, ops.Function) and b.op.kind in ALGEBRA and any(b.needs.inputs)
