"""The JSON contracts of memory plans and of what fits: raw bytes, the unit in every key."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat.count.layer import Layer
from cnnstat.count.liveness import arena, at_peak, extent, shape_of
from cnnstat.count.report import Report
from cnnstat.memory.fit import Fit
from cnnstat.memory.memory import LayerMemory, Measured, MemoryPlan
from cnnstat.memory.passes import Settings

STORED = (
    *("param_bytes", "buffer_bytes", "gradient_bytes", "optimizer_bytes"),
    *("optimizer_step_bytes", "input_bytes", "saved_bytes"),
)
"""Totals of a plan by their own names."""


def memory_payload(
    plan: MemoryPlan,
    reference: str,
    rows: Sequence[tuple[Layer, LayerMemory]],
    measured: tuple[Measured, Measured] | None,
    fits: Sequence[Fit],
) -> dict[str, object]:
    """Return the JSON contract ``cnnstat.memory/1``."""
    return {
        "schema": "cnnstat.memory/1",
        "status": plan.status,
        "model": {"name": plan.report.name, "reference": reference},
        "input": {"shape": list(plan.report.input.shape), "dtype": plan.report.input.dtype},
        "batch": plan.batch,
        **settings_payload(plan.settings),
        "totals": totals_payload(plan),
        "layers": [
            {"name": layer.name, "path": layer.path, **row._asdict()} for layer, row in rows
        ],
        "fits": [fit_payload(fit) for fit in fits],
        "measured": None if measured is None else measured[0]._asdict(),
        "predicted_for_measured": None if measured is None else measured[1]._asdict(),
        "unknown_operators": list(plan.unknown),
        **arena_payload(plan.report),
    }


def settings_payload(settings: Settings) -> dict[str, object]:
    """Return the settings of a plan."""
    return {
        "mode": settings.mode,
        "optimizer": settings.optimizer if settings.mode == "training" else None,
        "amp": settings.amp,
        "checkpoint": settings.checkpoint,
        "device": settings.device,
    }


def arena_payload(report: Report) -> dict[str, object]:
    """Return the tensors at the ideal peak, each at its place in an arena; null for no plan."""
    shaped, placement = report.shaped, report.placement
    plan = arena(shaped, placement)
    offsets = {tensor.node: tensor.offset for tensor in plan or ()}
    return {
        "arena_bytes": None if plan is None else extent(plan),
        "peak_tensors": [
            {
                "name": shaped.nodes[node].name,
                "shape": list(shape_of(shaped, node)),
                "bytes": size,
                "offset_bytes": offsets.get(node),
            }
            for node, size in at_peak(shaped, placement)
        ],
    }


def totals_payload(plan: MemoryPlan) -> dict[str, object]:
    """Return a plan's totals as the JSON contract has them."""
    back = plan.backward_peak
    return {
        **{key: getattr(plan, key) for key in STORED},
        "peak_live_bytes": plan.forward_peak.bytes,
        "peak_layer": plan.forward_peak.layer,
        "ideal_peak_bytes": plan.ideal_peak_bytes,
        "ideal_peak_layer": plan.ideal_peak_layer,
        "backward_peak_bytes": back.bytes if back else None,
        "backward_peak_layer": back.layer if back else None,
        "backward_peak_parts": dict(back.parts) if back else None,
        "total_bytes": plan.total_bytes,
    }


def fit_payload(fit: Fit) -> dict[str, object]:
    """Return what fits into one memory."""
    return {
        "memory": fit.memory.with_unit,
        "memory_bytes": fit.memory.bytes,
        "reserved_bytes": fit.reserved_bytes,
        "batch": fit.at_batch.batch if fit.at_batch else 0,
        "batch_totals": totals_payload(fit.at_batch) if fit.at_batch else None,
        "input": list(fit.at_input.report.input_shape) if fit.at_input else None,
        "input_totals": totals_payload(fit.at_input) if fit.at_input else None,
        "missing_bytes": fit.missing_bytes,
    }
