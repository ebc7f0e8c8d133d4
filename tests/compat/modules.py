"""Holds the module importer against torchvision's and timm's classification models.

For an environment that has both (no weights are fetched, modules are built on the meta device):

    python tests/compat/modules.py [-o samples/compat.csv] [--only SUBSTRING] [--jobs 2]

Each model: no crash; parameters and buffers equal to the module's own count; MACs equal to half of
FlopCounterMode's FLOPs, which misses nothing of these models as long as it counts on the meta
device (it has no rule for the fused attention of processors). Exits with 1 if any of that fails, or
if fewer than 95 of 100 models are complete.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version

PER_FAMILY = 4
"""Models of each of timm's model files, spread evenly over its names."""

COMPLETE_SHARE = 0.95


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    library: str
    version: str
    torch: str
    family: str
    model: str
    input: str = ""
    params: int = 0
    module_params: int = 0
    macs: int = 0
    torch_macs: int = 0
    status: str = ""
    unknown_operators: str = ""
    notes: str = ""
    verdict: str = ""


def models() -> list[Row]:
    """Return a row to be filled for every model to try."""
    import timm
    import torchvision

    torch = version("torch")
    rows = [
        Row("torchvision", version("torchvision"), torch, "classification", name)
        for name in torchvision.models.list_models(module=torchvision.models)
    ]
    for family in timm.list_modules():
        names = timm.list_models(module=family)
        count = min(PER_FAMILY, len(names))
        picked = sorted(
            {names[round(i * (len(names) - 1) / max(count - 1, 1))] for i in range(count)}
        )
        rows += [Row("timm", version("timm"), torch, family, name) for name in picked]
    return rows


def tried(row: Row) -> Row:
    """Return the row with everything measured; a crash becomes its verdict."""
    warnings.simplefilter("ignore")
    try:
        columns = _measured(row)
    except Exception as error:
        columns = {
            "verdict": f"crash: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        }
    return Row(**{**asdict(row), **columns})


def _measured(row: Row) -> dict[str, object]:
    from cnnstat import api
    from cnnstat.pytorch.capture.entrance import entrance
    from cnnstat.pytorch.capture.loading import load_module

    module = load_module(f"{row.library}:{row.model}")
    shape = entrance(module).completed(None)
    report = api.analyze(module, input=shape)
    unknown = sorted({n.message.split()[0] for n in report.notes if n.code == "no_rule"})
    own = sum(parameter.numel() for parameter in module.parameters())
    buffers = sum(
        buffer.numel()
        for name, buffer in module.named_buffers()
        if not name.endswith("num_batches_tracked")
    )
    counted = _flop_counter(row, shape)
    totals = report.totals
    wrong = []
    if totals.params != own:
        wrong.append(f"params differ by {totals.params - own:+,}")
    if totals.buffers != buffers:
        wrong.append(f"buffers differ by {totals.buffers - buffers:+,}")
    if totals.macs != counted:
        wrong.append(f"MACs differ by {totals.macs - counted:+,}")
    return {
        "input": "x".join(map(str, shape)),
        "params": totals.params,
        "module_params": own,
        "macs": totals.macs,
        "torch_macs": counted,
        "status": report.status,
        "unknown_operators": " ".join(unknown),
        "notes": " ".join(sorted({note.code for note in report.notes} - {"no_rule"})),
        "verdict": "; ".join(wrong) or "equal",
    }


def _flop_counter(row: Row, shape: tuple[int, ...]) -> int:
    """Return half of FlopCounterMode's count, on meta tensors, on real ones where that fails."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from cnnstat.pytorch.capture.loading import load_module

    def count(device: str) -> int:
        weights = device != "meta"
        module = load_module(f"{row.library}:{row.model}", weights=weights).requires_grad_(False)
        image = torch.zeros(1, *shape, device=next(module.parameters()).device)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module.eval()(image)
        flops = int(counter.get_total_flops())
        assert flops % 2 == 0
        return flops // 2

    try:
        return count("meta")
    except Exception:
        return count("cpu")


def main() -> int:
    """Try every model, print the failures and the summary, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    todo = [row for row in models() if options.only in f"{row.library}:{row.family}:{row.model}"]
    rows = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for row in pool.map(tried, todo):
            rows.append(row)
            if len(rows) % 20 == 0:
                print(f"{len(rows)}/{len(todo)}", file=sys.stderr, flush=True)
            if row.verdict != "equal" or row.status != "complete":
                print(
                    f"{row.library}:{row.model}: {row.verdict} {row.status} "
                    f"{row.unknown_operators}",
                    flush=True,
                )
    if options.output:
        with open(options.output, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
    equal = sum(row.verdict == "equal" for row in rows)
    complete = sum(row.status == "complete" for row in rows)
    print(f"{len(rows)} models, {equal} equal, {complete} complete ({complete / len(rows):.1%})")
    return 0 if equal == len(rows) and complete >= COMPLETE_SHARE * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
