"""Published ratios of one model to another: which of them a comparison of some models may quote."""

from __future__ import annotations

from collections.abc import Iterable

from cnnstat.ir.graph import Graph
from cnnstat.ledger.figure import Ask, Figure, Subject


class _OtherModelError(LookupError):
    """A figure asks for something beyond the compared models."""


class _Among:
    """Answers for the compared models alone, and remembers which of them were asked for."""

    def __init__(self, names: frozenset[str], ask: Ask) -> None:
        self._names, self._ask = names, ask
        self.asked: dict[str, None] = {}

    def __call__(self, model: str | Graph, *, input: tuple[int, ...] | None = None) -> Subject:
        if isinstance(model, Graph) or model not in self._names or input is not None:
            raise _OtherModelError(str(model))
        self.asked[model] = None
        return self._ask(model)


def ratios_between(
    figures: Iterable[Figure], names: Iterable[str], ask: Ask
) -> list[tuple[Figure, tuple[str, ...]]]:
    """Return the ratios whose models are all among ``names``, each with its models in order."""
    wanted = frozenset(names)
    found = []
    for figure in figures:
        if figure.unit != "ratio" or figure.model not in wanted:
            continue
        among = _Among(wanted, ask)
        try:
            figure.compute(among)
        except _OtherModelError:
            continue
        if len(among.asked) > 1:
            found.append((figure, tuple(among.asked)))
    return found
