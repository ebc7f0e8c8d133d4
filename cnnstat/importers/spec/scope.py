"""Names that the layers of a spec file can read, block by block."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnstat.ir.graph import Value


@dataclass
class Scope:
    """Names that layers can read, the innermost block's first, and the parameters in force."""

    prefix: str
    parameters: dict[str, object]
    names: dict[str, Value]
    outer: Scope | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """Return the layer of this name in this block or one around it."""
        if name in self.names:
            return self.names[name]
        return self.outer.find(name) if self.outer else None

    def known(self) -> list[str]:
        """Return every name that can be read here."""
        return [*self.names, *(self.outer.known() if self.outer else [])]


def numbered(kind: str, scope: Scope) -> str:
    """Return ``conv2d_1``, ``conv2d_2`` ... for layers without a name of their own."""
    stem = kind.lower()
    scope.counts[stem] = scope.counts.get(stem, 0) + 1
    return f"{stem}_{scope.counts[stem]}"
