"""``cnnstat memory MODEL``: the memory that a model takes, and what fits into a given one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstat.cli.limits import exit_unmet, limits_of
from cnnstat.cli.optionblocks import Result, Subject
from cnnstat.cli.options import option
from cnnstat.cli.output import emit

if TYPE_CHECKING:
    from cnnstat.memory.fit import Fit
    from cnnstat.memory.passes import Settings

MEMORY = "Memory"
"""The group of options of ``memory``, ``fit`` and ``plot memory``."""
COMMON = ("8GiB", "24GiB", "80GiB")
"""Memories that many graphics cards have."""
OPTIONS = {
    "mode": option(MEMORY, "--mode MODE", "inference or training."),
    "optimizer": option(
        MEMORY,
        "--optimizer NAME",
        "Optimizer of a training step: sgd, momentum, adam or adamw.",
        "sgd",
    ),
    "amp": option(
        MEMORY, "--amp DTYPE", "Mixed precision with autocast: bfloat16 or float16.", "off"
    ),
    "checkpoint": option(MEMORY, "--checkpoint", "Recompute each block in the backward pass."),
    "device": option(MEMORY, "--device NAME", "Kernels to predict: cpu or cuda."),
    "fit": option(
        MEMORY,
        "--fit MEMORY",
        "Find the largest batch and input for 24GiB (1024^3), 24GB (1000^3) or 24G "
        "(read as GiB). Exit with 1 if --batch does not fit.",
        f"the largest batch for {', '.join(COMMON)}",
    ),
    "measure": option(MEMORY, "--measure", "Also run the model and compare (needs PyTorch)."),
}
EXAMPLES = (
    "cnnstat memory resnet50 --mode training --batch 32 --optimizer adam",
    "cnnstat memory vgg16 --mode training --batch 64 --fit 24GiB",
    "cnnstat memory vgg16 --limit 'total_bytes < 1GiB'",
)


@dataclass(frozen=True)
class Planning:
    """What is planned."""

    mode: str = "inference"
    optimizer: str | None = None
    amp: str | None = None
    checkpoint: bool = False
    device: str = "cpu"

    def settings(self) -> Settings:
        """Return the settings of a plan; errors are those of ``memory.settings``."""
        from cnnstat.memory.memory import settings

        return settings(**vars(self))


def memory(
    model: str,
    *,
    subject: Subject,
    planning: Planning,
    fit: str | None = None,
    measure: bool = False,
    limit: list[str] | None = None,
    result: Result,
) -> None:
    """Predict the memory of an inference pass or a training step, layer by layer."""
    from cnnstat import api
    from cnnstat.api.models import with_input
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.render.memory import memory_document

    to = result.destination()
    settings = planning.settings()
    into = None if fit is None else memory_size(fit)
    limits = limits_of(limit, "memory")
    loaded, entering = subject.load(model), subject.entering()
    loaded, entering["input"] = with_input(loaded, entering["input"])
    plan = api.memory(loaded, settings, **entering)
    measured = api.measured_memory(loaded, plan) if measure else None
    following = None
    if loaded.structure is not None:  # a captured module would be traced for every batch
        following = api.memory(loaded, settings, **{**entering, "batch": subject.batch + 1})
        following = following if following.batch > plan.batch else None
    memories = [into] if into else [memory_size(each) for each in COMMON]
    fits: tuple[Fit, ...] = ()
    if into or following:
        shapes, search = subject.shapes, into is not None
        fits = api.fit(
            loaded, memories, settings, input=shapes, dtype=subject.dtype, search_input=search
        )
    document = memory_document(
        plan, reference=model, measured=measured, fits=fits, next_batch=following
    )
    emit(document, to)
    exit_unmet(limits, plan, into)
