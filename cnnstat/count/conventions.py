"""Conventions: how a paper or a tool turns work into one number, reproduced to the unit.

A convention weighs the kinds of ``Work``; where a tool has a formula of its own for an operator,
the formula is in ``toolrules`` under the operator's class, as in the tool's own table. An
operator that a tool leaves out counts 0 there, as the tool does it; cnnstat's own conventions
(``paper``, ``flops``) leave nothing out. For tools that watch modules an operator is the module of
``torch.nn`` that means the same; what is written with ``+`` and ``*`` they do not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnstat.errors import unknown
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ir.work import FLOPS_PER_UNIT


@dataclass(frozen=True, slots=True)
class Convention:
    """``weights`` by kind of work, ``rules`` by operator; ``unit`` is what the result is called.

    ``rules`` names a table of ``toolrules``: a tool's. An operator without a work rule, which is
    unknown to cnnstat's own conventions, counts nothing there.
    """

    name: str
    title: str
    unit: str
    weights: Mapping[str, int]
    source: str
    rules: str = ""

    def count(self, op: Op, facts: NodeFacts) -> int | None:
        """Return what one operator counts under this convention; None where unknown."""
        if self.rules:
            from cnnstat.count import toolrules

            table: toolrules.Rules = getattr(toolrules, self.rules)
            if type(op) in table:
                return table[type(op)](op, facts)
        if facts.work is None:
            return 0 if self.rules else None
        if not any(facts.work):
            return 0
        work: dict[str, int] = facts.work._asdict()
        return sum([work[kind] * weight for kind, weight in self.weights.items()])


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

TORCH = Convention(
    "torch",
    "2 per multiply-accumulate, nothing else; none for a matrix-vector product",
    "FLOPs",
    {"macs": 2},
    "torch.utils.flop_counter.FlopCounterMode (PyTorch 2.13; an LSTM as on the device meta)",
    "TORCH",
)

FVCORE = Convention(
    "fvcore",
    "1 per multiply-accumulate, 2 per batch-normalised element, 5 per element of other "
    "normalisations, 1 per input of an adaptive mean-pooling of maps",
    "flops (fvcore's word)",
    {"macs": 1},
    "fvcore 0.1.5: nn.flop_count._DEFAULT_SUPPORTED_OPS, nn.jit_handles",
    "FVCORE",
)

TORCHINFO = Convention(
    "torchinfo",
    "every parameter once per output position of a convolution, once per image elsewhere",
    "mult-adds (torchinfo's word)",
    {},
    "torchinfo 1.8.0: layer_info.LayerInfo.calculate_macs, model_statistics.ModelStatistics",
    "TORCHINFO",
)

THOP = Convention(
    "thop",
    "1 per multiply-accumulate, 4 per normalised element, 1 per output of a mean-pooling, and the "
    "operations of a softmax",
    "MACs (thop's word)",
    {},
    "thop 0.1.1.post2209072238: profile.register_hooks, vision.basic_hooks, vision.calc_func, "
    "rnn_hooks",
    "THOP",
)

THOP_2021 = Convention(
    "thop-2021",
    "1 per multiply-accumulate and per bias of a convolution, 2 per batch-normalised element, "
    "1 per output of a mean-pooling",
    "MACs (thop's word)",
    {},
    "thop 0.0.31.post2005241907, as it stood until 2022: profile.register_hooks, "
    "vision.basic_hooks, rnn_hooks",
    "THOP_2021",
)

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
    "PTFLOPS",
)

PTFLOPS_ATEN = Convention(
    "ptflops-aten",
    "1 per multiply-accumulate and per bias of a convolution or a fully connected layer",
    "MACs (ptflops' word)",
    {"macs": 1},
    "ptflops 0.7.5, its backend 'aten': aten_ops.ATEN_OPS_MAPPING",
    "PTFLOPS_ATEN",
)

CONVENTIONS: dict[str, Convention] = {
    each.name: each
    for each in (PAPER, FLOPS, TORCH, FVCORE, TORCHINFO, THOP, THOP_2021, PTFLOPS, PTFLOPS_ATEN)
}
"""Every convention by name, the default first."""


def convention(name: str) -> Convention:
    """Return the convention of this name; raise ``UsageError`` with the nearest names if none."""
    if name not in CONVENTIONS:
        raise unknown("convention", name, CONVENTIONS)
    return CONVENTIONS[name]
