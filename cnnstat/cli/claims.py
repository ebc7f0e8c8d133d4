"""``cnnstat claims [MODEL ...]``: published figures compared with computed ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from cnnstat.cli.blocks import Result
from cnnstat.cli.options import TABLE, argument, option, starting

EXAMPLES = ("cnnstat claims vgg16", "cnnstat claims --verdict differs")


def _verdicts() -> Iterable[str]:
    from cnnstat.ledger.verdict import VERDICTS

    return VERDICTS


def _sources() -> Iterable[str]:
    from cnnstat.ledger.sources import SOURCES

    return SOURCES


def claims(
    models: Annotated[
        list[str] | None,
        argument("MODEL", "Names of 'cnnstat list'.", default="all"),
    ] = None,
    verdict: Annotated[
        str | None,
        option(
            "--verdict",
            group=TABLE,
            metavar="NAME",
            help="Show one verdict: exact, rounds, truncates, reproduced or differs.",
            default="all",
            complete=starting(_verdicts),
        ),
    ] = None,
    source: Annotated[
        str | None,
        option(
            "--source",
            group=TABLE,
            metavar="KEY",
            help="Show one source, such as slides, blog, study-notes or he-2015.",
            default="all",
            complete=starting(_sources),
        ),
    ] = None,
    *,
    result: Result,
) -> None:
    """Compare published figures with computed ones, each with a verdict and its reason."""
    from cnnstat import api
    from cnnstat.cli.output import emit
    from cnnstat.render.claims import claims_document

    to = result.destination()
    names = models or []
    emit(claims_document(api.claims(*names, verdict=verdict, source=source), models=names), to)
