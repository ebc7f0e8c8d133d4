"""``cnnstat fit MODEL... --memory SIZES``: the largest batch and input for each memory."""

from __future__ import annotations

from typing import Annotated

from cnnstat.cli.memory import (
    COMMON,
    MEMORY,
    AmpOption,
    CheckpointOption,
    DeviceOption,
    ModeOption,
    OptimizerOption,
)
from cnnstat.cli.options import (
    ArgsOption,
    BareOption,
    CallOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    MethodOption,
    ModelsArgument,
    OutputOption,
    call_of,
    factory_arguments,
    input_shapes,
    option,
)
from cnnstat.cli.progress import progress
from cnnstat.errors import UsageError

EXAMPLES = ("cnnstat fit resnet50 vgg16 --memory 8GiB,24GiB",)


def fit(
    models: ModelsArgument,
    memory: Annotated[
        str,
        option(
            "--memory",
            group=MEMORY,
            metavar="SIZES",
            help="Memories, comma-separated: 24GiB (1024^3), 24GB (1000^3), 24G (read as GiB).",
        ),
    ] = ",".join(COMMON),
    input: InputsOption = None,
    args: ArgsOption = None,
    call: CallOption = None,
    method: MethodOption = None,
    dtype: DtypeOption = None,
    mode: ModeOption = "training",
    optimizer: OptimizerOption = None,
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
    device: DeviceOption = "cpu",
    format: FormatOption = None,
    bare: BareOption = False,
    output: OutputOption = None,
) -> None:
    """Find the largest batch, and the largest input at batch 1, that fit into a memory."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.memory.memory import settings
    from cnnstat.render.fit import fit_document

    to = destination(format, output, bare=bare)
    chosen = settings(mode=mode, optimizer=optimizer, amp=amp, checkpoint=checkpoint, device=device)
    memories = [memory_size(text) for text in memory.split(",") if text.strip()]
    if not memories:
        raise UsageError(f"memory {memory!r}: name at least one, such as 24GiB")
    shape, arguments = input_shapes(input), factory_arguments(args)
    calling = call_of(call, method)
    loaded = [api.load(name, arguments=arguments, **calling) for name in models]
    fits = []
    for place, model in enumerate(loaded):
        progress.step(place, len(loaded), model.reference)
        fits.append(api.fit(model, memories, chosen, input=shape, dtype=dtype))
    emit(fit_document(fits), to)
