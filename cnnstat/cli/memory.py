"""``cnnstat memory MODEL``: what has to fit, where it goes, and what fits into a given memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    factory_arguments,
    input_shapes,
)

if TYPE_CHECKING:
    from cnnstat.memory.fit import Fit

ModeOption = Annotated[str, typer.Option("--mode", metavar="MODE", help="inference or training.")]
OptimizerOption = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME",
        help="sgd (the default), momentum, adam or adamw; training only.",
        show_default=False,
    ),
]
AmpOption = Annotated[
    str | None,
    typer.Option(
        "--amp",
        metavar="DTYPE",
        help="Mixed precision by autocast: bfloat16 or float16.",
        show_default=False,
    ),
]
CheckpointOption = Annotated[
    bool, typer.Option("--checkpoint", help="Recompute every block in the backward pass.")
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="Whose kernels are predicted: cpu or cuda."),
]
COMMON = ("8GiB", "24GiB", "80GiB")
"""Memories that many graphics cards have."""


def memory(
    model: ModelArgument,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    mode: ModeOption = "inference",
    optimizer: OptimizerOption = None,
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
    device: DeviceOption = "cpu",
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="MEMORY",
            help="Largest batch and input for 24GiB (1024^3), 24GB (1000^3) or 24G (read as GiB).",
            show_default=False,
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run it too, and compare; needs torch.")
    ] = False,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Memory of an inference pass or a training step, layer by layer, and what fits."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.memory.memory import settings
    from cnnstat.render.memory import memory_document

    to = destination(format, output)
    chosen = settings(mode=mode, optimizer=optimizer, amp=amp, checkpoint=checkpoint, device=device)
    wanted = None if fit is None else memory_size(fit)
    shape = input_shapes(input)
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    plan = api.memory(loaded, chosen, input=shape, batch=batch, dtype=dtype)
    measured = api.measured_memory(loaded, plan) if measure else None
    memories = [wanted] if wanted else [memory_size(each) for each in COMMON]
    fits: tuple[Fit, ...] = ()
    if wanted or loaded.structure is not None:  # a captured module is traced for every batch
        fits = api.fit(
            loaded, memories, chosen, input=shape, dtype=dtype, search_input=wanted is not None
        )
    following = None
    if loaded.structure is not None:
        following = api.memory(loaded, chosen, input=shape, batch=batch + 1, dtype=dtype)
    emit(
        memory_document(plan, reference=model, measured=measured, fits=fits, next_batch=following),
        to,
    )
