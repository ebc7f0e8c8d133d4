"""``cnnstat graph MODEL``: the architecture as a drawing, repeated blocks once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from cnnstat.cli.blocks import Reading
from cnnstat.cli.options import (
    OUTPUT,
    DepthOption,
    ModelArgument,
    OutputOption,
    at_least_one,
    option,
    starting,
)

EXAMPLES = ("cnnstat graph resnet50 --depth 1 -f mermaid", "cnnstat graph googlenet -o net.dot")


def _formats() -> Iterable[str]:
    from cnnstat.render.graph.formats import FORMATS

    return FORMATS


def graph(
    model: ModelArgument,
    *,
    reading: Reading,
    depth: DepthOption = None,
    format: Annotated[
        str | None,
        option(
            *("--format", "-f"),
            group=OUTPUT,
            metavar="NAME",
            help="dot, mermaid, svg, png or pdf.",
            default="by the suffix of -o, else dot",
            complete=starting(_formats),
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Draw a model as DOT or Mermaid text, or as SVG, PNG or PDF (needs Graphviz)."""
    from cnnstat.cli.output import file_of, write_file, write_stdout
    from cnnstat.render.graph.formats import choose_format, draw_graph

    output = file_of(output)
    name = choose_format(format, output)
    if name in ("svg", "png", "pdf"):
        from cnnstat.render.graph.graphviz import require_graphviz

        require_graphviz()
    loaded = reading.load(model)
    loaded.require_forward()
    report = reading.analyze(loaded).report
    title = loaded.card.title if loaded.card else ""
    drawn = draw_graph(report, name, depth=at_least_one("depth", depth), title=title)
    if output is not None:
        write_file(output, drawn)
    else:
        write_stdout(drawn if isinstance(drawn, str) else drawn.decode())
