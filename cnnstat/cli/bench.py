"""``cnnstat bench [MODEL ...]``: measured time, and the work that was done in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cnnstat.cli.blocks import Calling, Result
from cnnstat.cli.limits import LimitOption, exit_unmet, limits_of
from cnnstat.cli.options import (
    REFERENCE,
    InputsOption,
    SortOption,
    VerboseOption,
    argument,
    input_shapes,
    option,
)
from cnnstat.cli.progress import progress
from cnnstat.cli.status import INTERRUPTED
from cnnstat.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cnnstat.bench.benchplan import Job, Settings
    from cnnstat.bench.measurement import Measurement

RUN, TIME, RESULT = "Run", "Time", "Result"
"""Groups of options."""
MAX_TIME, LINE_UP_MAX_TIME = 20.0, 3.0
"""Most seconds of samples of a run: of named models, of each model of the line-up."""
HIGH_LOAD = 0.5
"""Load average per core from which there is a warning."""
EXAMPLES = (
    "cnnstat bench lenet5 --min-time 0.05",
    "cnnstat bench resnet18 --layers --sort median_ms --min-time 0.2",
    "cnnstat bench lenet5 --batch 1,8 --mode inference,training --max-time 0.2 --min-time 0.1",
)


def bench(
    models: Annotated[
        list[str] | None,
        argument("MODEL", f"The models, each {REFERENCE}.", default="the ImageNet line-up"),
    ] = None,
    input: InputsOption = None,
    *,
    calling: Calling,
    device: Annotated[
        str, option("--device", group=RUN, metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    batch: Annotated[
        str, option("--batch", "-b", group=RUN, metavar="N,...", help="One or more batch sizes.")
    ] = "1",
    dtype: Annotated[
        str,
        option(
            "--dtype",
            group=RUN,
            metavar="NAME,...",
            help="One or more element types of weights and activations: float32, bfloat16, "
            "float16 or float64.",
        ),
    ] = "float32",
    mode: Annotated[
        str, option("--mode", group=RUN, metavar="MODE,...", help="inference, training or both.")
    ] = "inference",
    channels_last: Annotated[
        bool, option("--channels-last", group=RUN, help="Use the channels-last memory format.")
    ] = False,
    compile: Annotated[
        bool, option("--compile", group=RUN, help="Compile the model with torch.compile.")
    ] = False,
    cuda_graph: Annotated[
        bool, option("--cuda-graph", group=RUN, help="Record a step once and replay it (CUDA).")
    ] = False,
    tf32: Annotated[
        bool | None,
        option(
            "--tf32/--no-tf32",
            group=RUN,
            help="Use TF32 in products and convolutions (CUDA).",
            default="PyTorch's setting",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        option(
            "--threads",
            group=RUN,
            metavar="N",
            help="Number of PyTorch threads.",
            default="PyTorch's setting",
        ),
    ] = None,
    layers: Annotated[
        bool, option("--layers", group=RUN, help="Time each layer separately (inference).")
    ] = False,
    sort: SortOption = None,
    min_time: Annotated[
        float,
        option(
            "--min-time",
            group=TIME,
            metavar="S",
            help="Minimum sampling time of a run, in seconds.",
        ),
    ] = 0.5,
    max_time: Annotated[
        float | None,
        option(
            "--max-time",
            group=TIME,
            metavar="S",
            help="Maximum sampling time of a run, in seconds.",
            default=f"{MAX_TIME:g}; {LINE_UP_MAX_TIME:g} for the line-up",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        option(
            "--baseline", group=RESULT, metavar="FILE", help="Compare with an earlier JSON result."
        ),
    ] = None,
    other_device: Annotated[
        bool,
        option(
            "--other-device", group=RESULT, help="Accept a baseline that another device measured."
        ),
    ] = False,
    saved: Annotated[
        str | None,
        option(
            "--from",
            group=RESULT,
            metavar="FILE",
            help="Show an earlier JSON result instead of measuring.",
        ),
    ] = None,
    limit: LimitOption = None,
    verbose: VerboseOption = False,
    result: Result,
) -> None:
    """Measure the time of models on this device and compare it with the roofline bound."""
    from cnnstat.bench.benchplan import Settings
    from cnnstat.cli.output import emit
    from cnnstat.render.bench import bench_document, check_sort

    to = result.destination(verbose=verbose)
    if saved is not None and models:
        raise UsageError(f"--from {saved} shows a saved result and takes no MODEL")
    if saved is None:
        check_sort(sort, layers=layers)
    limits = limits_of(limit, "bench", has_baseline=baseline is not None)
    settings = Settings(
        device=device,
        channels_last=channels_last,
        compiled=compile,
        cuda_graph=cuda_graph,
        tf32=tf32,
        threads=threads,
        min_time=min_time,
        max_time=(MAX_TIME if models else LINE_UP_MAX_TIME) if max_time is None else max_time,
        layers=layers,
    )
    runs = _Runs(tuple(models or ()), input, calling, batch, dtype, mode)
    earlier = None if baseline is None else _Earlier(baseline, other_device)
    measurement = _measure(runs, settings, earlier) if saved is None else _saved(saved, earlier)
    if saved is None:
        _warn_of_load(measurement)
    emit(bench_document(measurement, baseline=baseline, sort=sort), to)
    if saved is None and not measurement.complete:
        raise typer.Exit(INTERRUPTED)
    if saved is None and not any(run.status == "ok" for run in measurement.runs):
        raise ModelError("no run could be measured; the result says why")
    exit_unmet(limits, measurement)


class _Runs(NamedTuple):
    """The options that say what is measured, as written."""

    models: tuple[str, ...]
    input: list[str] | None
    calling: Calling
    batch: str
    dtype: str
    mode: str


class _Earlier(NamedTuple):
    """The result to compare with."""

    baseline: str
    other_device: bool


def _measure(runs: _Runs, settings: Settings, earlier: _Earlier | None) -> Measurement:
    from cnnstat import api

    return api.bench(
        runs.models or None,
        settings=settings,
        input=input_shapes(runs.input),
        **runs.calling.arguments(),
        batches=_whole_numbers("batch", runs.batch),
        dtypes=_words("dtype", runs.dtype),
        modes=_words("mode", runs.mode),
        baseline=earlier.baseline if earlier else None,
        other_device=earlier.other_device if earlier else False,
        progress=_progress,
    )


def _warn_of_load(measurement: Measurement) -> None:
    """Warn on standard error where other programs kept the processor busy at the start."""
    from cnnstat.cli.output import remark

    environment = measurement.environment
    load, cores = environment.get("load_average_1min"), os.cpu_count() or 1
    if load is not None and load > HIGH_LOAD * cores:
        remark(
            f"the load average was {load:.1f} on {cores} cores at the start: "
            "other programs slow the measurement down; repeat it on an idle machine"
        )


def _saved(path: str, earlier: _Earlier | None) -> Measurement:
    from cnnstat.bench.measurement import read_result, with_baseline

    result = read_result(path)
    if earlier is None:
        return result
    baseline = read_result(earlier.baseline)
    return with_baseline(
        result, baseline, source=earlier.baseline, other_device=earlier.other_device
    )


def _words(name: str, text: str) -> tuple[str, ...]:
    """Return the different words of a comma-separated list."""
    words = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",")))
    if not all(words):
        raise UsageError(f"{name} {text!r}: expected one or more values, comma-separated")
    return words


def _whole_numbers(name: str, text: str) -> tuple[int, ...]:
    words = _words(name, text)
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise UsageError(f"{name} {text!r}: expected whole numbers, as in 1,8,32")
    return tuple(int(word) for word in words)


def _progress(place: int, count: int, job: Job) -> None:
    progress.step(place, count, job.label)
