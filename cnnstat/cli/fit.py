"""``cnnstat fit MODEL... --memory SIZES``: the largest batch and input for each memory."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstat.cli.memory import COMMON, MEMORY, Planning
from cnnstat.cli.optionblocks import Loading, Result
from cnnstat.cli.options import input_shapes, option
from cnnstat.cli.output import emit
from cnnstat.cli.progress import progress
from cnnstat.errors import UsageError

OPTIONS = {
    "memory": option(
        MEMORY,
        "--memory SIZES",
        "Memories, comma-separated: 24GiB (1024^3), 24GB (1000^3), 24G (read as GiB).",
    ),
}
EXAMPLES = ("cnnstat fit resnet50 vgg16 --memory 8GiB,24GiB",)


@dataclass(frozen=True)
class Training(Planning):
    """What is planned: by default a step of training."""

    mode: str = "training"


def fit(
    models: list[str],
    memory: str = ",".join(COMMON),
    input: list[str] | None = None,
    *,
    loading: Loading,
    dtype: str | None = None,
    planning: Training,
    verbose: bool = False,
    result: Result,
) -> None:
    """Find the largest batch, and the largest input at batch 1, that fit into a given memory."""
    from cnnstat import api
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.render.fit import fit_document

    to = result.destination(verbose=verbose)
    settings = planning.settings()
    memories = [memory_size(text) for text in memory.split(",") if text.strip()]
    if not memories:
        raise UsageError(f"memory {memory!r}: name at least one, such as 24GiB")
    shape = input_shapes(input)
    loaded = [loading.load(name) for name in models]
    fits = []
    for place, model in enumerate(loaded):
        progress.step(place, len(loaded), model.reference)
        fits.append(api.fit(model, memories, settings, input=shape, dtype=dtype))
    emit(fit_document(fits), to)
