"""Published figures next to computed ones: in words below a table, and as JSON has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstat.ledger.claim import Published


def published_line(p: Published) -> str:
    """Return the verdict, the published and the computed figure, and the reason."""
    figures = f"{p.quantity}: published {p.published}, computed {p.computed_with_unit} ({p.source})"
    why = f"; {p.explanation}" if p.explanation else ""
    return f"{p.verdict:<10}  {figures}{why}"


def published_payload(published: Sequence[Published]) -> list[dict[str, object]]:
    """Return published figures as JSON has them."""
    return [
        {
            "quantity": p.quantity,
            "published": p.published,
            "computed": p.value,
            "unit": p.unit or None,
            "verdict": p.verdict,
            "source": p.source,
            "explanation": p.explanation,
        }
        for p in published
    ]
