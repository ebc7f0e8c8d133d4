"""Entries from a paper's or a library's table of parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cnnstat.ledger.figure import Accounting, Figure, Printed, billion, million
from cnnstat.ledger.figures.measure import total


class Line(NamedTuple):
    """One model's line as printed: in millions, in 10^9, or to the unit."""

    model: str
    params: str | None = None
    mega_macs: str | None = None
    giga_macs: str | None = None
    exact_params: int | None = None

    @property
    def cells(self) -> Iterator[tuple[str, str, int | Printed]]:
        """Each printed cell: which total, the text, its value."""
        if self.params is not None:
            yield "params", f"{self.params}M", million(self.params)
        if self.exact_params is not None:
            yield "params", f"{self.exact_params:,}", self.exact_params
        if self.mega_macs is not None:
            yield "macs", f"{self.mega_macs}M", million(self.mega_macs)
        if self.giga_macs is not None:
            yield "macs", f"{self.giga_macs}x10^9", billion(self.giga_macs)


class Reason(NamedTuple):
    """Why a figure is not the computed one, and how it may be counted otherwise."""

    explanation: str
    otherwise: tuple[Accounting, ...] = ()


NO_REASON = Reason("")


def entries(
    source: str,
    place: str,
    lines: tuple[Line, ...],
    reasons: Mapping[tuple[str, str], Reason] | None = None,
) -> tuple[Figure, ...]:
    """Return the entries of a table; ``reasons`` are by model and total (``params``, ``macs``)."""
    why = reasons or {}
    figures = []
    for line in lines:
        for attribute, printed, value in line.cells:
            reason = why.get((line.model, attribute), NO_REASON)
            figures.append(
                Figure(
                    f"{source}-{line.model}-{attribute}",
                    line.model,
                    "parameters" if attribute == "params" else "MACs",
                    printed,
                    value,
                    total(line.model, attribute),
                    source,
                    place=place,
                    otherwise=reason.otherwise,
                    explanation=reason.explanation,
                    headline=True,
                )
            )
    return tuple(figures)
