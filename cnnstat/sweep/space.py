"""A space: a reference to models, and one axis of values for everything that varies.

Points are numbered, the last axis varies fastest; any of them is computed from its number, so that
a space of 10^18 points costs nothing. ``Sample`` is another order: a pseudo-random permutation of
the numbers (a Feistel network over a keyed hash), drawn without repetition and without a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import prod
from typing import NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.sweep.values import AxisValue, check_values, spelled

PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
SETTINGS = ("input", "batch", "dtype")
"""Axes that every kind of model has; ``classes`` is one too where the model is of the zoo."""

NAMED_INPUT = "input."
"""Before the name of one of several inputs: the axis ``input.label``."""

ROUNDS = 6
"""Of the permutation; four are already random enough."""


def is_named_input(axis: str) -> bool:
    """Return whether an axis is one of several inputs, as in ``input.label``."""
    return axis.startswith(NAMED_INPUT)


class Point(NamedTuple):
    """One combination: the model's reference, arguments and settings, and every axis' value."""

    number: int
    reference: str
    arguments: Mapping[str, AxisValue]
    settings: Mapping[str, AxisValue]
    values: tuple[AxisValue, ...]
    """Parallel to ``Space.axes``."""


@dataclass(frozen=True)
class Space:
    """``reference`` may have ``{placeholders}``, which axes of these names fill.

    ``axes`` are name and values, in order; ``zoo`` tells that ``classes`` is a setting and that
    every other axis must be a placeholder. Raises ``UsageError`` for a placeholder without values,
    and for values that nothing takes.
    """

    reference: str
    axes: tuple[tuple[str, Sequence[AxisValue]], ...]
    zoo: bool = False

    def __post_init__(self) -> None:
        names = [name for name, _ in self.axes]
        for name, values in self.axes:
            if names.count(name) > 1:
                raise UsageError(f"{name}: values are given twice")
            check_values(name, values)
        if self.inputs and "input" in names:
            raise UsageError(f"input is given twice: as input= and by name as {self.inputs[0]}=")
        for name in self.placeholders:
            if name not in names:
                raise UsageError(
                    f"{self.reference}: the placeholder {{{name}}} has no values; "
                    f"add {name}=range(start,stop,step) or {name}=16,24,32"
                )
        if not self.zoo:
            return
        known = (*self.placeholders, *self.settings)
        for name in names:
            if name not in known:
                example = f"as in {self.reference}-{{{name}}}" if not self.placeholders else ""
                raise unknown(
                    f"axis of {self.reference}",
                    name,
                    known,
                    listing=f"the name has no placeholder {{{name}}} {example}".strip(),
                )

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Names between braces in the reference, each once."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.reference)))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the axes that are inputs by name, in order."""
        return tuple(name for name, _ in self.axes if is_named_input(name))

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Names of axes that are settings and not parameters of the model."""
        return (*SETTINGS, *self.inputs, *(["classes"] if self.zoo else []))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the axes that are parameters of the model, in order."""
        return tuple(name for name, _ in self.axes if name not in self.settings)

    @cached_property
    def sets_classes(self) -> bool:
        """Whether the number of classes varies as a setting, not as a parameter."""
        return self.zoo and any(name == "classes" for name, _ in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of points: the product of the axes' lengths."""
        return prod([len(values) for _, values in self.axes])

    def point(self, number: int) -> Point:
        """Return the point of a number, 0 to ``size`` - 1."""
        values: list[AxisValue] = []
        rest = number
        for _, choices in reversed(self.axes):
            rest, position = divmod(rest, len(choices))
            values.append(choices[position])
        values.reverse()
        named = {name: value for (name, _), value in zip(self.axes, values, strict=True)}
        reference = self.reference
        if self.placeholders:
            reference = PLACEHOLDER.sub(lambda match: spelled(named[match[1]]), reference)
        settings = {name: named.pop(name) for name in self.settings if name in named}
        arguments = {k: v for k, v in named.items() if k not in self.placeholders}
        return Point(number, reference, arguments, settings, tuple(values))

    def described(self) -> dict[str, object]:
        """Return the space as plain data: what a file of results says of its own origin."""
        return {
            "reference": self.reference,
            "size": self.size,
            "axes": {name: _described(values) for name, values in self.axes},
        }


def _described(values: Sequence[AxisValue]) -> object:
    if isinstance(values, range):
        return f"range({values.start},{values.stop},{values.step})"
    if len(values) > 1000:
        digest = blake2b("\n".join(map(spelled, values)).encode(), digest_size=8)
        return f"{len(values)} values, {digest.hexdigest()}"
    return list(values)


@dataclass(frozen=True)
class Sample:
    """A random order of the numbers 0 to ``size`` - 1, the same for the same seed."""

    size: int
    seed: int

    @cached_property
    def _half_bits(self) -> int:
        return max(1, ((self.size - 1).bit_length() + 1) // 2)

    def __getitem__(self, position: int) -> int:
        """Return the number at a position of the order."""
        while True:  # walks along a cycle until it is back inside: under 4 steps on average
            position = self._permuted(position)
            if position < self.size:
                return position

    def _permuted(self, position: int) -> int:
        """Return the image in a permutation of the next power of 4."""
        bits = self._half_bits
        mask = (1 << bits) - 1
        left, right = position >> bits, position & mask
        for turn in range(ROUNDS):
            block = b"%d:%d:%d" % (self.seed, turn, right)
            digest = blake2b(block, digest_size=16).digest()
            left, right = right, left ^ (int.from_bytes(digest) & mask)
        return left << bits | right
