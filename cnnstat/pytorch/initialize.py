"""First weights, as the papers draw them, from a generator of their own.

The global random state stays as it was. The draws are made on the CPU in float32 and then copied,
so that a seed gives the same weights on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from cnnstat.ir.graph import NodeFacts
from cnnstat.pytorch.layers import ConnectedConv2d

Scheme = Literal["he", "he-fan-out", "xavier", "gaussian", "lecun"]
Draw = Callable[[Tensor, float, float, torch.Generator], Tensor]
"""Fills a tensor from its fan-in, fan-out and a generator."""

SCHEMES: dict[Scheme, Draw] = {
    "he": lambda t, fan_in, fan_out, g: t.normal_(0, sqrt(2 / fan_in), generator=g),
    "he-fan-out": lambda t, fan_in, fan_out, g: t.normal_(0, sqrt(2 / fan_out), generator=g),
    "xavier": lambda t, fan_in, fan_out, g: _uniform(t, sqrt(6 / (fan_in + fan_out)), g),
    "gaussian": lambda t, fan_in, fan_out, g: t.normal_(0, 0.01, generator=g),
    "lecun": lambda t, fan_in, fan_out, g: _uniform(t, 2.4 / fan_in, g),
}
"""He et al. 2015 (by fan-in, by fan-out); Glorot and Bengio 2010; Krizhevsky et al. 2012 (standard
deviation 0.01); LeCun et al. 1998 (between -2.4/fan_in and 2.4/fan_in)."""

WORDS: tuple[tuple[str, Scheme], ...] = (
    ("he et al. 2015, by fan-out", "he-fan-out"),
    ("he et al", "he"),
    ("xavier", "xavier"),
    ("glorot", "xavier"),
    ("lecun", "lecun"),
    ("2.4", "lecun"),
    ("0.01", "gaussian"),
)
"""Words by which a card's sentence is recognised: the first in the sentence, then the earlier line
here; without any of them it is He's."""


def scheme_of(sentence: str) -> Scheme:
    """Return the scheme that a card's sentence on initialisation names."""
    text = sentence.lower()
    ranked = [(text.index(word), rank) for rank, (word, _) in enumerate(WORDS) if word in text]
    return WORDS[min(ranked)[1]][1] if ranked else "he"


def _uniform(tensor: Tensor, bound: float, generator: torch.Generator) -> Tensor:
    return tensor.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def initialize(
    module: nn.Module, facts: NodeFacts, *, scheme: Scheme, generator: torch.Generator
) -> None:
    """Fill every tensor of one node's module."""
    if isinstance(module, ConnectedConv2d):
        module.fill_tables(module.weight.device)
    fan_in, fan_out = fans(facts)
    for weight in facts.weights:
        tensor: Tensor = getattr(module, weight.name)
        normalizes = facts.work is not None and facts.work.normalized > 0
        if weight.name == "running_var" or (normalizes and weight.role == "weight"):
            tensor.fill_(1)
        elif weight.role == "weight":
            tensor.copy_(SCHEMES[scheme](_blank(weight.shape), fan_in, fan_out, generator))
        elif weight.name == "codes":
            tensor.copy_(_blank(weight.shape).bernoulli_(0.5, generator=generator).mul_(2).sub_(1))
        else:
            tensor.zero_()
    batches = getattr(module, "num_batches_tracked", None)
    if batches is not None:
        batches.zero_()


def fans(facts: NodeFacts) -> tuple[float, float]:
    """Return the mean number of inputs that an output reads, and of outputs that read an input.

    They are the MACs per output element and per input element.
    """
    entering, leaving = facts.inputs[0].numel, facts.outputs[0].numel
    macs = facts.work.macs if facts.work is not None else 0
    terms = macs or entering
    return terms / leaving, terms / entering


def _blank(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device="cpu")
