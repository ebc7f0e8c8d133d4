"""``--accuracy FILE``: error rates of the user's own models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.options import MODEL, option

if TYPE_CHECKING:
    from cnnstat.api.accuracy import AccuracyFile

AccuracyOption = Annotated[
    str | None,
    option(
        "--accuracy",
        group=MODEL,
        metavar="FILE",
        help="CSV of your models' results in percent: model, top1_error, top5_error, source; or "
        "top1_accuracy, top5_accuracy.",
        default="as published",
    ),
]


def warn_unused(file: AccuracyFile, models: Iterable[tuple[str, str]]) -> None:
    """Name on standard error the models of the file that are none of these (name, reference)."""
    from cnnstat.cli.output import remark

    unused = file.unused(models)
    if unused:
        remark(f"{file.path}: not among the models: {', '.join(unused)}")
