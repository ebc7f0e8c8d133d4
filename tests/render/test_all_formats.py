"""Every format of every command has the same values: each read back and compared with the document.

A command that writes a document has a line in ``CASES``; one that does not is in ``NO_TABLE``.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cnnstat.cli.app import COMMANDS, run
from cnnstat.cli.output import Destination
from cnnstat.render.as_csv import raw
from cnnstat.render.cells import grid
from cnnstat.render.document import Cell, Document
from cnnstat.render.formats import FORMATS, render, table_alone
from tests.render.test_html import Page
from tests.render.test_latex import compiled, needs_pdflatex

CASES: dict[str, tuple[str, ...]] = {
    "summary": (
        "summary lenet5",
        "summary googlenet --top 4 -c all",
        "summary lenet5 --mode training --device t4 -c all",
        "summary vgg11 --formulas",
    ),
    "list": ("list --family resnet",),
    "compare": (
        "compare",
        "compare alexnet googlenet --baseline alexnet",
        "compare resnet18 -i 64,128 --sort macs",
        "compare resnet18 resnet34-a --stages",
        "compare inception-naive inception-bottleneck --diff",
    ),
    "sweep": ("sweep resnet{depth} depth=18,34",),
    "claims": ("claims googlenet",),
    "info": ("info lenet5",),
    "explain": ("explain vgg16 conv1_1",),
    "check": ("check lenet5",),
    "memory": ("memory lenet5", "memory resnet18 --mode training"),
    "fit": ("fit lenet5 --memory 1GB",),
    "roofline": ("roofline lenet5 --device t4", "roofline vgg11 --device t4 --top 3"),
    "bench": ("bench lenet5 --device cpu --min-time 0.01 --max-time 0.05",),
}
NO_TABLE = {
    "graph": "writes a drawing",
    "plot": "writes pictures",
    "report": "writes one page",
    "export": "writes the model itself",
}


def test_every_command_is_here() -> None:
    assert set(COMMANDS) <= CASES.keys() | NO_TABLE.keys()


def test_every_format_is_read_back() -> None:
    assert set(FORMATS) == {"table", "json", "csv", "md", "html", "latex"}


@pytest.fixture(
    scope="module",
    params=[case for name, cases in CASES.items() if name in COMMANDS for case in cases],
)
def document(request: pytest.FixtureRequest) -> Document:
    """Return the document that a command line hands to its output."""
    documents: list[Document] = []

    def keep(document: Document, to: Destination) -> None:
        documents.append(document)

    name = request.param.split()[0]
    command = import_module(f"cnnstat.cli.{'listing' if name == 'list' else name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "emit", keep)
        assert run(request.param.split()) == 0
    assert len(documents) == 1
    return documents[0]


def _rows(document: Document) -> list[tuple[Cell, ...]]:
    return [*document.rows, *([] if document.rest is None else [document.rest])]


def _texts(document: Document) -> list[list[str]]:
    return [list(row) for row in grid(document).rows]


def test_csv_has_the_raw_values(document: Document) -> None:
    read = list(csv.reader(io.StringIO(render(document, "csv"))))
    assert read[0] == [column.key for column in document.columns]
    assert read[1:] == [[raw(cell) for cell in row] for row in _rows(document)]


def test_html_has_the_raw_values_and_their_text(document: Document) -> None:
    page = Page(render(document, "html"))
    total = [] if document.total is None else [document.total]
    assert page.values[1:] == [[raw(c) for c in row] for row in [*_rows(document), *total]]
    shown = page.texts[1 : 1 + len(_rows(document))]
    assert shown == _texts(document)


def test_markdown_has_the_text_of_every_cell(document: Document) -> None:
    lines = [line for line in render(document, "md").splitlines() if line.startswith("|")]
    cells = [_unescaped(line) for line in lines]
    assert cells[0] == [" ".join(title.split()) for title in grid(document).titles]
    body = cells[2 : 2 + len(_rows(document))]
    assert body == [[" ".join(text.split()) for text in row] for row in _texts(document)]


def _unescaped(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [
        " ".join(re.sub(r"\\(.)", r"\1", cell).replace("&lt;", "<").replace("&amp;", "&").split())
        for cell in cells
    ]


LATEX = {
    r"\allowbreak{}": "",
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textasciigrave{}": "`",
    r"$\times$": "x",
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "-{}-": "--",
    "''": '"',
}


def test_latex_has_the_text_of_every_cell_and_a_dash_for_a_missing_one(document: Document) -> None:
    text = render(document, "latex")
    inside = text.split("\\midrule\n")[1].split("\\bottomrule")[0]
    read = [line.removesuffix(r" \\") for line in inside.splitlines()]
    assert len(read) == len(_rows(document))
    for line, values, row in zip(read, _rows(document), _texts(document), strict=True):
        cells = re.split(r"(?<!\\)&", line)
        for cell, value, shown in zip(cells, values, row, strict=True):
            for command, character in LATEX.items():
                cell = cell.replace(command, character)
            plain = re.sub(r"\\([{}$&%#_])", r"\1", cell).strip()
            assert plain == ("--" if value is None else " ".join(shown.split()))


@needs_pdflatex
def test_latex_compiles_in_two_columns_whole_and_bare(document: Document, tmp_path: Path) -> None:
    both = render(document, "latex"), render(table_alone(document), "latex")
    compiled("\n\n".join(both), tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_bare_is_the_table_alone(document: Document, format: str) -> None:
    alone = render(table_alone(document), format)
    if format == "json":
        payload = json.loads(alone)
        keys = [column.key for column in document.columns]
        assert list(payload) == ["schema", "rows"]
        assert [list(row) for row in payload["rows"]] == [keys] * len(document.rows)
        return
    whole = render(document, format)
    assert len(alone) <= len(whole)
    for line in alone.splitlines():
        assert re.sub(r' aria-sort="none"|</?button[^>]*>', "", line) in re.sub(
            r' aria-sort="none"|</?button[^>]*>', "", whole
        )
    lines = alone.splitlines()
    assert not {document.title, f"# {document.title}", f"% {document.title}"} & set(lines)
    assert not {section.title for section in document.sections} & set(lines)


def test_the_table_has_the_text_of_every_cell(document: Document) -> None:
    lines = [" ".join(line.split()) for line in render(document, "table").splitlines()]
    start = next(index for index, line in enumerate(lines) if set(line) == {"─"}) + 1
    above: list[str] = []
    for line, row in zip(lines[start:], _texts(document), strict=False):
        position = 0
        for index, text in enumerate(row):
            words = " ".join(text.split())
            if document.columns[index].group and above and above[index] == text:
                continue
            place = line.find(words, position)
            assert place >= 0, f"{words!r} is not in {line[position:]!r}"
            position = place + len(words)
        above = row


def test_json_has_every_number(document: Document) -> None:
    payload = json.loads(render(document, "json"))
    numbers = set(_numbers(payload))
    missing = {
        (column.key, cell)
        for row in document.rows
        for column, cell in zip(document.columns, row, strict=True)
        if isinstance(cell, int | float) and not column.key.endswith("_share")
        if cell not in numbers
    }
    assert not missing
    assert str(payload["schema"]).startswith("cnnstat.")


def _numbers(value: object) -> Iterator[int | float]:
    """Yield every number, and how long each list is: a column may count what JSON lists."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        yield len(value)
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value
