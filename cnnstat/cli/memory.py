"""``cnnstat memory MODEL``: the memory that a model takes, and what fits into a given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cnnstat.cli.limits import LimitOption, exit_unmet, limits_of
from cnnstat.cli.options import (
    ArgsOption,
    BareOption,
    BatchOption,
    CallOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    MethodOption,
    ModelArgument,
    OutputOption,
    call_of,
    factory_arguments,
    input_shapes,
    option,
)

if TYPE_CHECKING:
    from cnnstat.memory.fit import Fit

MEMORY = "Memory"
"""The group of options of ``memory``, ``fit`` and ``plot memory``."""

ModeOption = Annotated[
    str, option("--mode", group=MEMORY, metavar="MODE", help="inference or training.")
]
OptimizerOption = Annotated[
    str | None,
    option(
        "--optimizer",
        group=MEMORY,
        metavar="NAME",
        help="Optimizer of a training step: sgd, momentum, adam or adamw.",
        default="sgd",
    ),
]
AmpOption = Annotated[
    str | None,
    option(
        "--amp",
        group=MEMORY,
        metavar="DTYPE",
        help="Mixed precision with autocast: bfloat16 or float16.",
        default="off",
    ),
]
CheckpointOption = Annotated[
    bool,
    option("--checkpoint", group=MEMORY, help="Recompute each block in the backward pass."),
]
DeviceOption = Annotated[
    str,
    option("--device", group=MEMORY, metavar="NAME", help="Kernels to predict: cpu or cuda."),
]
COMMON = ("8GiB", "24GiB", "80GiB")
"""Memories that many graphics cards have."""
EXAMPLES = (
    "cnnstat memory resnet50 --mode training --batch 32 --optimizer adam",
    "cnnstat memory vgg16 --mode training --batch 64 --fit 24GiB",
    "cnnstat memory vgg16 --limit 'total_bytes < 1GiB'",
)


def memory(
    model: ModelArgument,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    call: CallOption = None,
    method: MethodOption = None,
    mode: ModeOption = "inference",
    optimizer: OptimizerOption = None,
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
    device: DeviceOption = "cpu",
    fit: Annotated[
        str | None,
        option(
            "--fit",
            group=MEMORY,
            metavar="MEMORY",
            help="Find the largest batch and input for 24GiB (1024^3), 24GB (1000^3) or 24G "
            "(read as GiB). Exit with 1 if --batch does not fit.",
            default=f"the largest batch for {', '.join(COMMON)}",
        ),
    ] = None,
    measure: Annotated[
        bool,
        option(
            "--measure",
            group=MEMORY,
            help="Run the model, too, and compare (needs PyTorch).",
        ),
    ] = False,
    limit: LimitOption = None,
    format: FormatOption = None,
    bare: BareOption = False,
    output: OutputOption = None,
) -> None:
    """Predict the memory of an inference pass or a training step, layer by layer."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.memory.fit import memory as memory_size
    from cnnstat.memory.memory import settings
    from cnnstat.render.memory import memory_document

    to = destination(format, output, bare=bare)
    chosen = settings(mode=mode, optimizer=optimizer, amp=amp, checkpoint=checkpoint, device=device)
    into = None if fit is None else memory_size(fit)
    limits = limits_of(limit, "memory")
    shape = input_shapes(input)
    loaded = api.load(
        model, classes=classes, arguments=factory_arguments(args), **call_of(call, method)
    )
    plan = api.memory(loaded, chosen, input=shape, batch=batch, dtype=dtype)
    measured = api.measured_memory(loaded, plan) if measure else None
    memories = [into] if into else [memory_size(each) for each in COMMON]
    fits: tuple[Fit, ...] = ()
    if into or loaded.structure is not None:  # a captured module is traced for every batch
        fits = api.fit(
            loaded, memories, chosen, input=shape, dtype=dtype, search_input=into is not None
        )
    following = None
    if loaded.structure is not None:
        following = api.memory(loaded, chosen, input=shape, batch=batch + 1, dtype=dtype)
    emit(
        memory_document(plan, reference=model, measured=measured, fits=fits, next_batch=following),
        to,
    )
    exit_unmet(limits, plan, into)
