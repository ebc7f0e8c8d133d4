"""Conventions: how a paper or a tool turns work into one number, reproduced to the unit.

A convention weighs the kinds of ``Work``; where a tool has a formula of its own for an operator,
the formula stands in ``rules`` under the operator's class, as it does in the tool's own table. An
operator that a tool leaves out counts 0 there, as the tool does it; cnnstat's own conventions
(``paper``, ``flops``) leave nothing out. For tools that watch modules an operator is the module of
``torch.nn`` that means the same; what is written with ``+`` and ``*`` they do not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from operator import floordiv, truediv
from typing import Any

from cnnstat import ops
from cnnstat.errors import unknown
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ir.work import FLOPS_PER_UNIT, NO_WORK, Work

Rule = Callable[[Any, NodeFacts], int]
"""Count of a tool for one operator of the class that the rule is listed under."""

Rules = Mapping[type[Op], Rule]


def _no_rules() -> Rules:
    return {}


def _convolutions() -> tuple[type[Op], ...]:
    return ops.Conv1d, ops.Conv2d, ops.Conv3d


def _transposed() -> tuple[type[Op], ...]:
    return ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d


def _means() -> tuple[type[Op], ...]:
    return ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d


def _adaptive_means() -> tuple[type[Op], ...]:
    of_axes = ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d
    return *of_axes, ops.GlobalAvgPool2d


def _maxima() -> tuple[type[Op], ...]:
    adaptive = ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d
    return ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d, *adaptive


def _alike(classes: Iterable[type[Op]], rule: Rule) -> Rules:
    """Return one rule under several classes."""
    return dict.fromkeys(classes, rule)


@dataclass(frozen=True, slots=True)
class Convention:
    """``weights`` by kind of work, ``rules`` by operator; ``unit`` is what the result is called.

    ``rules`` is called for the table when an operator is counted: it imports operators.
    """

    name: str
    title: str
    unit: str
    weights: Mapping[str, int]
    source: str
    rules: Callable[[], Rules] = _no_rules
    needs_rule: bool = True
    """Whether an operator without a work rule is unknown here too (a tool's count needs none)."""

    def count(self, op: Op, facts: NodeFacts) -> int | None:
        """Return what one operator counts under this convention; None where unknown."""
        rule = self.rules().get(type(op))
        if rule is not None:
            return rule(op, facts)
        if facts.work is None:
            return None if self.needs_rule else 0
        if not any(facts.work):
            return 0
        work = facts.work._asdict()
        total: int = sum(work[kind] * weight for kind, weight in self.weights.items())
        return total


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


PAPER = Convention(
    "paper",
    "multiply-accumulates of convolutions, fully connected layers and matrix products",
    "MACs",
    {"macs": 1},
    "He et al. 2015, table 1 (there called FLOPs); torchvision's model tables",
)
FLOPS = Convention(
    "flops",
    "2 per multiply-accumulate plus every other operation of the forward pass",
    "FLOPs",
    FLOPS_PER_UNIT,
    "cnnstat.ir.work, one rule per kind",
)


def _torch_product(op: ops.MatMul, facts: NodeFacts) -> int:
    """Return nothing for a product with a vector, for which there is no formula (mv, dot)."""
    left, right = (spec.rank for spec in facts.inputs[:2])
    return 0 if right == 1 or left == 1 < right - 1 else _torch_matrix(op, facts)


def _torch_matrix(op: Op, facts: NodeFacts) -> int:
    """Count a complex product of matrices like a real one, a quarter of what it takes."""
    return 2 * _macs(op, facts) // (4 if facts.inputs[0].is_complex else 1)


@cache
def _torch_rules() -> Rules:
    return {ops.MatMul: _torch_product, ops.Linear: _torch_matrix}


TORCH = Convention(
    "torch",
    "2 per multiply-accumulate, nothing else; none of a product with a vector",
    "FLOPs",
    {"macs": 2},
    "torch.utils.flop_counter.FlopCounterMode (PyTorch 2.13; an LSTM as on the device meta)",
    _torch_rules,
    needs_rule=False,
)


def _fvcore_interpolate(op: ops.Interpolate, facts: NodeFacts) -> int:
    per_output = {1: 1, 4: 4}  # by elements read: nearest, bilinear
    out = facts.outputs[0]
    return per_output.get(op.taps, 0) * out.numel if out.rank == 4 else 0


@cache
def _fvcore_rules() -> Rules:
    return {
        ops.BatchNorm2d: _fvcore_batch_norm,
        **_alike((ops.LayerNorm, ops.GroupNorm, ops.InstanceNorm), _per_normalized(4, 5)),
        **_alike((ops.AdaptiveAvgPool2d, ops.GlobalAvgPool2d), _per_input(1)),
        ops.Interpolate: _fvcore_interpolate,
        ops.MatMul: _product,
        **_alike((ops.Attention, ops.Recurrent), _per_input(0)),
    }


FVCORE = Convention(
    "fvcore",
    "1 per multiply-accumulate, 2 per batch-normalised element, 5 per element of other "
    "normalisations, 1 per input of an adaptive mean-pooling of maps",
    "flops (fvcore's word)",
    {"macs": 1},
    "fvcore 0.1.5: nn.flop_count._DEFAULT_SUPPORTED_OPS, nn.jit_handles",
    _fvcore_rules,
    needs_rule=False,
)


def _torchinfo_conv(op: Op, facts: NodeFacts) -> int:
    n, _, *extents = facts.outputs[0].shape
    return n * prod(extents) * _trained(facts)


def _torchinfo_recurrent(op: Op, facts: NodeFacts) -> int:
    return prod(facts.outputs[0].shape[:2]) * _trained(facts)


def _torchinfo_other(op: Op, facts: NodeFacts) -> int:
    return facts.outputs[0].shape[0] * _trained(facts)


def _trained(facts: NodeFacts) -> int:
    return sum(weight.numel for weight in facts.weights if weight.role != "buffer")


@cache
def _torchinfo_rules() -> Rules:
    norms = ops.BatchNorm2d, ops.LayerNorm, ops.GroupNorm, ops.InstanceNorm, ops.RMSNorm
    others = ops.Linear, ops.Subsampling, ops.PReLU, ops.Embedding
    return {
        **_alike((*_convolutions(), ops.ConnectedConv2d, *_transposed()), _torchinfo_conv),
        ops.Recurrent: _torchinfo_recurrent,
        **_alike((*others, *norms), _torchinfo_other),
    }


TORCHINFO = Convention(
    "torchinfo",
    "every parameter once per position that a convolution puts out, once per image elsewhere",
    "mult-adds (torchinfo's word)",
    {},
    "torchinfo 1.8.0: layer_info.LayerInfo.calculate_macs, model_statistics.ModelStatistics",
    _torchinfo_rules,
    needs_rule=False,
)


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


@cache
def _thop_rules() -> Rules:
    norms = ops.BatchNorm2d, ops.LayerNorm, ops.InstanceNorm
    return {
        **_alike((*_convolutions(), ops.Linear), _macs),
        **_alike(_transposed(), _spread_everywhere),
        **_alike(norms, _per_normalized(2, 4)),
        ops.PReLU: _per_input(1),
        ops.Softmax: lambda op, facts: _work(facts).flops,
        **_alike(_means(), _per_output(1)),
        **_alike(_adaptive_means(), _thop_adaptive(truediv)),
        ops.Interpolate: _thop_interpolate(1),
        ops.Recurrent: _thop_recurrent,
    }


THOP = Convention(
    "thop",
    "1 per multiply-accumulate, 4 per normalised element, 1 per output of a mean-pooling, and the "
    "operations of a softmax",
    "MACs (thop's word)",
    {},
    "thop 0.1.1.post2209072238: profile.register_hooks, vision.basic_hooks, vision.calc_func, "
    "rnn_hooks",
    _thop_rules,
    needs_rule=False,
)


def _thop_2021_transposed(op: Op, facts: NodeFacts) -> int:
    return _spread_everywhere(op, facts) + _work(facts).bias_adds


def _per_kind(**times: int) -> Rule:
    """Return the rule of nonlinearities: so many per input, by kind; none of the others."""
    return lambda op, facts: times.get(op.kind, 0) * facts.inputs[0].numel


@cache
def _thop_2021_rules() -> Rules:
    return {
        **_alike(_convolutions(), _macs_and_bias),
        ops.Linear: _macs,
        **_alike(_transposed(), _thop_2021_transposed),
        ops.BatchNorm2d: _per_input(2),
        ops.Nonlinearity: _per_kind(LeakyReLU=1),
        **_alike(_means(), _per_output(1)),
        **_alike(_adaptive_means(), _thop_adaptive(floordiv)),
        ops.Interpolate: _thop_interpolate(0),
        ops.Recurrent: _thop_recurrent,
    }


THOP_2021 = Convention(
    "thop-2021",
    "1 per multiply-accumulate and per bias of a convolution, 2 per batch-normalised element, "
    "1 per output of a mean-pooling",
    "MACs (thop's word)",
    {},
    "thop 0.0.31.post2005241907, as it stood until 2022: profile.register_hooks, "
    "vision.basic_hooks, rnn_hooks",
    _thop_2021_rules,
    needs_rule=False,
)


def _ptflops_lrn(op: ops.LocalResponseNorm, facts: NodeFacts) -> int:
    """Count three elementwise operations and a pooling behind size - 1 maps of zeros."""
    n, c, *extents = facts.inputs[0].shape
    return 3 * facts.inputs[0].numel + n * (c + op.size - 1) * prod(extents)


def _ptflops_upsample(op: Op, facts: NodeFacts) -> int:
    """Add the elements of one image (the module's count) to the batch's (the function's)."""
    numel = facts.outputs[0].numel
    return numel // facts.outputs[0].shape[0] + numel


def _ptflops_recurrent(op: ops.Recurrent, facts: NodeFacts) -> int:
    """Per step: the parameters, and so many for each unit of each layer and way."""
    extra = {"LSTM": 10, "GRU": 7, "RNN": 1}[op.kind]
    cells = op.layers * op.directions
    return prod(facts.inputs[0].shape[:2]) * (_trained(facts) + extra * op.hidden * cells)


@cache
def _ptflops_rules() -> Rules:
    pools = *_maxima(), *_means(), *_adaptive_means()
    norms = ops.BatchNorm2d, ops.InstanceNorm, ops.GroupNorm
    return {
        **_alike((*_convolutions(), *_transposed(), ops.Linear), _macs_and_bias),
        **_alike(norms, _per_normalized(1, 2)),
        ops.LayerNorm: _per_input(1),
        ops.LocalResponseNorm: _ptflops_lrn,
        **_alike((ops.ReLU, ops.PReLU), _per_input(2)),
        ops.Nonlinearity: _per_kind(ELU=2, GELU=2, LeakyReLU=1, ReLU6=1, SiLU=1),
        ops.Softmax: _per_input(1),
        **_alike(pools, _per_input(2)),
        ops.Subsampling: _per_input(1),
        ops.Interpolate: _ptflops_upsample,
        ops.MatMul: _product,
        ops.Recurrent: _ptflops_recurrent,
    }


# A module whose forward pass calls a function that ptflops watches too is counted twice: hence 2
# for ReLU and the poolings. It divides by the images of a batch, which is left out here.
PTFLOPS = Convention(
    "ptflops",
    "1 per multiply-accumulate and per bias, 2 per batch-normalised element, 2 per element of a "
    "ReLU and per input of a pooling (seen as a module and as a function), 1 per softmax",
    "MACs (ptflops' word)",
    {},
    "ptflops 0.7.5, its default backend 'pytorch': pytorch_engine.get_flops_pytorch, "
    "pytorch_ops.MODULES_MAPPING and FUNCTIONAL_MAPPING",
    _ptflops_rules,
    needs_rule=False,
)


def _ptflops_aten_recurrent(op: ops.Recurrent, facts: NodeFacts) -> int:
    return 0 if op.kind == "LSTM" else _macs_and_bias(op, facts)


@cache
def _ptflops_aten_rules() -> Rules:
    layers: tuple[type[Op], ...]
    layers = *_convolutions(), ops.ConnectedConv2d, *_transposed(), ops.Linear
    return {**_alike(layers, _macs_and_bias), ops.Recurrent: _ptflops_aten_recurrent}


PTFLOPS_ATEN = Convention(
    "ptflops-aten",
    "1 per multiply-accumulate and per bias of a convolution or a fully connected layer",
    "MACs (ptflops' word)",
    {"macs": 1},
    "ptflops 0.7.5, its backend 'aten': aten_ops.ATEN_OPS_MAPPING",
    _ptflops_aten_rules,
    needs_rule=False,
)

CONVENTIONS: dict[str, Convention] = {
    each.name: each
    for each in (
        *(PAPER, FLOPS, TORCH, FVCORE, TORCHINFO),
        *(THOP, THOP_2021, PTFLOPS, PTFLOPS_ATEN),
    )
}
"""Every convention by name, the default first."""


def convention(name: str) -> Convention:
    """Return the convention of this name; raise ``UsageError`` with the nearest names if none."""
    if name not in CONVENTIONS:
        raise unknown("convention", name, CONVENTIONS)
    return CONVENTIONS[name]
