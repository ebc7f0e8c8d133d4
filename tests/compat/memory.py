"""Compare predicted memory with PyTorch's, byte by byte, on every model of the zoo.

Run by hand: ``python tests/compat/memory.py -o samples/memory.csv``. Each model runs in a process
of its own under storage tracking (see ``pytorch.measured_memory``), for inference, training,
training under autocast and with recomputed blocks. A run that takes more than ``--limit`` is a
``Limitation`` of the machine, with the bytes that it would take. Models that the table has are not
run again, unless something was left out.

On a GPU, ``--device cuda --batch 1,32,256`` reads the allocator instead, of the ImageNet line-up
unless models are named: its peaks less the workspace should lie within 5 % of what is predicted,
weights and optimiser state on both sides.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnnstat import api
from cnnstat.errors import UsageError
from cnnstat.memory.memory import Measured, settings
from cnnstat.memory.passes import Settings
from cnnstat.zoo.catalog import names
from cnnstat.zoo.lineup import IMAGENET

BATCH = 2
"""One image would leave a batch norm over single elements without a variance."""

TOLERANCE = 0.05
"""Of a peak on CUDA, where an allocator rounds; on the CPU every byte is told."""

SETTINGS: dict[str, Settings] = {
    "inference": settings(),
    "inference-bfloat16": settings(amp="bfloat16"),
    "training": settings(mode="training", optimizer="adam"),
    "training-bfloat16": settings(mode="training", optimizer="momentum", amp="bfloat16"),
    "training-checkpoint": settings(mode="training", checkpoint=True),
}
ON_CUDA: dict[str, Settings] = {
    name: replace(SETTINGS[name], device="cuda")
    for name in ("inference", "inference-bfloat16", "training", "training-bfloat16")
}
COLUMNS = ("model", "setting", "batch", "torch", "quantity", "measured", "predicted", "note")
TOTAL = "total_without_workspace_bytes"


class Limitation(NamedTuple):
    """A difference that is known, or a model that is not run, and why."""

    reason: str


def compare(
    model: str, limit: int, chosen_settings: Mapping[str, Settings], batches: Sequence[int]
) -> list[dict[str, Any]]:
    """Return one row per quantity, setting and batch of one model."""
    rows = []
    for (name, chosen), batch in product(chosen_settings.items(), batches):
        loaded = api.load(model)
        plan = api.memory(loaded, chosen, batch=batch)
        common = {"model": model, "setting": name, "batch": batch, "torch": torch.__version__}
        if plan.total_bytes > limit:
            reason = Limitation(f"not run: takes {plan.total_bytes} bytes, more than {limit}")
            rows.append(common | {"predicted": plan.total_bytes, "note": reason.reason})
            continue
        try:
            measured, predicted = api.measured_memory(loaded, plan)
        except UsageError as error:  # workspaces come on top of what is predicted
            rows.append(common | {"predicted": plan.total_bytes, "note": f"not run: {error}"})
            continue
        for key, real, ours in quantities(measured, predicted):
            rows.append(common | {"quantity": key, "measured": real, "predicted": ours})
        if chosen.device == "cuda":
            row = {"measured": total_bytes(measured), "predicted": total_bytes(predicted)}
            rows.append(common | {"quantity": TOTAL} | row)
    return rows


def total_bytes(each: Measured) -> int:
    """Return what has to fit, workspaces left out: what stays, and the higher of the peaks."""
    peak = max(each.peak_live_bytes, each.backward_peak_bytes or 0)
    state = each.param_bytes + each.buffer_bytes + (each.optimizer_bytes or 0)
    return state + peak - (each.workspace_bytes or 0)


def agrees(row: Mapping[str, Any]) -> bool:
    """Return whether a row's prediction holds: to the byte, within 5 % for a total on CUDA."""
    measured, predicted = int(row["measured"]), int(row["predicted"])
    allowed = TOLERANCE * measured if row["quantity"] == TOTAL else 0
    return abs(predicted - measured) <= allowed


def quantities(measured: Measured, predicted: Measured) -> Iterator[tuple[str, int, int]]:
    """Yield every quantity that was both measured and predicted."""
    for key, real, ours in zip(Measured._fields, measured, predicted, strict=True):
        if real is not None and ours is not None:
            yield key, real, ours


def main() -> None:
    """Print every difference, and write the table after each model, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", default=str(BATCH), metavar="N,...")
    parser.add_argument("--limit", type=int, default=4_000_000_000, metavar="BYTES")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    done = read(options.output)
    chosen, known = (SETTINGS, names()) if options.device == "cpu" else (ON_CUDA, IMAGENET)
    batches = [int(batch) for batch in options.batch.split(",")]
    models = [model for model in options.models or known if model not in done]
    models.sort(key=lambda model: api.memory(model, SETTINGS["training"]).total_bytes)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for model in models:
            done[model] = pool.submit(compare, model, options.limit, chosen, batches).result()
            for row in done[model]:
                if row.get("note") or not agrees(row):
                    print(*(f"{key}={value}" for key, value in row.items()), flush=True)
            if options.output is not None:
                write(options.output, done)
    rows = [row for table in done.values() for row in table]
    run = [row for row in rows if not row.get("note")]
    judged = [row for row in run if options.device == "cpu" or row["quantity"] == TOTAL]
    how = "equal" if options.device == "cpu" else f"within {TOLERANCE:.0%}"
    agreed = sum(map(agrees, judged))
    said = f"{agreed} of {len(judged)} figures are {how}; {len(rows) - len(run)} settings not run"
    print(said, file=sys.stderr)


def read(path: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of an earlier run by model, but those of models that were not all run."""
    tables: dict[str, list[dict[str, Any]]] = {}
    if path is not None and path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                tables.setdefault(row["model"], []).append(row)
    return {m: rows for m, rows in tables.items() if not any(row["note"] for row in rows)}


def write(path: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write the rows, the models in the zoo's order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for model in names() for row in tables.get(model, []))


if __name__ == "__main__":
    main()
