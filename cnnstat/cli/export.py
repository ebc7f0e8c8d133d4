"""``cnnstat export MODEL --to yaml``: a model as a file that other programs read."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

from cnnstat.cli.options import (
    OUTPUT,
    ArgsOption,
    BatchOption,
    ClassesOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    factory_arguments,
    input_shapes,
    option,
    starting,
)
from cnnstat.errors import UsageError, unknown

EXPORTERS: dict[str, str] = {
    "yaml": "cnnstat.importers.spec.writing:write_shaped",
    "onnx": "cnnstat.importers.onnx.writing:onnx_blocks",
}
"""Every format by name: the function that turns a shaped graph into text, bytes or blocks of them.
"""

WEIGHTS = ("random", "none")
"""What an ONNX file can hold as weights."""
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
    input: InputsOption = None,
    batch: BatchOption = 1,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    weights: Annotated[
        str | None,
        option(
            "--weights",
            group=OUTPUT,
            metavar="NAME",
            help="Weights of an ONNX file: random (as He et al. 2015 draw them) or none.",
            default="random",
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Export a model as a YAML spec or an ONNX file."""
    from cnnstat import api
    from cnnstat.cli.output import file_of, write_file, write_stdout

    output = file_of(output)
    name = _chosen(to, output)
    said = _weights(name, weights)
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch).report
    written = _exporter(name)(report.shaped, **said)
    if output is not None:
        write_file(output, written)
    elif isinstance(written, str):
        write_stdout(written)
    else:
        raise UsageError(f"{name} is no text: name a file with -o")


def _chosen(to: str | None, output: str | None) -> str:
    suffix = os.path.splitext(output or "")[1].lower().lstrip(".")
    name = to or {"yml": "yaml"}.get(suffix, suffix) or "yaml"
    if name not in EXPORTERS:
        raise unknown("export format", name, EXPORTERS)
    return name


def _weights(name: str, weights: str | None) -> dict[str, str]:
    if weights is None:
        return {}
    if name != "onnx":
        raise UsageError(f"--weights is for ONNX files: {name} holds none")
    if weights not in WEIGHTS:
        raise unknown("weights", weights, WEIGHTS)
    return {"weights": weights}


def _exporter(name: str) -> Callable[..., Any]:
    module, function = EXPORTERS[name].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
