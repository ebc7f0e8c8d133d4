"""``--limit CONDITION``: figures that a result must have; exit code 1 where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cnnstat.cli.options import CHECKS, option

if TYPE_CHECKING:
    from cnnstat.api.limits import Command, Result
    from cnnstat.memory.fit import Memory
    from cnnstat.sweep.expression import Expression

LimitOption = Annotated[
    list[str] | None,
    option(
        "--limit",
        group=CHECKS,
        metavar="CONDITION",
        help="Exit with 1 unless this is true, as in 'params < 5M'. May be repeated; the grammar "
        "is that of 'sweep --where'.",
        default="none",
    ),
]


def limits_of(
    texts: list[str] | None, command: Command, *, has_baseline: bool = False
) -> tuple[Expression, ...]:
    """Return the limits that were stated; errors are those of ``cnnstat.api.limits.limits``."""
    if not texts:
        return ()
    from cnnstat.api.limits import limits

    return limits(texts, command, has_baseline=has_baseline)


def exit_unmet(limits: tuple[Expression, ...], result: Result, into: Memory | None = None) -> None:
    """Write to standard error which limits a result does not meet.

    ``into`` is a memory that a plan must fit into. Raises ``typer.Exit`` with 1 where there are
    any.
    """
    if not limits and into is None:
        return
    from cnnstat.api.limits import unmet
    from cnnstat.cli.output import remark

    lines = list(unmet(limits, result, into))
    for line in lines:
        remark(line)
    if lines:
        raise typer.Exit(1)
