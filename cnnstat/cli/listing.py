"""``cnnstat list``: every name of the zoo with its figures, family by family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from cnnstat.cli.blocks import Result
from cnnstat.cli.options import TABLE, option, starting

EXAMPLES = ("cnnstat list --family resnet",)


def _families() -> Iterable[str]:
    from cnnstat.zoo.catalog import FAMILIES

    return [family.title.lower() for family in FAMILIES]


def listing(
    family: Annotated[
        str | None,
        option(
            "--family",
            group=TABLE,
            metavar="NAME",
            help="Show one family, such as resnet.",
            default="all",
            complete=starting(_families),
        ),
    ] = None,
    *,
    result: Result,
) -> None:
    """List all models with title, year, input, parameters and MACs."""
    from cnnstat import api
    from cnnstat.cli.output import emit
    from cnnstat.render.listing import listing_document

    to = result.destination()
    emit(listing_document(api.zoo(family)), to)
