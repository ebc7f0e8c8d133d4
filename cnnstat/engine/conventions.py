"""Conventions: how a paper or a tool turns work into one number, reproduced to the unit.

A convention weighs the kinds of ``Work``; where a tool has a formula of its own for an operator,
the formula stands in ``rules`` under the operator's name, as it does in the tool's own table. An
operator that a tool leaves out counts 0 there, as the tool does it; cnnstat's own conventions
(``paper``, ``flops``) leave nothing out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cnnstat.errors import unknown
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.work import FLOPS_PER_UNIT

Rule = Callable[[NodeFacts], int]


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
        return sum(getattr(facts.work, kind) * weight for kind, weight in self.weights.items())


def _per_input(times: int) -> Rule:
    return lambda facts: times * facts.inputs[0].numel


def _per_output(times: int) -> Rule:
    return lambda facts: times * facts.outputs[0].numel


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
    "2 per multiply-accumulate, nothing else",
    "FLOPs",
    {"macs": 2},
    "torch.utils.flop_counter.FlopCounterMode (PyTorch 2.13)",
    needs_rule=False,
)
FVCORE = Convention(
    "fvcore",
    "1 per multiply-accumulate, 2 per batch-normalised element, 1 per input of an adaptive pooling",
    "flops (fvcore's word)",
    {"macs": 1},
    "fvcore.nn.flop_count and jit_handles (0.1.5)",
    {
        "BatchNorm2d": lambda facts: (2 if len(facts.weights) > 2 else 1) * facts.inputs[0].numel,
        "AdaptiveAvgPool2d": _per_input(1),
        "GlobalAvgPool2d": _per_input(1),
    },
    needs_rule=False,
)

CONVENTIONS: dict[str, Convention] = {c.name: c for c in (PAPER, FLOPS, TORCH, FVCORE)}
"""Every convention by name, the default first."""


def convention(name: str) -> Convention:
    """Return the convention of this name; raise ``UsageError`` with the nearest names if none."""
    found = CONVENTIONS.get(name)
    if found is None:
        raise unknown("convention", name, CONVENTIONS)
    return found
