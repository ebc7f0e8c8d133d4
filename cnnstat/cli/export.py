"""``cnnstat export MODEL --to yaml``: a model as a file that other programs read."""

from __future__ import annotations

import os
from typing import Annotated

from cnnstat.cli.blocks import Reading
from cnnstat.cli.options import OUTPUT, ModelArgument, OutputOption, option, starting
from cnnstat.errors import UsageError, unknown

EXPORTERS = ("yaml", "onnx")
"""Every format that a model can be exported to."""
EXAMPLES = ("cnnstat export vgg16 --to yaml -o vgg16.yaml", "cnnstat export lenet5 -o lenet5.onnx")


def export(
    model: ModelArgument,
    to: Annotated[
        str | None,
        option(
            "--to",
            group=OUTPUT,
            metavar="NAME",
            help="yaml or onnx.",
            default="by the suffix of -o, else yaml",
            complete=starting(lambda: EXPORTERS),
        ),
    ] = None,
    *,
    reading: Reading,
    opset: Annotated[
        int | None,
        option(
            "--opset",
            group=OUTPUT,
            metavar="N",
            help="ONNX: version of the operators, 18 to 23.",
            default="PyTorch's choice",
        ),
    ] = None,
    seed: Annotated[
        int,
        option(
            "--seed",
            group=OUTPUT,
            metavar="N",
            help="ONNX: seed of random weights; your own module keeps its weights.",
        ),
    ] = 0,
    output: OutputOption = None,
) -> None:
    """Export a model as a YAML spec or an ONNX file.

    An ONNX file has the inference form, with a dynamic batch if the model allows it.
    """
    from cnnstat import api
    from cnnstat.cli.output import file_of, remark, replacing, write_file, write_stdout

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

    written = write_shaped(reading.analyze(loaded).report.shaped)
    if output is not None:
        write_file(output, written)
    else:
        write_stdout(written)


def _chosen(to: str | None, output: str | None) -> str:
    suffix = os.path.splitext(output or "")[1].lower().lstrip(".")
    name = to or {"yml": "yaml"}.get(suffix, suffix) or "yaml"
    if name not in EXPORTERS:
        raise unknown("export format", name, EXPORTERS)
    return name
