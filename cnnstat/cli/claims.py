"""``cnnstat claims [MODEL ...]``: published figures compared with computed ones."""

from __future__ import annotations

from cnnstat.cli.optionblocks import Result
from cnnstat.cli.options import TABLE, argument, names_in, option, starting
from cnnstat.cli.output import emit

OPTIONS = {
    "models": argument("MODEL", "Names of 'cnnstat list'.", "all"),
    "verdict": option(
        TABLE,
        "--verdict NAME",
        "Show one verdict: exact, rounds, truncates, reproduced or differs.",
        "all",
        starting(names_in("ledger.figure", "VERDICTS")),
    ),
    "source": option(
        TABLE,
        "--source KEY",
        "Show one source, such as slides, blog, study-notes or he-2015.",
        "all",
        starting(names_in("ledger.sources", "SOURCES")),
    ),
}
EXAMPLES = ("cnnstat claims vgg16", "cnnstat claims --verdict differs")


def claims(
    models: list[str] | None = None,
    verdict: str | None = None,
    source: str | None = None,
    *,
    result: Result,
) -> None:
    """Compare published figures with computed ones, each with a verdict and its reason."""
    from cnnstat import api
    from cnnstat.render.claims import claims_document

    to = result.destination()
    names = models or []
    emit(claims_document(api.claims(*names, verdict=verdict, source=source), models=names), to)
