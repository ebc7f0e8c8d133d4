"""``cnnstat graph MODEL``: the architecture drawn, repeated blocks once."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    ClassesOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    at_least_one,
    factory_arguments,
    input_shapes,
)


def complete_drawing(incomplete: str) -> list[str]:
    """Return the formats of drawings that begin so."""
    from cnnstat.render.graph.formats import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


def graph(
    model: ModelArgument,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            "-d",
            metavar="N",
            help="One box for each module below this level.",
            show_default=False,
        ),
    ] = None,
    input: InputsOption = None,
    batch: BatchOption = 1,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="dot, mermaid, svg, png or pdf; without it the suffix of -o chooses.",
            autocompletion=complete_drawing,
            show_default=False,
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Draw a model: Graphviz DOT or Mermaid text, SVG, PNG and PDF where Graphviz is installed."""
    from cnnstat import api
    from cnnstat.cli.output import file_of, write_file, write_stdout
    from cnnstat.render.graph.formats import choose_format, draw_graph

    output = file_of(output)
    name = choose_format(format, output)
    if name in ("svg", "png", "pdf"):
        from cnnstat.render.graph.graphviz import require_graphviz

        require_graphviz()
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch).report
    title = loaded.card.title if loaded.card else ""
    drawn = draw_graph(report, name, depth=at_least_one("depth", depth), title=title)
    if output is not None:
        write_file(output, drawn)
    else:
        write_stdout(drawn if isinstance(drawn, str) else drawn.decode())
