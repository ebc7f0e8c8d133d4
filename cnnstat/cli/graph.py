"""``cnnstat graph MODEL``: the architecture as a drawing, repeated blocks once."""

from __future__ import annotations

from cnnstat.cli.optionblocks import Reading
from cnnstat.cli.options import OUTPUT, at_least_one, names_in, option, starting
from cnnstat.cli.output import file_of, write

OPTIONS = {
    "format": option(
        OUTPUT,
        "--format -f NAME",
        "dot, mermaid, svg, png or pdf.",
        "by the suffix of -o, else dot",
        starting(names_in("render.graph.formats", "FORMATS")),
    ),
}
EXAMPLES = ("cnnstat graph resnet50 --depth 1 -f mermaid", "cnnstat graph googlenet -o net.dot")


def graph(
    model: str,
    *,
    reading: Reading,
    depth: int | None = None,
    format: str | None = None,
    output: str | None = None,
) -> None:
    """Draw a model as DOT or Mermaid text, or as SVG, PNG or PDF (needs Graphviz)."""
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
    write(output, draw_graph(report, name, depth=at_least_one("depth", depth), title=title))
