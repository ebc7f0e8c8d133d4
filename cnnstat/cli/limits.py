"""``--limit CONDITION``: figures that a result must have; exit code 1 where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cnnstat.cli.output import remark

if TYPE_CHECKING:
    from cnnstat.api.limits import Command, Result
    from cnnstat.memory.fit import Memory
    from cnnstat.sweep.expression import Expression


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

    lines = list(unmet(limits, result, into))
    for line in lines:
        remark(line)
    if lines:
        raise typer.Exit(1)
