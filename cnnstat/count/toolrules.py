"""Formulas of tools for single operators: one table a tool, keyed by the operator's class.

``conventions`` names the tables and imports this file when a tool's convention is used: it imports
all operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from operator import floordiv, truediv
from typing import Any

from cnnstat import ops
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.adaptive_pool import ADAPTIVE_MAXIMA, ADAPTIVE_MEANS
from cnnstat.ops.conv import CONVOLUTIONS, TRANSPOSED
from cnnstat.ops.pool import MAXIMA, MEANS

Rule = Callable[[Any, NodeFacts], int]
"""Count of a tool for one operator of the class that the rule is listed under."""

Rules = Mapping[type[Op], Rule]


def _alike(classes: Iterable[type[Op]], rule: Rule) -> Rules:
    """Return one rule under several classes."""
    return dict.fromkeys(classes, rule)


def _per_input(times: int) -> Rule:
    return lambda op, facts: times * facts.inputs[0].numel


def _per_output(times: int) -> Rule:
    return lambda op, facts: times * facts.outputs[0].numel


def _work(facts: NodeFacts) -> Work:
    return facts.work or NO_WORK


def _macs(op: Op, facts: NodeFacts) -> int:
    return _work(facts).macs


def _macs_and_bias(op: Op, facts: NodeFacts) -> int:
    return _work(facts).macs + _work(facts).bias_adds


def _scaled(facts: NodeFacts) -> bool:
    """Whether a normalisation has a trained scale."""
    return any(weight.role == "weight" for weight in facts.weights)


def _fvcore_batch_norm(op: ops.BatchNorm2d, facts: NodeFacts) -> int:
    rule = _per_normalized(1, 2) if op.tracked else _per_normalized(4, 5)
    return rule(op, facts)


def _per_normalized(plain: int, scaled: int) -> Rule:
    return lambda op, facts: (scaled if _scaled(facts) else plain) * facts.inputs[0].numel


def _product(op: Op, facts: NodeFacts) -> int:
    """[..., m, k] [..., k, n]: the elements of the first times n, whatever broadcasts."""
    right = facts.inputs[1].shape
    return facts.inputs[0].numel * right[-1] if len(right) > 1 else _macs(op, facts)


def _torch_product(op: ops.MatMul, facts: NodeFacts) -> int:
    """Return nothing for a product with a vector, for which there is no formula (mv, dot)."""
    left, right = (spec.rank for spec in facts.inputs[:2])
    return 0 if right == 1 or left == 1 < right - 1 else _torch_matrix(op, facts)


def _torch_matrix(op: Op, facts: NodeFacts) -> int:
    """Count a complex product of matrices like a real one, a quarter of what it takes."""
    return 2 * _macs(op, facts) // (4 if facts.inputs[0].is_complex else 1)


def _torch_opaque(op: ops.Opaque, facts: NodeFacts) -> int:
    """Count what PyTorch's own registry has a formula for; it knows no other rules."""
    registered = op.rule.startswith("torch.")
    return 2 * _work(facts).macs + _work(facts).additions if registered else 0


TORCH: Rules = {
    ops.Opaque: _torch_opaque,
    ops.MatMul: _torch_product,
    ops.Linear: _torch_matrix,
    ops.Function: lambda op, facts: 2 * _macs(op, facts) if op.kind == "_scaled_mm" else 0,
    ops.DeformConv2d: _per_input(0),
}


def _fvcore_interpolate(op: ops.Interpolate, facts: NodeFacts) -> int:
    per_output = {1: 1, 4: 4}  # by elements read: nearest, bilinear
    out = facts.outputs[0]
    return per_output.get(op.taps, 0) * out.numel if out.rank == 4 else 0


FVCORE: Rules = {
    ops.BatchNorm2d: _fvcore_batch_norm,
    **_alike((ops.LayerNorm, ops.GroupNorm, ops.InstanceNorm), _per_normalized(4, 5)),
    **_alike((ops.AdaptiveAvgPool2d, ops.GlobalAvgPool2d), _per_input(1)),
    ops.Interpolate: _fvcore_interpolate,
    ops.MatMul: _product,
    **_alike((ops.Attention, ops.Recurrent), _per_input(0)),
}


def _torchinfo_conv(op: Op, facts: NodeFacts) -> int:
    n, _, *extents = facts.outputs[0].shape
    return n * prod(extents) * _trained(facts)


def _trained(facts: NodeFacts) -> int:
    return sum(weight.numel for weight in facts.weights if weight.role != "buffer")


TRAINED: tuple[type[Op], ...] = (
    *(ops.Linear, ops.Subsampling, ops.PReLU, ops.Embedding),
    *(ops.BatchNorm2d, ops.LayerNorm, ops.GroupNorm, ops.InstanceNorm, ops.RMSNorm),
)
"""Operators that torchinfo counts once per image."""

TORCHINFO: Rules = {
    **_alike((*CONVOLUTIONS, ops.ConnectedConv2d, *TRANSPOSED), _torchinfo_conv),
    ops.Recurrent: lambda op, facts: prod(facts.outputs[0].shape[:2]) * _trained(facts),
    **_alike(TRAINED, lambda op, facts: facts.outputs[0].shape[0] * _trained(facts)),
}


