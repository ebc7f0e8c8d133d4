"""Compare the models of keras.applications with Keras itself and with FlopCounterMode.

Run by hand where keras and PyTorch are installed:
``python tests/compat/keras_models.py -o samples/keras.csv``. Every model runs in a process of its
own, on Keras' PyTorch backend; the table goes on where it ends. Keras refuses to build NASNetMobile
on PyTorch: its check of the backend's name is lifted, and the column ``limitation`` says so.
Parameters and buffers together must equal ``count_params()``, parameters alone its trainable part,
the shape of each row that of its layer, MACs half of what FlopCounterMode counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any
from unittest import mock

COLUMNS = (
    "model",
    "input",
    "params",
    "keras_params",
    "buffers",
    "keras_total",
    "shapes_equal",
    "layers",
    "macs",
    "counted_macs",
    "status",
    "equal",
    "limitation",
)


def measure(name: str) -> dict[str, Any]:
    """Return one row of the table, measured in this process."""
    import keras

    import cnnstat

    with keras.device("meta"):  # variables without contents: initialising them takes minutes
        model, limitation = built(keras, name)
    shape = tuple(extent or 224 for extent in model.inputs[0].shape[1:])
    report = cnnstat.analyze(model, input=shape)
    totals = report.totals
    trainable = sum(prod(w.shape) for w in model.trainable_variables)
    rows = {layer.name: layer.output.shape for layer in report.layers}
    shapes = [
        tuple(layer.output.shape[1:]) == rows[layer.name][1:]
        for layer in model.layers
        if layer.name in rows and None not in layer.output.shape[1:]
    ]
    counted = counted_macs(model, shape)
    equal = (
        report.status == "complete"
        and totals.params == trainable
        and totals.params + totals.buffers == model.count_params()
        and all(shapes)
        and counted == totals.macs
    )
    return {
        "model": name,
        "input": "x".join(map(str, shape)),
        "params": totals.params,
        "keras_params": trainable,
        "buffers": totals.buffers,
        "keras_total": model.count_params(),
        "shapes_equal": all(shapes),
        "layers": len(shapes),
        "macs": totals.macs,
        "counted_macs": counted,
        "status": report.status,
        "equal": equal,
        "limitation": limitation,
    }


def built(keras: Any, name: str) -> tuple[Any, str]:
    """Return a model of keras.applications, and what had to be done for it."""
    build = getattr(keras.applications, name)
    try:
        return build(weights=None), ""
    except ValueError as error:
        if "torch backend" not in str(error):
            raise
    with mock.patch(f"{build.__module__}.backend.backend", return_value="jax"):
        model = build(weights=None)
    return model, "Keras refuses PyTorch for it: built with that check lifted"


def counted_macs(model: Any, shape: tuple[int, ...]) -> int:
    """Return half of what FlopCounterMode counts of a forward pass, which computes nothing."""
    import keras
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with keras.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *shape, device="meta"), training=False)
    return int(counter.get_total_flops()) // 2


def models() -> list[str]:
    """Return the names of all models, in a process that does not keep Keras."""
    code = (
        "import keras; print(*[n for n in dir(keras.applications) "
        "if n[:1].isupper() and callable(getattr(keras.applications, n))])"
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.split()


def row(name: str) -> dict[str, Any]:
    """Return one row, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )
    if done.returncode == 0:
        measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return measured
    said = (done.stderr.strip().splitlines() or ["?"])[-1]
    return {"model": name, "status": "crash", "equal": False, "limitation": said[:120]}


def main() -> int:
    """Write the table; 1 where a row is not equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--measure")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return 0
    rows = []
    if options.output and options.output.exists():
        with options.output.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    done = {each["model"] for each in rows}
    for name in options.names or models():
        if name in done:
            continue
        rows.append(row(name))
        print(*rows[-1].values(), flush=True)
        if options.output:
            write(options.output, rows)
    return 0 if all(str(each["equal"]) == "True" for each in rows) else 1


def write(output: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows so far."""
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
