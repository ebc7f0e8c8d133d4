"""Compare every convention with the tool that it reproduces, on every model of the zoo.

Run by hand where torchinfo, thop or ptflops are installed; they are no dependency of cnnstat:
``python tests/compat/peers.py -o samples/peers.csv``. Rows that are not counted again are kept, so
that two versions of one tool can be run one after the other. The modules are built by
``cnnstat.build``, most on the meta device: no weights, no arithmetic, the same counts. All tools
look at the inference form, so what runs in training alone is left out. One model differs: thop and
ptflops know modules by their exact class and pass over the transposed convolutions of zfnet-deconv,
which take their size from a second input.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import cnnstat
from cnnstat.api import load
from cnnstat.count.conventions import CONVENTIONS
from cnnstat.ir.tensor import TensorSpec
from cnnstat.zoo.catalog import names

Count = Callable[[nn.Module, torch.Tensor], int]
COLUMNS = ("model", "convention", "version", "tool", "cnnstat", "difference")


def torchinfo_count(module: nn.Module, x: torch.Tensor) -> int:
    """Return torchinfo's mult-adds."""
    from torchinfo import summary

    return int(summary(module, input_data=x, verbose=0, device=x.device).total_mult_adds)


def thop_count(module: nn.Module, x: torch.Tensor) -> int:
    """Return thop's count."""
    from thop import profile

    return int(profile(module, inputs=(x,), verbose=False)[0])


def ptflops_count(backend: str) -> Count:
    """Return the counter of one backend of ptflops."""

    def count(module: nn.Module, x: torch.Tensor) -> int:
        from ptflops import get_model_complexity_info

        operations, _ = get_model_complexity_info(
            module,
            tuple(x.shape[1:]),
            as_strings=False,
            print_per_layer_stat=False,
            backend=backend,
        )
        if operations is None:
            raise RuntimeError("ptflops failed")
        return int(operations)

    return count


class Tool(NamedTuple):
    """One convention, the package it is read from, how to ask it, and on which device."""

    convention: str
    package: str
    ask: Count
    device: str = "meta"


TOOLS = (
    Tool("torchinfo", "torchinfo", torchinfo_count),
    Tool("thop", "thop", thop_count),
    # this backend watches torch's Python functions, of which the meta device calls some of its own
    Tool("ptflops", "ptflops", ptflops_count("pytorch"), "cpu"),
    Tool("ptflops-aten", "ptflops", ptflops_count("aten")),
)


def installed() -> Iterator[tuple[Tool, str]]:
    """Yield each tool that is installed, with its version."""
    for tool in TOOLS:
        try:
            installed_version = version(tool.package)
        except PackageNotFoundError:
            continue
        old = tool.package == "thop" and installed_version < "0.1"
        yield tool._replace(convention="thop-2021") if old else tool, installed_version


def compare(model: str) -> Iterator[dict[str, Any]]:
    """Yield one row per installed tool."""
    inputs = load(model).inputs
    spec: TensorSpec = next(iter(inputs.values()))
    for tool, tool_version in installed():
        module = cnnstat.build(model, device=tool.device).eval()
        theirs = tool.ask(module, torch.empty(spec.shape, device=tool.device))
        report = cnnstat.analyze(model, convention=tool.convention).report
        pairs = zip(report.nodes, report.shaped.nodes, strict=True)
        ours = sum(figures.counted for figures, node in pairs if not node.training_only)
        row = (model, tool.convention, tool_version, theirs, ours, ours - theirs)
        yield dict(zip(COLUMNS, row, strict=True))


def main() -> None:
    """Print the models where they differ, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(names()))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for model in options.models:
        for row in compare(model):
            rows.append(row)
            if row["difference"]:
                print(*(f"{key}={value}" for key, value in row.items()))
    tools = sorted({row["convention"] for row in rows})
    equal = sum(not row["difference"] for row in rows)
    print(f"{equal} of {len(rows)} counts are equal ({', '.join(tools)})", file=sys.stderr)
    if options.output is None:
        return
    done = {(row["model"], row["convention"]) for row in rows}
    if options.output.exists():
        with options.output.open(encoding="utf-8", newline="") as file:
            before = list(csv.DictReader(file))
        rows += [row for row in before if (row["model"], row["convention"]) not in done]
    order = {name: place for place, name in enumerate(names())}
    rows = [row for row in rows if row["model"] in order]
    rows.sort(key=lambda row: (list(CONVENTIONS).index(row["convention"]), order[row["model"]]))
    with options.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
