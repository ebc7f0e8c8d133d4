"""Time models: jobs in, a ``Measurement`` out. Counting is never done in the pass that is timed.

A run that does not fit into memory, or that PyTorch refuses, is a row that says so and the rest
goes on; an interrupt ends the measurement with what is done. PyTorch's global switches are put back
in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnstat.bench.benchplan import Job, Progress, Settings, check_settings
from cnnstat.bench.measurement import OUT_OF_MEMORY, Measurement, Run
from cnnstat.bench.roofline import Demand, Rates, demands, total_bound
from cnnstat.bench.timing import spread, timing_note
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.memory import memory
from cnnstat.pytorch import clock, device, layertimes, steps
from cnnstat.pytorch.build import build_module
from cnnstat.pytorch.watching import without_compiler

LOAD_S = 2.0
"""Seconds of matrix products under which a GPU's clocks and power are read."""


def measure(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    begin: Callable[[Mapping[str, Any]], None] | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Run every job in order. Raises ``UsageError`` before the first for illegal settings.

    ``begin`` gets the environment before the first run and may refuse it. An interrupt (Ctrl-C)
    ends the measurement early: the result holds the runs that were done and is not ``complete``.
    """
    place, kinds = check(jobs, settings)
    benchmark = True if place.type == "cuda" else None
    runs: list[Run] = []
    complete = True
    with device.switched(threads=settings.threads, tf32=settings.tf32, benchmark=benchmark):
        bench = _Bench(settings, place, kinds)
        around = device.environment(place, settings)
        if begin is not None:
            begin(around)
        try:
            for index, job in enumerate(jobs):
                if progress is not None:
                    progress(index, len(jobs), job)
                runs.append(bench.run(job))
        except KeyboardInterrupt:
            complete = False
        finally:
            bench.drop()
    measured = {**around, **bench.under_load, "reference": bench.references()}
    return Measurement(measured, tuple(runs), complete)


def check(jobs: Sequence[Job], settings: Settings) -> tuple[torch.device, dict[str, torch.dtype]]:
    """Return the device and the dtypes by name; raise ``UsageError`` for what cannot be done."""
    modes = {job.mode for job in jobs}
    check_settings(settings, modes)
    place = device.resolve(settings.device)
    if place.type != "cuda":
        for wanted, name in ((settings.cuda_graph, "--cuda-graph"), (settings.tf32, "--tf32")):
            if wanted:
                raise UsageError(f"{name} needs a CUDA device, not {place}")
    return place, {
        name: device.dtype_on(name, place, training="training" in modes)
        for name in dict.fromkeys(job.dtype for job in jobs)
    }


class _Bench:
    """State kept between runs of one call: the last module and the measured rates."""

    def __init__(
        self, settings: Settings, place: torch.device, kinds: dict[str, torch.dtype]
    ) -> None:
        self._settings, self._place, self._kinds = settings, place, kinds
        self._module: nn.Module | None = None
        self._built_for: tuple[str, str] | None = None
        self._copy: clock.Copy | None = None
        self._products: dict[str, clock.Product] = {}
        self.under_load: dict[str, str | float | None] = {}

    def run(self, job: Job) -> Run:
        """Measure one job."""
        planned = self._planned(job)
        try:
            if self._settings.compiled:
                return self._timed(job, planned)
            return without_compiler(lambda: self._timed(job, planned))
        except Exception as error:  # a compiler's or a driver's, of whatever kind
            self.drop()
            if device.out_of_memory(error):
                return replace(planned, status=OUT_OF_MEMORY)
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            return replace(planned, status="failed", note=reason)
        finally:
            if self._module is not None:
                self._module.zero_grad(set_to_none=True)
            device.release(self._place)

    def drop(self) -> None:
        """Forget the module, so that its memory is free."""
        self._module = self._built_for = None

    def references(self) -> dict[str, object]:
        """Return the rates that were measured, for the environment."""
        return {
            "copy": self._copy._asdict() if self._copy else None,
            "matmul": {name: product._asdict() for name, product in self._products.items()},
        }

    def _planned(self, job: Job) -> Run:
        """Return the run as far as it is known without a clock."""
        report, settings = job.report, self._settings
        totals, needs = report.totals, demands(report, mode=job.mode)
        need = Demand(sum(n.macs for n in needs), sum(n.traffic_bytes for n in needs))
        training = job.mode == "training"
        rounded = device.rounding() if self._place.type == "cuda" else None
        return Run(
            model=job.model,
            device=str(self._place),
            dtype=job.dtype,
            batch=report.batch,
            mode=job.mode,
            input_shape=report.input.shape,
            channels_last=settings.channels_last,
            compiled=settings.compiled,
            cuda_graph=settings.cuda_graph,
            tf32=all(rounded) if rounded else None,
            tf32_convolution=rounded.convolution if rounded else None,
            threads=torch.get_num_threads(),
            macs=need.macs,
            flops=None if training else _forward_flops(report),
            traffic_bytes=need.traffic_bytes,
            macs_per_byte=need.macs_per_byte or 0.0,
            param_bytes=totals.param_bytes,
            predicted_activation_bytes=totals.activation_bytes
            if training
            else totals.peak_activation_bytes,
            predicted_peak_bytes=_eager_peak(job) if self._place.type == "cuda" else None,
            note=_uncounted(report),
        )

    def _timed(self, job: Job, planned: Run) -> Run:
        settings, place = self._settings, self._place
        rates_here = self._rates(planned.dtype)
        module = self._built(job, planned.dtype)
        inputs = steps.random_inputs(
            job.report.shaped,
            place,
            self._kinds[planned.dtype],
            seed=settings.seed,
            channels_last=settings.channels_last,
        )
        step = self._step(job, module, inputs)
        if place.type == "cuda" and not settings.cuda_graph:
            step()  # chooses its kernels, with workspaces for trials that no later step takes
            device.reset_peak_memory(place)
        samples = clock.sample(step, place, min_time=settings.min_time, max_time=settings.max_time)
        peak = device.peak_memory_bytes(place)
        run = summarized(planned, samples, demands(job.report, mode=job.mode), rates_here)
        run = replace(run, peak_memory_bytes=peak)
        if not settings.layers:
            return run
        rows = layertimes.layer_times(
            module,
            inputs,
            job.report,
            rates_here,
            place,
            own=job.own_module is not None,
            min_time=settings.min_time,
            max_time=settings.max_time,
        )
        return replace(run, layers=rows, layers_ms=sum(row.median_ms for row in rows))

    def _step(self, job: Job, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> steps.Step:
        called: Any = module
        if self._settings.compiled:
            torch.compiler.reset()  # an earlier batch must not make this one dynamic
            called = torch.compile(module, dynamic=False)
        if job.mode == "inference":
            step = steps.inference_step(called, inputs)
        else:
            seed = self._settings.seed + 1
            objective = steps.objective_for(job.report.shaped, self._place, seed=seed)
            step = steps.training_step(called, inputs, objective)
        return steps.captured(step, self._place) if self._settings.cuda_graph else step

    def _built(self, job: Job, dtype: str) -> nn.Module:
        """Return the job's module on the device, the last one where it is the same."""
        wanted = (job.model, dtype)
        if self._module is None or self._built_for != wanted:
            self.drop()
            device.release(self._place)
            report, kind = job.report, self._kinds[dtype]
            module: nn.Module
            if job.own_module is not None:  # the user's, not one made from the graph
                own = job.own_module().to(self._place, kind)
                module = steps.called_as_captured(own, report.shaped)
            else:
                module = build_module(
                    report.shaped.graph,
                    report.entering,
                    seed=self._settings.seed,
                    device=self._place,
                    dtype=kind,
                )
            if self._settings.channels_last:
                module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._module, self._built_for = module, wanted
        return self._module

    def _rates(self, dtype: str) -> Rates:
        if self._copy is None:
            self._copy = clock.copy_rate(self._place)
        if dtype not in self._products:
            kind = self._kinds[dtype]
            on_cuda = self._place.type == "cuda"
            as_convolved = device.rounding().convolution if on_cuda else None  # nearly all MACs are
            with device.switched(tf32=as_convolved):
                self._products[dtype] = clock.product_rate(self._place, kind)
                if on_cuda and not self.under_load:
                    busy = clock.product_steps(self._products[dtype], self._place, kind, LOAD_S)
                    self.under_load = device.nvidia_smi_under_load(self._place, busy)
        return Rates(self._products[dtype].macs_per_s, self._copy.bytes_per_s)


def summarized(
    planned: Run, samples: clock.Samples, needs: tuple[Demand, ...], rates_here: Rates
) -> Run:
    """Return the run with everything that follows from its samples and the device's rates."""
    timing = spread(samples.durations)
    least = total_bound(needs, rates_here)
    return replace(
        planned,
        note="; ".join(filter(None, (planned.note, timing_note(timing)))),
        samples=timing.samples,
        warmup=samples.warmup,
        median_ms=timing.median * 1e3,
        p25_ms=timing.p25 * 1e3,
        p75_ms=timing.p75 * 1e3,
        p95_ms=timing.p95 * 1e3,
        min_ms=timing.minimum * 1e3,
        outliers=timing.outliers,
        images_per_s=planned.batch / timing.median,
        gmacs_per_s=planned.macs / timing.median / 1e9,
        gflops_per_s=None if planned.flops is None else planned.flops / timing.median / 1e9,
        share_of_matmul=planned.macs / timing.median / rates_here.macs_per_s,
        share_of_copy=planned.traffic_bytes / timing.median / rates_here.bytes_per_s,
        bound_ms=least.seconds * 1e3,
        share_of_bound=least.seconds / timing.median,
        bound_by=least.limit,
    )


def _forward_flops(report: Report) -> int:
    shaped = report.shaped
    return sum(
        facts.work.flops
        for node, facts in zip(shaped.nodes, shaped.facts, strict=True)
        if facts.work and not node.training_only
    )


def _uncounted(report: Report) -> str:
    """Return what a partial report leaves out of every rate; empty for a complete one."""
    if report.status == "complete":
        return ""
    nodes = zip(report.shaped.nodes, report.shaped.facts, strict=True)
    unruled = dict.fromkeys(node.op.type_name for node, facts in nodes if facts.work is None)
    return f"rates and shares are lower bounds: no rule for {', '.join(unruled)}"


def _eager_peak(job: Job) -> int:
    """Return the memory that a step of ``steps.py`` is predicted to take on CUDA, in bytes."""
    optimizer = "momentum" if job.mode == "training" else None
    chosen = memory.settings(mode=job.mode, optimizer=optimizer, device="cuda")
    return memory.plan(job.report, chosen).total_bytes
