"""What plots are made of: bubbles of the zoo, one model over input sizes."""

from cnnstat import api
from cnnstat.count.report import Report
from cnnstat.render.plots.bubble import Bubble, bubbles


def of_zoo(models: tuple[str, ...]) -> tuple[Bubble, ...]:
    loaded = [api.load(name) for name in models]
    return bubbles([(api.analyze(model).report, model.card) for model in loaded])[0]


def sweep(model: str, sizes: list[tuple[int, ...]]) -> list[Report]:
    loaded = api.load(model)
    return [api.analyze(loaded, input=size).report for size in sizes]
