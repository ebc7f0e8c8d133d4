"""Compare the work of a training step with FlopCounterMode, on every model of the zoo.

``python tests/compat/training.py -o samples/training.csv``. The modules are built by
``cnnstat.build`` on the meta device, in training mode: the counter sees the forward pass and the
backward pass from all outputs. Rows of models that are not counted again are kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import cnnstat
from cnnstat.api import load
from cnnstat.count.training import StepWork
from cnnstat.zoo.catalog import names

COLUMNS = (
    *("model", "forward_macs", "input_gradient_macs", "weight_gradient_macs", "training_macs"),
    *("torch_training_flops", "flop_counter", "difference"),
)


class Counted(NamedTuple):
    """FLOPs that the counter counts in the forward pass, and in both passes."""

    forward: int
    step: int


def counted(module: nn.Module, inputs: Mapping[str, Tensor]) -> Counted:
    """Return what FlopCounterMode counts of a forward pass and the backward pass after it."""
    with FlopCounterMode(display=False) as counter:
        result = module(*inputs.values())
        forward = counter.get_total_flops()
        tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        outputs = [tensor for tensor in tensors if tensor.requires_grad]
        if outputs:
            torch.autograd.backward(outputs, [torch.ones_like(tensor) for tensor in outputs])
    return Counted(forward, counter.get_total_flops())


def step_of(model: str | nn.Module, **arguments: object) -> StepWork:
    """Return cnnstat's own count."""
    training = cnnstat.analyze(model, mode="training", **arguments).report.training  # type: ignore[arg-type]
    assert training is not None
    assert training.is_complete
    return training.total


def row_of(model: str) -> dict[str, object]:
    """Return both counts of a model of the zoo."""
    specs = load(model).inputs
    module = cnnstat.build(model, device="meta").train()
    inputs = {
        name: torch.empty(spec.shape, dtype=getattr(torch, spec.dtype), device="meta")
        for name, spec in specs.items()
    }
    theirs, ours = counted(module, inputs).step, step_of(model)
    row = (model, *ours[:3], ours.macs, ours.flop_counter, theirs, ours.flop_counter - theirs)
    return dict(zip(COLUMNS, row, strict=True))


def main() -> int:
    """Print the models that differ, and write the table; return 1 if any does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(names()))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = {}
    for model in options.models:
        rows[model] = row_of(model)
        if rows[model]["difference"]:
            print(*(f"{key}={value}" for key, value in rows[model].items()))
    equal = sum(not row["difference"] for row in rows.values())
    print(f"{equal} of {len(rows)} models are equal", file=sys.stderr)
    if options.output is not None:
        write(options.output, rows)
    return int(equal < len(rows))


def write(path: Path, rows: dict[str, dict[str, object]]) -> None:
    """Write the table in the order of the zoo, with the rows that the file has of other models."""
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            rows = {row["model"]: row for row in csv.DictReader(file)} | rows
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([rows[name] for name in names() if name in rows])


if __name__ == "__main__":
    sys.exit(main())
