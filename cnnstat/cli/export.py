"""``cnnstat export MODEL --to yaml``: a model as a file that other programs read."""

from __future__ import annotations

import os

from cnnstat.cli.optionblocks import Reading
from cnnstat.cli.options import OUTPUT, option, starting
from cnnstat.cli.output import file_of, remark, replacing, write
from cnnstat.errors import UsageError, unknown

EXPORTERS = ("yaml", "onnx")
"""Every format that a model can be exported to."""
OPTIONS = {
    "to": option(
        OUTPUT,
        "--to NAME",
        "yaml or onnx.",
        "by the suffix of -o, else yaml",
        starting(lambda: EXPORTERS),
    ),
    "opset": option(
        OUTPUT, "--opset N", "ONNX: version of the operators, 18 to 23.", "PyTorch's choice"
    ),
    "seed": option(
        OUTPUT, "--seed N", "ONNX: seed of random weights; your own module keeps its weights."
    ),
}
EXAMPLES = ("cnnstat export vgg16 --to yaml -o vgg16.yaml", "cnnstat export lenet5 -o lenet5.onnx")


def export(
    model: str,
    to: str | None = None,
    *,
    reading: Reading,
    opset: int | None = None,
    seed: int = 0,
    output: str | None = None,
) -> None:
    """Export a model as a YAML spec or an ONNX file.

    An ONNX file has the inference form, with a dynamic batch if the model allows it.
    """
    from cnnstat import api

    output = file_of(output)
    name = _chosen(to, output)
    if name == "onnx" and output is None:
        raise UsageError("an ONNX file is binary: name a file with -o")
    if name != "onnx" and opset is not None:
        raise UsageError(f"--opset is for ONNX files, not for {name}")
    loaded = reading.load(model)
    loaded.require_forward()
    if name == "onnx" and output is not None:
        exported = api.export_onnx(loaded, **reading.entering(), opset=opset, seed=seed)
        with replacing(output) as part:
            exported.save(part)
        for note in exported.notes:
            remark(f"{exported.name}: {note}")
        return
    from cnnstat.importers.spec.writing import write_shaped

    write(output, write_shaped(reading.analyze(loaded).report.shaped))


def _chosen(to: str | None, output: str | None) -> str:
    suffix = os.path.splitext(output or "")[1].lower().lstrip(".")
    name = to or {"yml": "yaml"}.get(suffix, suffix) or "yaml"
    if name not in EXPORTERS:
        raise unknown("export format", name, EXPORTERS)
    return name
