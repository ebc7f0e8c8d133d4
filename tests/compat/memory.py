"""Hold predicted memory against what PyTorch takes, byte by byte, on every model of the zoo.

Run by hand: ``python tests/compat/memory.py -o samples/memory.csv``. Each model runs in a process
of its own under storage tracking (see ``cnnstat.backends.torch.memory``), for inference, training,
training under autocast and with recomputed blocks. What takes more than ``--limit`` is a
``Limitation`` of the machine, with the bytes that it would take. Models that the table has are not
run again, unless something was left out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnnstat import api
from cnnstat.engine.memory import Measured, Settings, settings
from cnnstat.zoo.catalog import names

BATCH = 2
"""One image would leave a batch norm over single elements without a variance."""

SETTINGS: dict[str, Settings] = {
    "inference": settings(),
    "inference-bfloat16": settings(amp="bfloat16"),
    "training": settings(mode="training", optimizer="adam"),
    "training-bfloat16": settings(mode="training", optimizer="momentum", amp="bfloat16"),
    "training-checkpoint": settings(mode="training", checkpoint=True),
}
COLUMNS = ("model", "setting", "batch", "torch", "quantity", "measured", "predicted", "note")


class Limitation(NamedTuple):
    """A difference that is known, or a model that is not run, and why."""

    reason: str


def compare(model: str, limit: int) -> list[dict[str, Any]]:
    """Return one row per quantity and setting of one model."""
    rows = []
    for name, chosen in SETTINGS.items():
        loaded = api.load(model)
        plan = api.memory(loaded, chosen, batch=BATCH)
        common = {"model": model, "setting": name, "batch": BATCH, "torch": torch.__version__}
        if plan.total_bytes > limit:
            reason = Limitation(f"not run: takes {plan.total_bytes} bytes, more than {limit}")
            rows.append(common | {"predicted": plan.total_bytes, "note": reason.reason})
            continue
        found, predicted = api.measured_memory(loaded, plan)
        for key, real, ours in quantities(found, predicted):
            rows.append(common | {"quantity": key, "measured": real, "predicted": ours})
    return rows


def quantities(found: Measured, predicted: Measured) -> Iterator[tuple[str, int, int]]:
    """Yield every quantity that was both measured and predicted."""
    for key, real, ours in zip(Measured._fields, found, predicted, strict=True):
        if real is not None and ours is not None:
            yield key, real, ours


def main() -> None:
    """Print every difference, and write the table after each model, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(names()))
    parser.add_argument("--limit", type=int, default=4_000_000_000, metavar="BYTES")
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    done = read(asked.output)
    models = [model for model in asked.models if model not in done]
    models.sort(key=lambda model: api.memory(model, SETTINGS["training"]).total_bytes)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for model in models:
            done[model] = pool.submit(compare, model, asked.limit).result()
            for row in done[model]:
                if row.get("note") or row["measured"] != row["predicted"]:
                    print(*(f"{key}={value}" for key, value in row.items()), flush=True)
            if asked.output is not None:
                write(asked.output, done)
    rows = [row for found in done.values() for row in found]
    run = [row for row in rows if not row.get("note")]
    equal = sum(str(row["measured"]) == str(row["predicted"]) for row in run)
    said = f"{equal} of {len(run)} figures are equal; {len(rows) - len(run)} settings not run"
    print(said, file=sys.stderr)


def read(path: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of an earlier run by model, but those of models that were not all run."""
    found: dict[str, list[dict[str, Any]]] = {}
    if path is not None and path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["model"], []).append(row)
    return {m: rows for m, rows in found.items() if not any(row["note"] for row in rows)}


def write(path: Path, found: dict[str, list[dict[str, Any]]]) -> None:
    """Write the rows, the models in the zoo's order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for model in names() for row in found.get(model, []))


if __name__ == "__main__":
    main()
