"""``cnnstat fit MODEL... --memory SIZES``: the largest batch and input for each memory."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.memory import (
    COMMON,
    AmpOption,
    CheckpointOption,
    DeviceOption,
    ModeOption,
    OptimizerOption,
)
from cnnstat.cli.options import (
    ArgsOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    OutputOption,
    complete_model,
    factory_arguments,
    input_shapes,
)
from cnnstat.errors import UsageError


def fit(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Names of 'cnnstat list', or files.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
    memory: Annotated[
        str,
        typer.Option(
            "--memory",
            metavar="SIZES",
            help="Memories, comma-separated: 24GiB (1024^3), 24GB (1000^3), 24G (read as GiB).",
        ),
    ] = ",".join(COMMON),
    input: InputsOption = None,
    args: ArgsOption = None,
    dtype: DtypeOption = None,
    mode: ModeOption = "training",
    optimizer: OptimizerOption = None,
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
    device: DeviceOption = "cpu",
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Find the largest batch, and the largest input of one image, that fit into a memory."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.memory.memory import settings
    from cnnstat.render.fit import fit_document

    to = destination(format, output)
    chosen = settings(mode=mode, optimizer=optimizer, amp=amp, checkpoint=checkpoint, device=device)
    wanted = [memory_size(text) for text in memory.split(",") if text.strip()]
    if not wanted:
        raise UsageError(f"memory {memory!r}: name at least one, such as 24GiB")
    shape, arguments = input_shapes(input), factory_arguments(args)
    loaded = [api.load(name, arguments=arguments) for name in models]
    found = [api.fit(model, wanted, chosen, input=shape, dtype=dtype) for model in loaded]
    emit(fit_document(found), to)
