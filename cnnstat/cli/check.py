"""``cnnstat check MODEL... | --all``: every figure against counters that cnnstat did not write."""

from __future__ import annotations

import typer

from cnnstat.cli.optionblocks import Result, Subject
from cnnstat.cli.options import MODEL, option
from cnnstat.cli.output import emit
from cnnstat.cli.progress import progress
from cnnstat.errors import UsageError

OPTIONS = {"everything": option(MODEL, "--all", "Check every model of 'cnnstat list'.")}
EXAMPLES = ("cnnstat check lenet5 resnet18", "cnnstat check samples/small_net.py:SmallNet -i 32")


def check(
    models: list[str] | None = None,
    everything: bool = False,
    *,
    subject: Subject,
    result: Result,
) -> None:
    """Compare shapes, parameters and counts with PyTorch's FlopCounterMode and fvcore.

    Exits with 1 if any figure of any operator differs.
    """
    from cnnstat import api
    from cnnstat.pytorch import require_torch
    from cnnstat.render.check import check_document
    from cnnstat.zoo.catalog import names

    if bool(models) == everything:
        raise UsageError("name the models to check, or --all for every model of 'cnnstat list'")
    to = result.destination()
    loaded = [subject.load(name) for name in models or names()]
    require_torch()
    checks = []
    for place, model in enumerate(loaded):
        progress.step(place, len(loaded), model.reference)
        checks.append(api.check(model, **subject.entering()))
    emit(check_document(tuple(checks)), to)
    if not all(check.agree for check in checks):
        raise typer.Exit(1)
