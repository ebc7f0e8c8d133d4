"""``cnnstat graph`` through the real command line."""

from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat


def test_dot_is_what_standard_output_gets(cnnstat: Cnnstat) -> None:
    result = cnnstat("graph", "vgg16")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith('digraph "vgg16" {')
    assert result.out.endswith("}\n")


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.dot", "digraph"), ("a.gv", "digraph"), ("a.mmd", "---"), ("a.MERMAID", "---")],
)
def test_the_suffix_chooses_the_format(
    cnnstat: Cnnstat, tmp_path: Path, name: str, start: str
) -> None:
    result = cnnstat("graph", "lenet5", "-o", str(tmp_path / name))
    assert result == (0, "", "")
    assert (tmp_path / name).read_text().startswith(start)


def test_a_format_goes_before_a_suffix(cnnstat: Cnnstat, tmp_path: Path) -> None:
    cnnstat("graph", "lenet5", "-f", "mermaid", "-o", str(tmp_path / "a.dot"))
    assert "flowchart TD" in (tmp_path / "a.dot").read_text()


def test_options_change_what_is_drawn(cnnstat: Cnnstat) -> None:
    assert "1,024x14x14".replace(",", "") in cnnstat("graph", "resnet50", "--depth", "1").out
    assert "bn1" not in cnnstat("graph", "densenet121", "--depth", "1").out
    assert "input 3x128x128" in cnnstat("graph", "resnet50", "--input", "128").out
    assert "input 8x3x224x224" in cnnstat("graph", "resnet50", "--batch", "8").out
    assert "<br/>7<br/>" in cnnstat("graph", "resnet50", "--classes", "7", "-f", "mermaid").out


def test_a_spec_file_is_drawn_too(cnnstat: Cnnstat) -> None:
    assert "stage1_1 to stage1_3  x3" in cnnstat("graph", "samples/residual.yaml").out


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (["resnt50"], ["unknown model 'resnt50'", "resnet50"]),
        (["lenet5", "-o", "{tmp}/a.jpg"], ["cannot tell the format", ".svg, .png, .pdf"]),
        (["lenet5", "-o", "{tmp}/none/a.dot"], ["cannot write", "no folder"]),
        (["lenet5", "-f", "png"], ["png is not text", "-o FILE.png"]),
        (["lenet5", "-f", "dott"], ["unknown format 'dott'", "dot"]),
        (["lenet5", "--depth", "0"], ["depth must be at least 1", "0"]),
    ],
)
def test_a_mistake_is_one_line(
    cnnstat: Cnnstat, tmp_path: Path, args: list[str], parts: list[str]
) -> None:
    result = cnnstat("graph", *(arg.replace("{tmp}", str(tmp_path)) for arg in args))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    for part in parts:
        assert part in result.err


def test_without_graphviz_one_line_says_how_to_install_it(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cnnstat("graph", "lenet5", "-o", str(tmp_path / "a.svg"))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "apt install graphviz" in result.err
    assert not (tmp_path / "a.svg").exists()
