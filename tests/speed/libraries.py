"""Models of other people's libraries: cnnstat's summary against torchinfo's, in paired processes.

Run by hand in the environment of ``tests/compat/libraries.py``, with torchinfo beside it:

    python tests/speed/libraries.py -o samples/libraries_speed.csv [--pairs N] [--only SUBSTRING]

Each process imports the library, builds the module and prints the table of one tool. ``seconds``
and ``peak_bytes`` (the largest resident set) are those of the whole process; ``own_seconds`` run
from the module to the printed table, the import of the tool included. Ratios are medians over
interleaved pairs. A second run goes on where the table ends.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "compat"))

COLUMNS = (
    *("library", "model", "pairs", "cnnstat_seconds", "torchinfo_seconds", "time_ratio"),
    *("cnnstat_own_seconds", "torchinfo_own_seconds", "own_time_ratio"),
    *("cnnstat_peak_bytes", "torchinfo_peak_bytes", "memory_ratio", "notes"),
)
MODELS = {
    "torchvision": (
        *("alexnet", "vgg16", "resnet50", "densenet121", "mobilenet_v3_large", "googlenet"),
        *("efficientnet_b0", "convnext_tiny", "swin_t", "vit_b_16", "regnet_y_400mf"),
        *("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "r3d_18", "raft_small"),
        *("fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"),
    ),
    "timm": ("deit_tiny_patch16_224", "hrnet_w18_small", "mobilevit_xxs", "repvgg_a0"),
    "ultralytics": ("yolov8n", "yolo11n-seg"),
    "segmentation-models-pytorch": ("Unet resnet18", "Segformer mit_b0"),
    "transformers": ("BertModel", "ViTModel"),
    "diffusers": ("UNet2DModel", "AutoencoderKL"),
    "open_clip_torch": ("ViT-B-32",),
    "monai": ("UNet", "DenseNet121"),
}
TOOLS = ("cnnstat", "torchinfo")


def child(tool: str, library: str, model: str) -> None:
    """Print one tool's table of one model, and the seconds that it took to standard error."""
    recipes = import_module("libraries").LIBRARIES[library][1]()
    module, arguments = next(recipe for _, name, recipe in recipes if name == model)()
    module.eval()
    start = time.perf_counter()
    if tool == "cnnstat":
        import cnnstat
        from cnnstat.render.formats import render

        print(render(cnnstat.analyze(module, example=arguments).document(), "table"))
    else:
        import torchinfo

        torchinfo.summary(
            module, input_data=arguments, depth=99, verbose=1, device="cpu", mode="eval"
        )
    print(json.dumps(time.perf_counter() - start), file=sys.stderr)


class Run(NamedTuple):
    """One process from start to end."""

    seconds: float
    own_seconds: float
    peak_bytes: int


def run(tool: str, library: str, model: str) -> Run | str:
    """Return what one process took, or the last line of its error."""
    command = [sys.executable, __file__, "--child", tool, library, model]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return f"{tool} failed: {lines[-1][:160] if lines else process.returncode}"
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(time.perf_counter() - start, json.loads(lines[-1]), peak)


def compared(library: str, model: str, pairs: int) -> dict[str, Any]:
    """Return the row of one model."""
    runs: dict[str, list[Run]] = {tool: [] for tool in TOOLS}
    for pair in range(pairs):
        for tool in TOOLS if pair % 2 else reversed(TOOLS):
            measured = run(tool, library, model)
            if isinstance(measured, str):
                return {"library": library, "model": model, "pairs": pair, "notes": measured}
            runs[tool].append(measured)
    row: dict[str, Any] = {"library": library, "model": model, "pairs": pairs}
    kinds = (("seconds", "time_ratio"), ("own_seconds", "own_time_ratio"))
    for kind, ratio in (*kinds, ("peak_bytes", "memory_ratio")):
        values = {tool: [getattr(each, kind) for each in runs[tool]] for tool in TOOLS}
        for tool in TOOLS:
            row[f"{tool}_{kind}"] = round(median(values[tool]), 2)
        pairs_of = zip(*values.values(), strict=True)
        row[ratio] = f"{median(ours / theirs for ours, theirs in pairs_of):.2f}"
    return row


def main() -> None:
    """Measure what the table lacks, and write it after each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    rows: list[dict[str, Any]] = []
    if options.output and options.output.exists():
        with options.output.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    done = {(row["library"], row["model"]) for row in rows}
    for library, models in MODELS.items():
        for model in models:
            if (library, model) in done or options.only not in f"{library}:{model}":
                continue
            rows.append(compared(library, model, options.pairs))
            print(*rows[-1].values(), flush=True)
            if options.output:
                with options.output.open("w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)


if __name__ == "__main__":
    main()
