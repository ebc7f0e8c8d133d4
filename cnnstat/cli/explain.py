"""``cnnstat explain MODEL [LAYER]``: every figure step by step, and why published ones differ."""

from __future__ import annotations

from cnnstat.cli.optionblocks import Result, Subject
from cnnstat.cli.options import argument
from cnnstat.cli.output import emit

OPTIONS = {
    "layer": argument(
        "LAYER", "A layer or module of 'cnnstat summary'.", "the whole model", complete=None
    ),
}
EXAMPLES = ("cnnstat explain vgg16 conv4_2", "cnnstat explain resnet50")


def explain(model: str, layer: str | None = None, *, subject: Subject, result: Result) -> None:
    """Show how each figure of a model or a layer is computed."""
    from cnnstat import api
    from cnnstat.render.explain import explain_document

    to = result.destination()
    loaded = subject.load(model)
    report = subject.analyze(loaded).report
    card = loaded.card
    claims = api.claims(card.name) if card and api.as_published(report, card) else None
    emit(explain_document(report, layer, card=card, claims=claims), to)
