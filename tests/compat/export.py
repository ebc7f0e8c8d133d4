"""Export every model of the zoo to ONNX, run the file in ONNX Runtime and read it back.

Run by hand: ``python tests/compat/export.py -o samples/export.csv``. Each model is exported with
drawn weights in a process of its own. The outputs for two images, auxiliary heads included, must
equal PyTorch's within float rounding, and the file must read back with the model's own parameters,
buffers and MACs. Models that are equal in the table already are not run again.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cnnstat import api
from cnnstat.zoo.catalog import names

COLUMNS = (
    *("model", "torch", "onnxruntime", "file_bytes", "outputs", "largest_difference"),
    *(
        "params",
        "params_read",
        "buffers",
        "buffers_read",
        "macs",
        "macs_read",
        "seconds",
        "verdict",
    ),
)
ROUNDING = 1e-4
"""Largest difference of an output relative to its largest element: float32 rounds at 6e-8, and many
layers make more of it (1e-5 in vgg16-bn, whose drawn weights let the activations grow)."""
COUNTS = ("params", "buffers", "macs")


def exported(model: str) -> dict[str, Any]:
    """Return the row of one model; an error becomes its verdict."""
    start = time.perf_counter()
    row = {"model": model, "torch": version("torch"), "onnxruntime": version("onnxruntime")}
    try:
        with tempfile.TemporaryDirectory() as folder:
            measured = _measured(model, f"{folder}/net.onnx")
    except Exception as error:
        measured = {"verdict": f"error: {type(error).__name__}: {' '.join(str(error).split())}"}
    return {**row, **measured, "seconds": f"{time.perf_counter() - start:.1f}"}


def _measured(model: str, path: str) -> dict[str, Any]:
    loaded = api.load(model)
    written = api.export_onnx(loaded)
    written.save(path)
    report, read = api.analyze(loaded).report, api.analyze(path).report
    counts: dict[str, int] = {}
    for key in COUNTS:
        counts |= {key: getattr(report.totals, key), f"{key}_read": getattr(read.totals, key)}
    differences = _differences(written.module, path, report.input.shape)
    wrong = [f"{key} differ" for key in COUNTS if counts[key] != counts[f"{key}_read"]]
    if max(differences) > ROUNDING:
        wrong.append("outputs differ")
    if read.status != "complete":
        wrong.append("read back as partial")
    if written.notes:
        wrong += written.notes
    return {
        **counts,
        "file_bytes": Path(path).stat().st_size,
        "outputs": len(differences),
        "largest_difference": f"{max(differences):.1e}",
        "verdict": "; ".join(wrong) or "equal",
    }


def _differences(module: Any, path: str, shape: tuple[int, ...]) -> list[float]:
    """Return the largest difference of each output, relative to its largest element."""
    import onnxruntime
    import torch

    x = torch.randn(2, *shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module(x)
    expected = expected if isinstance(expected, tuple) else (expected,)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    computed = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    differences = []
    for one, other in zip(computed, expected, strict=True):
        if one.shape != tuple(other.shape):
            raise ValueError(f"an output of shape {one.shape} instead of {tuple(other.shape)}")
        off = (
            torch.from_numpy(one).double() - other.double()
        ).abs().max() / other.double().abs().max()
        differences.append(off.item())
    return differences


def main() -> int:
    """Export the models that the table lacks; exit with 1 if any is not equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = read_table(options.output)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for model in options.models or names():
            if rows.get(model, {}).get("verdict") == "equal":
                continue
            rows[model] = pool.submit(exported, model).result()
            print(model, rows[model]["seconds"], rows[model]["verdict"], flush=True)
            if options.output is not None:
                write_table(options.output, rows)
    equal = sum(row["verdict"] == "equal" for row in rows.values())
    print(f"{equal} of {len(rows)} models are equal", file=sys.stderr)
    return 0 if equal == len(rows) else 1


def read_table(path: Path | None) -> dict[str, Mapping[str, Any]]:
    """Return the rows of an earlier run by model."""
    if path is None or not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def write_table(path: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the rows, the models in the zoo's order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[model] for model in names() if model in rows)


if __name__ == "__main__":
    sys.exit(main())