def _spread_everywhere(op: Op, facts: NodeFacts) -> int:
    """Count a transposed convolution as if each output element read a whole kernel."""
    c, per_group, *kernel = facts.weights[0].shape
    groups = facts.outputs[0].shape[1] // per_group
    return facts.outputs[0].numel * (c // groups) * prod(kernel)


def _thop_adaptive(divide: Callable[[int, int], float]) -> Rule:
    """Count inputs/outputs elements per output, in the tool's floating point, and a division."""

    def rule(op: Op, facts: NodeFacts) -> int:
        before, after = facts.inputs[0].shape[2:], facts.outputs[0].shape[2:]
        taps = 1.0
        for extent, out in zip(before, after, strict=True):
            taps *= divide(extent, out)
        return int((taps + 1) * facts.outputs[0].numel)

    return rule


def _thop_interpolate(nearest: int) -> Rule:
    """Per output: 5 linear, 11 bilinear, 31 trilinear, 259 bicubic, by the elements it reads."""
    per_output = {1: nearest, 2: 5, 4: 11, 8: 31, 16: 259}

    def rule(op: ops.Interpolate, facts: NodeFacts) -> int:
        return per_output.get(op.taps, 0) * facts.outputs[0].numel

    return rule


def _thop_recurrent(op: ops.Recurrent, facts: NodeFacts) -> int:
    """Per step, layer and way: h*(in + h) + h for each gate, 2h for biases, ``extra`` units."""
    gates, extra = {"LSTM": (4, 4), "GRU": (3, 4), "RNN": (1, 0)}[op.kind]
    hidden = op.hidden
    inputs = [w.shape[1] for w in facts.weights if w.name.startswith("weight_ih")]
    bias = 2 * hidden if op.bias else 0
    cells = [gates * (hidden * (x + hidden) + hidden + bias) + extra * hidden for x in inputs]
    return prod(facts.inputs[0].shape[:2]) * sum(cells)


THOP: Rules = {
    **_alike((*CONVOLUTIONS, ops.Linear), _macs),
    **_alike(TRANSPOSED, _spread_everywhere),
    **_alike((ops.BatchNorm2d, ops.LayerNorm, ops.InstanceNorm), _per_normalized(2, 4)),
    ops.PReLU: _per_input(1),
    ops.Softmax: lambda op, facts: _work(facts).flops,
    **_alike(MEANS, _per_output(1)),
    **_alike((*ADAPTIVE_MEANS, ops.GlobalAvgPool2d), _thop_adaptive(truediv)),
    ops.Interpolate: _thop_interpolate(1),
    ops.Recurrent: _thop_recurrent,
}


def _per_kind(**times: int) -> Rule:
    """Return the rule of nonlinearities: so many per input, by kind; none of the others."""
    return lambda op, facts: times.get(op.kind, 0) * facts.inputs[0].numel


THOP_2021: Rules = {
    **_alike(CONVOLUTIONS, _macs_and_bias),
    ops.Linear: _macs,
    **_alike(TRANSPOSED, lambda op, facts: _spread_everywhere(op, facts) + _work(facts).bias_adds),
    ops.BatchNorm2d: _per_input(2),
    ops.Nonlinearity: _per_kind(LeakyReLU=1),
    **_alike(MEANS, _per_output(1)),
    **_alike((*ADAPTIVE_MEANS, ops.GlobalAvgPool2d), _thop_adaptive(floordiv)),
    ops.Interpolate: _thop_interpolate(0),
    ops.Recurrent: _thop_recurrent,
}


def _ptflops_lrn(op: ops.LocalResponseNorm, facts: NodeFacts) -> int:
    """Count three elementwise operations and a pooling after size - 1 maps of zeros."""
    n, c, *extents = facts.inputs[0].shape
    return 3 * facts.inputs[0].numel + n * (c + op.size - 1) * prod(extents)


def _ptflops_upsample(op: Op, facts: NodeFacts) -> int:
    """Add the elements of one image (the module's count) to the batch's (the function's)."""
    numel = facts.outputs[0].numel
    return numel // max(facts.outputs[0].shape[0], 1) + numel


def _ptflops_recurrent(op: ops.Recurrent, facts: NodeFacts) -> int:
    """Per step: the parameters, and so many for each unit of each layer and way."""
    extra = {"LSTM": 10, "GRU": 7, "RNN": 1}[op.kind]
    cells = op.layers * op.directions
    return prod(facts.inputs[0].shape[:2]) * (_trained(facts) + extra * op.hidden * cells)


PTFLOPS: Rules = {
    **_alike((*CONVOLUTIONS, *TRANSPOSED, ops.Linear), _macs_and_bias),
    **_alike((ops.BatchNorm2d, ops.InstanceNorm, ops.GroupNorm), _per_normalized(1, 2)),
    ops.LayerNorm: _per_input(1),
    ops.LocalResponseNorm: _ptflops_lrn,
    **_alike((ops.ReLU, ops.PReLU), _per_input(2)),
    ops.Nonlinearity: _per_kind(ELU=2, GELU=2, LeakyReLU=1, ReLU6=1, SiLU=1),
    ops.Softmax: _per_input(1),
    **_alike(
        (*MAXIMA, *ADAPTIVE_MAXIMA, *MEANS, *ADAPTIVE_MEANS, ops.GlobalAvgPool2d), _per_input(2)
    ),
    ops.Subsampling: _per_input(1),
    ops.Interpolate: _ptflops_upsample,
    ops.MatMul: _product,
    ops.Recurrent: _ptflops_recurrent,
}


PTFLOPS_ATEN: Rules = {
    **_alike((*CONVOLUTIONS, ops.ConnectedConv2d, *TRANSPOSED, ops.Linear), _macs_and_bias),
    ops.Recurrent: lambda op, facts: 0 if op.kind == "LSTM" else _macs_and_bias(op, facts),
}
