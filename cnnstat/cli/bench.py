"""``cnnstat bench [MODEL ...]``: measured time, and the work that was done in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from cnnstat.cli.limits import exit_unmet, limits_of
from cnnstat.cli.optionblocks import Calling, Result
from cnnstat.cli.options import REFERENCE, argument, input_shapes, option
from cnnstat.cli.output import emit, remark
from cnnstat.cli.progress import progress
from cnnstat.cli.status import INTERRUPTED
from cnnstat.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cnnstat.bench.measurement import Measurement

RUN, TIME, RESULT = "Run", "Time", "Result"
"""Groups of options."""
MAX_TIME, LINE_UP_MAX_TIME = 20.0, 3.0
"""Most seconds of samples of a run: of named models, of each model of the line-up."""
HIGH_LOAD = 0.5
"""Load average per core from which there is a warning."""
OPTIONS = {
    "models": argument("MODEL", f"The models, each {REFERENCE}.", "the ImageNet line-up"),
    "device": option(RUN, "--device NAME", "auto, cpu, cuda, cuda:N or mps."),
    "batch": option(RUN, "--batch -b N,...", "One or more batch sizes."),
    "dtype": option(
        RUN,
        "--dtype NAME,...",
        "One or more element types of weights and activations: float32, bfloat16, float16 or "
        "float64.",
    ),
    "mode": option(RUN, "--mode MODE,...", "inference, training or both."),
    "channels_last": option(RUN, "--channels-last", "Use the channels-last memory format."),
    "compile": option(RUN, "--compile", "Compile the model with torch.compile."),
    "cuda_graph": option(RUN, "--cuda-graph", "Record a step once and replay it (CUDA)."),
    "tf32": option(
        RUN,
        "--tf32/--no-tf32",
        "Use TF32 in products and convolutions (CUDA).",
        "PyTorch's setting",
    ),
    "threads": option(RUN, "--threads N", "Number of PyTorch threads.", "PyTorch's setting"),
    "layers": option(RUN, "--layers", "Time each layer separately (inference)."),
    "min_time": option(TIME, "--min-time S", "Minimum sampling time of a run, in seconds."),
    "max_time": option(
        TIME,
        "--max-time S",
        "Maximum sampling time of a run, in seconds.",
        f"{MAX_TIME:g}; {LINE_UP_MAX_TIME:g} for the line-up",
    ),
    "baseline": option(RESULT, "--baseline FILE", "Compare with an earlier JSON result."),
    "other_device": option(
        RESULT, "--other-device", "Accept a baseline that another device measured."
    ),
    "saved": option(RESULT, "--from FILE", "Show an earlier JSON result instead of measuring."),
}
EXAMPLES = (
    "cnnstat bench lenet5 --min-time 0.05",
    "cnnstat bench resnet18 --layers --sort median_ms --min-time 0.2",
    "cnnstat bench lenet5 --batch 1,8 --mode inference,training --max-time 0.2 --min-time 0.1",
)


def bench(
    models: list[str] | None = None,
    input: list[str] | None = None,
    *,
    calling: Calling,
    device: str = "auto",
    batch: str = "1",
    dtype: str = "float32",
    mode: str = "inference",
    channels_last: bool = False,
    compile: bool = False,
    cuda_graph: bool = False,
    tf32: bool | None = None,
    threads: int | None = None,
    layers: bool = False,
    sort: str | None = None,
    min_time: float = 0.5,
    max_time: float | None = None,
    baseline: str | None = None,
    other_device: bool = False,
    saved: str | None = None,
    limit: list[str] | None = None,
    verbose: bool = False,
    result: Result,
) -> None:
    """Measure the time of models on this device and compare it with the roofline bound."""
    from cnnstat import api
    from cnnstat.bench.benchplan import Settings
    from cnnstat.render.bench import bench_document, check_sort

    to = result.destination(verbose=verbose)
    if saved is not None and models:
        raise UsageError(f"--from {saved} shows a saved result and takes no MODEL")
    if saved is None:
        check_sort(sort, layers=layers)
    limits = limits_of(limit, "bench", has_baseline=baseline is not None)
    if saved is not None:
        measurement = _saved(saved, baseline, other_device=other_device)
    else:
        if max_time is None:
            max_time = MAX_TIME if models else LINE_UP_MAX_TIME
        measurement = api.bench(
            models or None,
            settings=Settings(
                device=device,
                channels_last=channels_last,
                compiled=compile,
                cuda_graph=cuda_graph,
                tf32=tf32,
                threads=threads,
                min_time=min_time,
                max_time=max_time,
                layers=layers,
            ),
            input=input_shapes(input),
            **calling.arguments(),
            batches=_whole_numbers("batch", batch),
            dtypes=_words("dtype", dtype),
            modes=_words("mode", mode),
            baseline=baseline,
            other_device=other_device,
            progress=lambda place, count, job: progress.step(place, count, job.label),
        )
        _warn_of_load(measurement)
    emit(bench_document(measurement, baseline=baseline, sort=sort), to)
    if saved is None and not measurement.complete:
        raise typer.Exit(INTERRUPTED)
    if saved is None and not any(run.status == "ok" for run in measurement.runs):
        raise ModelError("no run could be measured; the result says why")
    exit_unmet(limits, measurement)


def _saved(path: str, baseline: str | None, *, other_device: bool) -> Measurement:
    from cnnstat.bench.measurement import read_result, with_baseline

    result = read_result(path)
    if baseline is None:
        return result
    earlier = read_result(baseline)
    return with_baseline(result, earlier, source=baseline, other_device=other_device)


def _warn_of_load(measurement: Measurement) -> None:
    """Warn on standard error where other programs kept the processor busy at the start."""
    load, cores = measurement.environment.get("load_average_1min"), os.cpu_count() or 1
    if load is not None and load > HIGH_LOAD * cores:
        remark(
            f"the load average was {load:.1f} on {cores} cores at the start: "
            "other programs slow the measurement down; repeat it on an idle machine"
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
