"""Subjects of plots: bubbles of the zoo, one model over input sizes."""

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.render.plots.bubble import Bubble, Candidate, bubbles


def of_zoo(models: tuple[str, ...]) -> tuple[Bubble, ...]:
    loaded = [(name, api.load(name)) for name in models]
    return bubbles([Candidate(n, api.analyze(m).report, m.card) for n, m in loaded])[0]


def sweep(model: str, sizes: list[tuple[int, ...]]) -> list[Report]:
    loaded = api.load(model)
    return [api.analyze(loaded, input=size).report for size in sizes]
