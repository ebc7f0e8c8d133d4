"""``cnnstat list``: every name of the zoo with its figures, family by family."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import FormatOption, OutputOption, complete_family


def listing(
    family: Annotated[
        str | None,
        typer.Option(
            "--family",
            metavar="NAME",
            help="Only this family.",
            autocompletion=complete_family,
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Every model that has a name here: title, year, input, parameters, MACs."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.listing import listing_document

    to = destination(format, output)
    emit(listing_document(api.zoo(family)), to)
