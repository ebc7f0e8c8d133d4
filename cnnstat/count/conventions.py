"""Conventions: how a paper or a tool turns work into one number, reproduced to the unit.

A convention weighs the kinds of ``Work``; where a tool has a formula of its own for an operator,
the formula stands in ``rules`` under the operator's name, as it does in the tool's own table. An
operator that a tool leaves out counts 0 there, as the tool does it; cnnstat's own conventions
(``paper``, ``flops``) leave nothing out. For tools that watch modules an operator is the module of
``torch.nn`` that means the same; what is written with ``+`` and ``*`` they do not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from operator import floordiv, truediv

from cnnstat.errors import unknown
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.work import FLOPS_PER_UNIT, NO_WORK, Work

Rule = Callable[[NodeFacts], int]

_MEANS = ("AvgPool1d", "AvgPool2d", "AvgPool3d")
_TRANSPOSED = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_ADAPTIVE_MEANS = (
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"),
    "GlobalAvgPool2d",
)
_MAXIMA = (
    *("MaxPool1d", "MaxPool2d", "MaxPool3d"),
    *("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"),
)


@dataclass(frozen=True, slots=True)
class Convention:
    """``weights`` by kind of work, ``rules`` by operator; ``unit`` is what the result is called."""

    name: str
    title: str
    unit: str
    weights: Mapping[str, int]
    source: str
    rules: Mapping[str, Rule] = field(default_factory=dict)
    needs_rule: bool = True
    """Whether an operator without a work rule is unknown here too (a tool's count needs none)."""

    def count(self, type_name: str, facts: NodeFacts) -> int | None:
        """Return what one operator counts under this convention; None where nobody knows."""
        rule = self.rules.get(type_name)
        if rule is not None:
            return rule(facts)
        if facts.work is None:
            return None if self.needs_rule else 0
        if not any(facts.work):
            return 0
        work = facts.work._asdict()
        total: int = sum(work[kind] * weight for kind, weight in self.weights.items())
        return total


def _per_input(times: int) -> Rule:
    return lambda facts: times * facts.inputs[0].numel


def _per_output(times: int) -> Rule:
    return lambda facts: times * facts.outputs[0].numel


def _work(facts: NodeFacts) -> Work:
    return facts.work or NO_WORK


def _macs(facts: NodeFacts) -> int:
    return _work(facts).macs


def _macs_and_bias(facts: NodeFacts) -> int:
    return _work(facts).macs + _work(facts).bias_adds


def _scaled(facts: NodeFacts) -> bool:
    """Whether a normalisation has a trained scale."""
    return any(weight.role == "weight" for weight in facts.weights)


def _fvcore_batch_norm(facts: NodeFacts) -> int:
    tracked = any(weight.role == "buffer" for weight in facts.weights)
    return _per_normalized(1, 2)(facts) if tracked else _per_normalized(4, 5)(facts)


def _per_normalized(plain: int, scaled: int) -> Rule:
    return lambda facts: (scaled if _scaled(facts) else plain) * facts.inputs[0].numel


def _product(facts: NodeFacts) -> int:
    """[..., m, k] [..., k, n]: the elements of the first times n, whatever broadcasts."""
    right = facts.inputs[1].shape
    return facts.inputs[0].numel * right[-1] if len(right) > 1 else _macs(facts)


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


def _torch_product(facts: NodeFacts) -> int:
    """Return nothing for a product with a vector, for which there is no formula (mv, dot)."""
    left, right = (spec.rank for spec in facts.inputs[:2])
    return 0 if right == 1 or left == 1 < right - 1 else 2 * _macs(facts)


TORCH = Convention(
    "torch",
    "2 per multiply-accumulate, nothing else; none of a product with a vector",
    "FLOPs",
    {"macs": 2},
    "torch.utils.flop_counter.FlopCounterMode (PyTorch 2.13; an LSTM as on the device meta)",
    {"MatMul": _torch_product},
    needs_rule=False,
)


def _fvcore_interpolate(facts: NodeFacts) -> int:
    per_output = {0: 1, 4: 4}  # multiplications of one output: nearest, bilinear
    out = facts.outputs[0]
    known = out.rank == 4
    return per_output.get(_work(facts).multiplications // out.numel, 0) * out.numel if known else 0


FVCORE = Convention(
    "fvcore",
    "1 per multiply-accumulate, 2 per batch-normalised element, 5 per element of other "
    "normalisations, 1 per input of an adaptive mean-pooling of maps",
    "flops (fvcore's word)",
    {"macs": 1},
    "fvcore 0.1.5: nn.flop_count._DEFAULT_SUPPORTED_OPS, nn.jit_handles",
    {
        "BatchNorm2d": _fvcore_batch_norm,
        "LayerNorm": _per_normalized(4, 5),
        "GroupNorm": _per_normalized(4, 5),
        "InstanceNorm": _per_normalized(4, 5),
        "AdaptiveAvgPool2d": _per_input(1),
        "GlobalAvgPool2d": _per_input(1),
        "Interpolate": _fvcore_interpolate,
        "MatMul": _product,
        **dict.fromkeys(("Attention", "LSTM", "GRU", "RNN"), _per_input(0)),
    },
    needs_rule=False,
)


def _torchinfo_conv(facts: NodeFacts) -> int:
    n, _, *extents = facts.outputs[0].shape
    return n * prod(extents) * _trained(facts)


def _torchinfo_recurrent(facts: NodeFacts) -> int:
    return prod(facts.outputs[0].shape[:2]) * _trained(facts)


def _torchinfo_other(facts: NodeFacts) -> int:
    return facts.outputs[0].shape[0] * _trained(facts)


def _trained(facts: NodeFacts) -> int:
    return sum(weight.numel for weight in facts.weights if weight.role != "buffer")


TORCHINFO = Convention(
    "torchinfo",
    "every parameter once per position that a convolution puts out, once per image elsewhere",
    "mult-adds (torchinfo's word)",
    {},
    "torchinfo 1.8.0: layer_info.LayerInfo.calculate_macs, model_statistics.ModelStatistics",
    {
        **dict.fromkeys(
            ("Conv1d", "Conv2d", "Conv3d", "ConnectedConv2d", *_TRANSPOSED), _torchinfo_conv
        ),
        **dict.fromkeys(("LSTM", "GRU", "RNN"), _torchinfo_recurrent),
        **dict.fromkeys(("Linear", "Subsampling", "PReLU", "Embedding"), _torchinfo_other),
        **dict.fromkeys(
            ("BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm"), _torchinfo_other
        ),
    },
    needs_rule=False,
)


def _spread_everywhere(facts: NodeFacts) -> int:
    """Count a transposed convolution as if each output element read a whole kernel."""
    c, per_group, *kernel = facts.weights[0].shape
    groups = facts.outputs[0].shape[1] // per_group
    return facts.outputs[0].numel * (c // groups) * prod(kernel)


def _thop_adaptive(divide: Callable[[int, int], float]) -> Rule:
    """Count inputs/outputs elements per output, in the tool's floating point, and a division."""

    def rule(facts: NodeFacts) -> int:
        given, made = facts.inputs[0].shape[2:], facts.outputs[0].shape[2:]
        taps = 1.0
        for extent, out in zip(given, made, strict=True):
            taps *= divide(extent, out)
        return int((taps + 1) * facts.outputs[0].numel)

    return rule


def _thop_interpolate(nearest: int) -> Rule:
    """Per output: 5 linear, 11 bilinear, 31 trilinear, 259 bicubic, by the elements it reads."""
    per_output = {0: nearest, 2: 5, 4: 11, 8: 31, 16: 259}

    def rule(facts: NodeFacts) -> int:
        numel = facts.outputs[0].numel
        return per_output.get(_work(facts).multiplications // numel, 0) * numel

    return rule


def _thop_recurrent(gates: int, extra: int) -> Rule:
    """Per step, layer and way: h*(in + h) + h for each gate, 2h for biases, ``extra`` units."""

    def rule(facts: NodeFacts) -> int:
        hidden = facts.outputs[1].shape[-1]
        inputs = [w.shape[1] for w in facts.weights if w.name.startswith("weight_ih")]
        bias = 2 * hidden if any(w.role == "bias" for w in facts.weights) else 0
        cells = [gates * (hidden * (x + hidden) + hidden + bias) + extra * hidden for x in inputs]
        return prod(facts.inputs[0].shape[:2]) * sum(cells)

    return rule


_THOP_RECURRENT: Mapping[str, Rule] = {
    "LSTM": _thop_recurrent(4, 4),
    "GRU": _thop_recurrent(3, 4),
    "RNN": _thop_recurrent(1, 0),
}

THOP = Convention(
    "thop",
    "1 per multiply-accumulate, 4 per normalised element, 1 per output of a mean-pooling, and the "
    "operations of a softmax",
    "MACs (thop's word)",
    {},
    "thop 0.1.1.post2209072238: profile.register_hooks, vision.basic_hooks, vision.calc_func, "
    "rnn_hooks",
    {
        **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d", "Linear"), _macs),
        **dict.fromkeys(_TRANSPOSED, _spread_everywhere),
        **dict.fromkeys(("BatchNorm2d", "LayerNorm", "InstanceNorm"), _per_normalized(2, 4)),
        "PReLU": _per_input(1),
        "Softmax": lambda facts: _work(facts).flops,
        **dict.fromkeys(_MEANS, _per_output(1)),
        **dict.fromkeys(_ADAPTIVE_MEANS, _thop_adaptive(truediv)),
        "Interpolate": _thop_interpolate(1),
        **_THOP_RECURRENT,
    },
    needs_rule=False,
)


def _thop_2021_transposed(facts: NodeFacts) -> int:
    return _spread_everywhere(facts) + _work(facts).bias_adds


THOP_2021 = Convention(
    "thop-2021",
    "1 per multiply-accumulate and per bias of a convolution, 2 per batch-normalised element, "
    "1 per output of a mean-pooling",
    "MACs (thop's word)",
    {},
    "thop 0.0.31.post2005241907, as it stood until 2022: profile.register_hooks, "
    "vision.basic_hooks, rnn_hooks",
    {
        **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _macs_and_bias),
        "Linear": _macs,
        **dict.fromkeys(_TRANSPOSED, _thop_2021_transposed),
        "BatchNorm2d": _per_input(2),
        "LeakyReLU": _per_input(1),
        **dict.fromkeys(_MEANS, _per_output(1)),
        **dict.fromkeys(_ADAPTIVE_MEANS, _thop_adaptive(floordiv)),
        "Interpolate": _thop_interpolate(0),
        **_THOP_RECURRENT,
    },
    needs_rule=False,
)


def _ptflops_lrn(facts: NodeFacts) -> int:
    """Count three elementwise operations and a pooling behind size - 1 maps of zeros."""
    n, c, *extents = facts.inputs[0].shape
    numel = facts.inputs[0].numel
    size = _work(facts).additions // numel
    return 3 * numel + n * (c + size - 1) * prod(extents)


def _ptflops_upsample(facts: NodeFacts) -> int:
    """Add the elements of one image (the module's count) to the batch's (the function's)."""
    numel = facts.outputs[0].numel
    return numel // facts.outputs[0].shape[0] + numel


def _ptflops_recurrent(extra: int) -> Rule:
    """Per step: the parameters, and ``extra`` for each unit of each layer and way."""

    def rule(facts: NodeFacts) -> int:
        hidden = facts.outputs[1].shape[-1]
        cells = sum(1 for weight in facts.weights if weight.name.startswith("weight_ih"))
        return prod(facts.inputs[0].shape[:2]) * (_trained(facts) + extra * hidden * cells)

    return rule


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
    {
        **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d", *_TRANSPOSED, "Linear"), _macs_and_bias),
        **dict.fromkeys(("BatchNorm2d", "InstanceNorm", "GroupNorm"), _per_normalized(1, 2)),
        "LayerNorm": _per_input(1),
        "LocalResponseNorm": _ptflops_lrn,
        **dict.fromkeys(("ReLU", "PReLU", "ELU", "GELU"), _per_input(2)),
        **dict.fromkeys(("LeakyReLU", "ReLU6", "SiLU", "Softmax"), _per_input(1)),
        **dict.fromkeys((*_MAXIMA, *_MEANS, *_ADAPTIVE_MEANS), _per_input(2)),
        "Subsampling": _per_input(1),
        "Interpolate": _ptflops_upsample,
        "MatMul": _product,
        "LSTM": _ptflops_recurrent(10),
        "GRU": _ptflops_recurrent(7),
        "RNN": _ptflops_recurrent(1),
    },
    needs_rule=False,
)
PTFLOPS_ATEN = Convention(
    "ptflops-aten",
    "1 per multiply-accumulate and per bias of a convolution or a fully connected layer",
    "MACs (ptflops' word)",
    {"macs": 1},
    "ptflops 0.7.5, its backend 'aten': aten_ops.ATEN_OPS_MAPPING",
    {
        **dict.fromkeys(
            ("Conv1d", "Conv2d", "Conv3d", "ConnectedConv2d", *_TRANSPOSED, "Linear"),
            _macs_and_bias,
        ),
        **dict.fromkeys(("GRU", "RNN"), _macs_and_bias),
        "LSTM": _per_input(0),
    },
    needs_rule=False,
)

CONVENTIONS: dict[str, Convention] = {
    found.name: found
    for found in (
        *(PAPER, FLOPS, TORCH, FVCORE, TORCHINFO),
        *(THOP, THOP_2021, PTFLOPS, PTFLOPS_ATEN),
    )
}
"""Every convention by name, the default first."""


def convention(name: str) -> Convention:
    """Return the convention of this name; raise ``UsageError`` with the nearest names if none."""
    found = CONVENTIONS.get(name)
    if found is None:
        raise unknown("convention", name, CONVENTIONS)
    return found
