"""Text from files in every format: nothing reaches a terminal, a page or a spreadsheet raw."""

import csv
import io
import json
import re
from typing import Literal
from xml.etree import ElementTree

import pytest

from cnnstat import api
from cnnstat.api.model import Model, default_inputs
from cnnstat.ir.builder import Builder
from cnnstat.ops import Conv2d, Input, ReLU
from cnnstat.render.as_markdown import escape
from cnnstat.render.formats import FORMATS, render
from cnnstat.render.graph.formats import draw_graph
from cnnstat.render.safe_text import html_text, shown, spreadsheet_text

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\uffff]")
HOSTILE = (
    "\x1b]0;title\x07\x1b[31mred",
    "\x9b31mred",
    "back\x08space\rreturn",
    "two\nlines\tand a tab",
    "right \u202eto left",
    "separator\u2028",
    "not a character \uffff",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "]]>&amp;",
    "[link](http://example.com)",
    "`code` *bold* ~~struck~~ |cell|",
    "=1+1",
    "@SUM(A1)",
    "$\\frac{1",
    "%%{init: {'theme': 'dark'}}%%",
    "#quot;",
    "\\",
)


def model(name: str) -> Model:
    b = Builder(name)
    x = b.add("input", Input((3, 8, 8)))
    x = b.add(name, Conv2d(4, (3, 3)), x)
    graph = b.graph(b.add(f"block/{name}", ReLU(), x))
    return Model("net", default_inputs(graph), graph)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv1 é 畳み込み", "conv1 é 畳み込み"),
        ("\x1b[31m\x07", r"\x1b[31m\x07"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_text_shows_what_does_not_print_as_its_code(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert shown(expected) == expected


def test_formulas_become_text_and_signs_stay() -> None:
    assert [spreadsheet_text(t) for t in ("=1+1", "+1", "-2", "@A1", "+", "conv-1")] == [
        "'=1+1",
        "'+1",
        "'-2",
        "'@A1",
        "+",
        "conv-1",
    ]


def test_markdown_has_no_active_characters() -> None:
    assert escape("[a](b) `c` *d* _e_ <f> | ~g~") == (r"\[a\](b) \`c\` \*d\* \_e\_ &lt;f> \| \~g\~")
    assert escape("a&lt;b") == "a&amp;lt;b"


def test_html_is_well_formed() -> None:
    for name in HOSTILE:
        element = ElementTree.fromstring(f'<p title="{html_text(name)}">{html_text(name)}</p>')
        assert len(element) == 0
        assert "\\" in name or not element.text or "<" not in html_text(element.text)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_format_shows_a_name_raw(name: str, format: str) -> None:
    result = api.analyze(model(name))
    text = render(result.document(), format)
    assert not CONTROL.search(text)
    if format == "html":
        assert "<script>alert" not in text
        assert "<svg onload" not in text
    if format == "json":
        names = [layer["name"] for layer in json.loads(text)["layers"]]
        assert name in names
    if format == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert not any(cell[:1] in ("=", "@") for row in rows for cell in row)


@pytest.mark.parametrize("format", ["dot", "mermaid"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_drawing_holds_a_name_raw(name: str, format: Literal["dot", "mermaid"]) -> None:
    text = draw_graph(api.analyze(model(name)).report, format)
    assert isinstance(text, str)
    assert not CONTROL.search(text)
    assert "<script>" not in text.partition("\n")[2]  # DOT quotes the name of the graph
    assert format == "dot" or "%%" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_plots_of_any_name_are_well_formed(name: str) -> None:
    from cnnstat.render.plots.layers import layers_figure
    from cnnstat.render.plots.style import save

    root = ElementTree.fromstring(save(layers_figure(api.analyze(model(name)).report), "svg"))
    assert root.tag.endswith("svg")
