"""Rules that a family's names follow: which depths and widths are legal.

A name is legal when its depth is a whole number of blocks: depth = layers_per_block * n +
layers_beside, n >= 1.
"""

from __future__ import annotations

from typing import NamedTuple

from cnnstat.errors import UsageError

MAX_DEPTH = 20_000
"""The deepest network that a name may ask for: a graph of it still takes about a second."""

MAX_FACTOR = 10_000
"""The largest widening factor, cardinality or width that a name may ask for."""


class DepthRule(NamedTuple):
    """depth = ``layers_per_block`` * n + ``layers_beside`` of ``subject``."""

    subject: str
    layers_per_block: int
    layers_beside: int

    def __str__(self) -> str:
        return f"{self.layers_per_block}n+{self.layers_beside}"

    def blocks(self, name: str, depth: int, spelling: str) -> int:
        """Return n of a depth.

        Raises ``UsageError`` with the rule and the nearest legal names, which have their depth
        in the place of ``{}``.
        """
        if depth > MAX_DEPTH:
            raise UsageError(f"{name}: a depth of {depth} is too large; at most {MAX_DEPTH}")
        n, odd = divmod(depth - self.layers_beside, self.layers_per_block)
        if n >= 1 and not odd:
            return n
        legal = [m * self.layers_per_block + self.layers_beside for m in (n, n + 1) if m >= 1]
        smallest = self.layers_per_block + self.layers_beside
        names = ", ".join(map(spelling.format, legal or [smallest]))
        verb = "nearest are" if len(legal) > 1 else "nearest is"
        raise UsageError(f"{name}: the depth of {self.subject} is {self}; {verb} {names}")


def check_factor(name: str, what: str, value: int) -> int:
    """Return a widening factor, cardinality or width.

    Raises ``UsageError`` unless it is 1 to ``MAX_FACTOR``.
    """
    if not 1 <= value <= MAX_FACTOR:
        raise UsageError(f"{name}: the {what} must be 1 to {MAX_FACTOR}, got {value}")
    return value
