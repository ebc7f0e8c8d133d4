"""``cnnstat list``: every name of the zoo with its figures, family by family."""

from __future__ import annotations

from collections.abc import Iterable

from cnnstat.cli.optionblocks import Result
from cnnstat.cli.options import TABLE, option, starting
from cnnstat.cli.output import emit


def _families() -> Iterable[str]:
    from cnnstat.zoo.catalog import FAMILIES

    return [family.title.lower() for family in FAMILIES]


OPTIONS = {
    "family": option(
        TABLE, "--family NAME", "Show one family, such as resnet.", "all", starting(_families)
    ),
}
EXAMPLES = ("cnnstat list --family resnet",)


def listing(family: str | None = None, *, result: Result) -> None:
    """List all models with title, year, input, parameters and MACs."""
    from cnnstat import api
    from cnnstat.render.listing import listing_document

    to = result.destination()
    emit(listing_document(api.zoo(family)), to)
