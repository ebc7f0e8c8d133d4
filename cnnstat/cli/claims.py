"""``cnnstat claims [MODEL ...]``: every published figure beside the computed one."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import FormatOption, OutputOption, complete_model


def complete_verdict(incomplete: str) -> list[str]:
    """Return the verdicts that begin so."""
    from cnnstat.ledger.claims import VERDICTS

    return [name for name in VERDICTS if name.startswith(incomplete)]


def complete_source(incomplete: str) -> list[str]:
    """Return the sources that begin so."""
    from cnnstat.ledger.figures.sources import SOURCES

    return [name for name in SOURCES if name.startswith(incomplete)]


def claims(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of 'cnnstat list'; without one, all.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(
            "--verdict",
            metavar="NAME",
            help="Only exact, rounds, truncates, reproduced or differs.",
            autocompletion=complete_verdict,
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="KEY",
            help="Only one source: slides, blog, study-notes, handson-notes, he-2015 ...",
            autocompletion=complete_source,
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Hold published figures beside computed ones, each with a verdict and its reason."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.claims import claims_document

    to = destination(format, output)
    asked = models or []
    emit(claims_document(api.claims(*asked, verdict=verdict, source=source), models=asked), to)
