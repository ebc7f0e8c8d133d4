"""``cnnstat report`` through the real command line: values, gaps that are said, mistakes."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat
from tests.render.test_html import Page

SAMPLE = Path(__file__).parents[2] / "samples" / "report.html"
SAMPLE_COMMAND = ("report", "lenet5", "alexnet", "-o")


class Report(Page):
    """A page with the rows of each block's table and the text of each block by its link."""

    def __init__(self, text: str) -> None:
        self.place = ""
        self.tables: dict[str, list[list[str]]] = {}
        self.blocks: dict[str, str] = {}
        super().__init__(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "h3":
            self.place = str(dict(attrs)["id"])
            self.blocks[self.place] = ""
        if tag == "tr" and "tbody" in self.open:
            self.tables.setdefault(self.place, []).append(self.values[-1])

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self.place:
            self.blocks[self.place] += data


def made(cnnstat: Cnnstat, *args: str) -> Report:
    result = cnnstat("report", *args, "-o", "-")
    assert result.code == 0, result.err
    return Report(result.out)


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def no_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def tables_only(no_matplotlib: None, no_graphviz: None) -> None:
    """Leave out what takes time and has no bearing on tables."""


def test_every_part_of_one_model_is_there(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "lenet5")
    titles = ("card", "layers", "drawing", "plots", "published-figures")
    assert list(page.blocks) == [f"lenet5.{title}" for title in titles]
    assert page.plain.count("Side by side") == 0
    paper = next(row[1] for row in page.tables["lenet5.card"] if row[0] == "paper")
    assert "Gradient-Based Learning Applied to Document Recognition" in paper


def test_several_models_stand_side_by_side_first(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "lenet5", "alexnet")
    assert list(page.blocks)[:3] == [
        "comparison.side-by-side",
        "comparison.accuracy-over-work",
        "lenet5.card",
    ]
    assert "alexnet.published-figures" in page.blocks


@pytest.mark.usefixtures("tables_only")
def test_the_layers_are_those_of_the_summary(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "lenet5", "alexnet", "--batch", "2")
    keys = ("weights", "biases", "params", "activation_bytes", "macs", "flops")
    for model in ("lenet5", "alexnet"):
        layers = json.loads(cnnstat("summary", model, "-b", "2", "-f", "json").out)["layers"]
        rows = page.tables[f"{model}.layers"]
        assert [row[0] for row in rows] == [layer["name"] for layer in layers]
        assert [[int(row[place]) for place in (6, 7, 1, 3, 2, 8)] for row in rows] == [
            [layer[key] for key in keys] for layer in layers
        ]
    # conv1 of alexnet: 96 filters of 11*11*3 and a bias each
    conv1 = next(row for row in page.tables["alexnet.layers"] if row[0] == "conv1")
    assert conv1[1] == str(96 * (11 * 11 * 3 + 1))
    assert conv1[6:8] == [str(96 * 11 * 11 * 3), "96"]


@pytest.mark.usefixtures("tables_only")
def test_the_comparison_and_its_ratios_are_those_of_compare(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "alexnet", "googlenet")
    args = ("compare", "alexnet", "googlenet", "--baseline", "alexnet")
    rows = list(csv.reader(io.StringIO(cnnstat(*args, "-f", "csv").out)))
    assert page.tables["comparison.side-by-side"] == rows[1:]
    models = json.loads(cnnstat(*args, "-f", "json").out)["models"]
    place = rows[0].index("params_ratio")
    shown = [float(row[place]) for row in page.tables["comparison.side-by-side"]]
    assert shown == [model["ratios"]["params"] for model in models]
    assert shown[1] == 6_998_552 / 62_378_344
    assert "googlenet: parameters 8.9x fewer" in page.plain.replace("depth 2.8x deeper, ", "")
    other = made(cnnstat, "alexnet", "googlenet", "--baseline", "googlenet")
    assert [float(r[place]) for r in other.tables["comparison.side-by-side"]] == [1 / shown[1], 1]


@pytest.mark.usefixtures("tables_only")
def test_the_ledger_is_that_of_claims(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "vgg16")
    rows = list(csv.DictReader(io.StringIO(cnnstat("claims", "vgg16", "-f", "csv").out)))
    keys = [key for key in rows[0] if key != "model"]
    assert page.tables["vgg16.published-figures"] == [[row[key] for key in keys] for row in rows]
    payload = json.loads(cnnstat("claims", "vgg16", "-f", "json").out)["claims"]
    place = keys.index("verdict")
    verdicts = [row[place] for row in page.tables["vgg16.published-figures"]]
    assert verdicts == [claim["verdict"] for claim in payload]


@pytest.mark.usefixtures("tables_only")
def test_another_input_is_said_beside_the_ledger(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "vgg11", "--input", "64")
    assert "For the published input 3x224x224, not for 3x64x64." in page.plain
    assert "For the published input" not in made(cnnstat, "vgg11").plain


def test_a_spec_file_has_no_card_and_no_ledger(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "samples/tiny.yaml", "lenet5")
    blocks = [name for name in page.blocks if name.startswith("tiny")]
    assert [name.partition(".")[2] for name in blocks] == ["layers", "drawing", "plots"]
    payload = json.loads(cnnstat("summary", "samples/tiny.yaml", "-f", "json").out)
    rows = page.tables[f"{blocks[0]}"]
    assert sum(int(row[1]) for row in rows) == payload["totals"]["params"]
    assert page.tables["comparison.side-by-side"][0][0] == "samples/tiny.yaml"


def test_a_module_of_pytorch_has_a_page_too(cnnstat: Cnnstat, tmp_path: Path) -> None:
    source = tmp_path / "net.py"
    source.write_text(
        "from torch import nn\n\ndef net() -> nn.Module:\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8*222*222, 10))\n"
    )
    page = made(cnnstat, f"{source}:net")
    layers = next(name for name in page.tables if name.endswith(".layers"))
    # 8 filters of 3*3*3 and a bias each; a fully connected layer that fits one input alone
    assert [int(row[1]) for row in page.tables[layers]] == [
        0,
        8 * (3 * 3 * 3 + 1),
        10 * (8 * 222 * 222 + 1),
    ]
    assert "No plot: nothing to plot: scaling needs two or more input sizes" in page.plain


@pytest.mark.usefixtures("tables_only")
def test_one_named_twice_is_there_once(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "vgg16", "vgg-d", "vgg16")
    assert [name for name in page.blocks if name.endswith(".layers")] == ["vgg16.layers"]


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_page_says_so_and_has_the_rest(cnnstat: Cnnstat) -> None:
    result = cnnstat("report", "lenet5", "alexnet", "-o", "-")
    assert result.code == 0
    hint = next(line for line in result.err.splitlines() if "no plots" in line)
    assert hint.startswith("cnnstat: the page has no plots: this needs matplotlib")
    assert "pip install matplotlib" in hint
    page = Report(result.out)
    for place in ("comparison.accuracy-over-work", "lenet5.plots", "alexnet.plots"):
        assert "No plot: this needs matplotlib" in page.blocks[place]
    assert len(page.tables["alexnet.layers"]) > 8


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_the_drawing_is_there_as_text(cnnstat: Cnnstat) -> None:
    result = cnnstat("report", "lenet5", "-o", "-")
    assert result.code == 0
    assert result.err.startswith("cnnstat: the page has no drawings: Graphviz's 'dot' is needed")
    assert result.err.count("\n") == 1
    block = Report(result.out).blocks["lenet5.drawing"]
    assert "No drawing here: Graphviz's 'dot' is needed" in block
    assert cnnstat("graph", "lenet5", "-f", "dot").out in block
    assert cnnstat("graph", "lenet5", "-f", "mermaid").out in block


def test_a_model_without_published_error_has_no_bubble_and_says_why(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "samples/tiny.yaml", "samples/residual.yaml")
    assert "No plot: nothing to plot" in page.blocks["comparison.accuracy-over-work"]


def test_the_chart_has_the_rate_that_more_models_have(cnnstat: Cnnstat) -> None:
    page = made(cnnstat, "vgg16", "googlenet", "samples/tiny.yaml")  # googlenet: top-5 alone
    block = page.blocks["comparison.accuracy-over-work"]
    assert "Top-5 accuracy over" in block
    assert "Without a published top-5 error: tiny." in block
    assert "Without a published" not in made(cnnstat, "vgg16", "alexnet").plain


def test_the_file_is_what_standard_output_gets_and_small_enough(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    path = tmp_path / "vgg16.HTML"
    assert cnnstat("report", "vgg16", "-o", str(path)).out == ""
    text = path.read_text(encoding="utf-8")
    assert cnnstat("report", "vgg16", "-o", "-").out == text
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (["lenet5"], ["say where to write it", "-o FILE.html"]),
        (["lenet5", "-o", "{tmp}/a.pdf"], ["unknown suffix '.pdf'", ".html"]),
        (["lenet5", "-o", "{tmp}/a"], ["no suffix", ".html"]),
        (["lenet5", "-o", "{tmp}/none/a.html"], ["cannot write", "no folder"]),
        (["lenet5", "-o", "{tmp}/folder.html"], ["cannot write", "it is a folder"]),
        (["lenett5", "-o", "{tmp}/a.html"], ["unknown model 'lenett5'", "lenet5"]),
        (["-o", "{tmp}/a.html"], ["MODEL"]),
        (["lenet5", "--baseline", "lenet5", "-o", "{tmp}/a.html"], ["--baseline", "second MODEL"]),
        (["lenet5", "alexnet", "--baseline", "vgg16", "-o", "{tmp}/a.html"], ["vgg16", "lenet5"]),
        (["lenet5", "--batch", "0", "-o", "{tmp}/a.html"], ["batch must be at least 1"]),
        (["lenet5", "--input", "x", "-o", "{tmp}/a.html"], ["input 'x'"]),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    cnnstat: Cnnstat, tmp_path: Path, args: list[str], parts: list[str]
) -> None:
    (tmp_path / "folder.html").mkdir()
    result = cnnstat("report", *(arg.replace("{tmp}", str(tmp_path)) for arg in args))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    for part in parts:
        assert part in result.err
    assert os.listdir(tmp_path) == ["folder.html"]


def test_a_file_that_cannot_be_written_is_said(cnnstat: Cnnstat, tmp_path: Path) -> None:
    link = tmp_path / "full.html"
    link.symlink_to("/dev/full")
    result = cnnstat("report", "lenet5", "-o", str(link))
    assert result.code == 2
    assert "cannot write" in result.err.splitlines()[-1]


def without_pictures(text: str) -> str:
    """Return a page without what Graphviz's and matplotlib's versions and the fonts decide."""
    text = re.sub(r"<figure>.*?</figure>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<h3 id="\w+\.drawing">).*?(?=<h3|</section>)', r"\1", text, flags=re.DOTALL)
    return re.sub(r"Written by cnnstat [\w.]+", "", text)


def test_the_sample_is_what_is_written_today(cnnstat: Cnnstat) -> None:
    sample = SAMPLE.read_text(encoding="utf-8")
    assert sample.count("<svg") == 7  # accuracy over work; layers, scaling and drawing of each
    today = cnnstat(*SAMPLE_COMMAND, "-").out
    assert without_pictures(today) == without_pictures(sample), (
        f"write it anew: cnnstat {' '.join(SAMPLE_COMMAND)} samples/report.html"
    )


def test_open_shows_the_page_in_a_browser(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_page(address: str) -> bool:
        opened.append(address)
        return len(opened) == 1

    monkeypatch.setattr("webbrowser.open", open_page)
    named = cnnstat("report", "lenet5", "-o", str(tmp_path / "a.html"), "--open")
    assert (named.code, named.out) == (0, "")
    assert opened == [f"file://{tmp_path / 'a.html'}"]
    assert (tmp_path / "a.html").stat().st_size > 0
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    unnamed = cnnstat("report", "lenet5", "--open")
    assert unnamed.code == 0
    assert "no browser was found; the page is file://" in unnamed.err
    assert Path(opened[1].removeprefix("file://")).is_file()


def test_open_needs_a_file(cnnstat: Cnnstat) -> None:
    result = cnnstat("report", "lenet5", "-o", "-", "--open")
    assert result.code == 2
    assert "--open shows a file" in result.err
