"""``cnnstat bench [MODEL ...]``: what a model takes on this device, beside what it has to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cnnstat.cli.options import (
    ArgsOption,
    FormatOption,
    InputsOption,
    OutputOption,
    complete_model,
    factory_arguments,
    input_shapes,
)
from cnnstat.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cnnstat.bench.benchplan import Job, Progress, Settings
    from cnnstat.bench.measurement import Measurement

INTERRUPTED = 130
MAX_TIME, LINE_UP_MAX_TIME = 20.0, 3.0
"""Seconds of samples a run takes at most: of named models, of each model of the line-up."""


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of 'cnnstat list', or files; the ImageNet line-up without any.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    batch: Annotated[
        str, typer.Option("--batch", "-b", metavar="N,...", help="Images per batch, one or more.")
    ] = "1",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            metavar="NAME,...",
            help="Element type of weights and activations: float32, bfloat16, float16 ...",
        ),
    ] = "float32",
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE,...", help="inference, training or both.")
    ] = "inference",
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Memory format with the channels innermost.")
    ] = False,
    compile: Annotated[bool, typer.Option("--compile", help="Run through torch.compile.")] = False,
    cuda_graph: Annotated[
        bool, typer.Option("--cuda-graph", help="Capture a step once and replay it (CUDA).")
    ] = False,
    tf32: Annotated[
        bool | None,
        typer.Option(
            "--tf32/--no-tf32",
            help="TF32 in products and convolutions (CUDA); PyTorch's own choice without it.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", help="Threads of PyTorch.", show_default=False),
    ] = None,
    input: InputsOption = None,
    args: ArgsOption = None,
    min_time: Annotated[
        float, typer.Option("--min-time", metavar="S", help="Seconds of samples at least.")
    ] = 0.5,
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time",
            metavar="S",
            help="Seconds of samples at most: 20, in the line-up 3.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Time every layer by itself (inference).")
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="An earlier JSON result to compare with.",
            show_default=False,
        ),
    ] = None,
    other_device: Annotated[
        bool,
        typer.Option("--other-device", help="Compare although the baseline's device is another."),
    ] = False,
    saved: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Show an earlier JSON result instead of measuring.",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Measure models on this device: time, rate, share of the roofline bound."""
    from cnnstat.bench.benchplan import Settings
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.bench import bench_document

    to = destination(format, output)
    if saved is not None and models:
        raise UsageError(f"--from {saved} shows what was measured; it takes no MODEL")
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
    wanted = _Wanted(tuple(models or ()), input, args, batch, dtype, mode)
    against = None if baseline is None else _Against(baseline, other_device)
    found = _found(wanted, settings, against) if saved is None else _saved(saved, against)
    emit(bench_document(found, baseline=baseline), to)
    if saved is not None:
        return
    if not found.complete:
        raise typer.Exit(INTERRUPTED)
    if not any(run.status == "ok" for run in found.runs):
        raise ModelError("no run could be measured; the result says why")


class _Wanted(NamedTuple):
    models: tuple[str, ...]
    input: list[str] | None
    args: str | None
    batch: str
    dtype: str
    mode: str


class _Against(NamedTuple):
    baseline: str
    other_device: bool


def _found(wanted: _Wanted, settings: Settings, against: _Against | None) -> Measurement:
    from cnnstat import api

    with _progress() as progress:
        return api.bench(
            wanted.models or None,
            settings=settings,
            input=input_shapes(wanted.input),
            arguments=factory_arguments(wanted.args),
            batches=_whole_numbers("batch", wanted.batch),
            dtypes=_words("dtype", wanted.dtype),
            modes=_words("mode", wanted.mode),
            baseline=against.baseline if against else None,
            other_device=against.other_device if against else False,
            progress=progress,
        )


def _saved(path: str, against: _Against | None) -> Measurement:
    from cnnstat.bench.measurement import read_result, with_baseline

    found = read_result(path)
    if against is None:
        return found
    earlier = read_result(against.baseline)
    return with_baseline(found, earlier, source=against.baseline, other_device=against.other_device)


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


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show a bar on standard error while a terminal reads it; without one nothing is shown."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Bar(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def progress(place: int, count: int, job: Job) -> None:
            bar.update(task, completed=place, total=count, description=job.label)

        yield progress
