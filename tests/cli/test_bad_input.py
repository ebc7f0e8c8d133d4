"""Every kind of bad input: one clear line on standard error, the exit code, no output."""

from pathlib import Path

import pytest

from cnnstat import api
from tests.cli.commandline import Cnnstat

MISTAKES = [
    (["summary", "vgg17"], 2, "unknown model 'vgg17': did you mean", "vgg16"),
    (["summary", ""], 2, "unknown model ''", "'cnnstat list' shows all"),
    (["summary", "vgg16", "--input", "10x10"], 3, "pool4 (MaxPool2d 2x2/2)", "1x512x1x1"),
    (["summary", "vgg16", "--input", "abc"], 2, "input 'abc'", "3x224x224, 224x224 or 224"),
    (["summary", "vgg16", "--input", "3x0x224"], 2, "3x0x224", "at least 1"),
    (["summary", "vgg16", "--input", "-1"], 2, "input '-1'", "whole numbers"),
    (["summary", "vgg16", "--input", "1x2x3x4"], 2, "1x2x3x4", "3x224x224"),
    (["summary", "vgg16", "--input"], 2, "--input", "argument"),
    (["summary", "vgg16", "-i", "224", "-i", "64"], 2, "input '224'", "name=3x224x224"),
    (["summary", "vgg16", "-i", "inptu=3x224x224"], 2, "unknown input of vgg16 'inptu'", "input"),
    (["summary", "vgg16", "-i", "input=3x224x224:int7"], 2, "unknown dtype 'int7'", "int8"),
    (["summary", "vgg16", "--batch", "0"], 2, "batch must be at least 1", "0"),
    (["summary", "vgg16", "--batch", "many"], 2, "--batch", "'many' is not a whole number"),
    (["summary", "vgg16", "--classes", "0"], 2, "classes must be at least 1", "0"),
    (["summary", "vgg16", "--depth", "0"], 2, "depth must be at least 1", "0"),
    (["summary", "vgg16", "--top", "-3"], 2, "top must be at least 1", "-3"),
    (["summary", "vgg16", "--columns", "param"], 2, "unknown column 'param'", "params"),
    (["summary", "vgg16", "--columns", ","], 2, "columns ','", "receptive_field"),
    (["summary", "vgg16", "--sort", "mac"], 2, "unknown column 'mac'", "macs"),
    (["summary", "vgg16", "--convention", "papr"], 2, "unknown convention 'papr'", "paper"),
    (["summary", "vgg16", "--format", "jsn"], 2, "unknown format 'jsn'", "json"),
    (["summary", "vgg16", "--dtype", "float31"], 2, "unknown dtype 'float31'", "float32"),
    (["summary", "vgg16", "--dtype", "int16"], 2, "dtype int16", "floating-point type"),
    (["summary", "vgg16", "-o", ""], 2, "output ''", "name a file"),
    (["summary", "vgg16", "-o", "vgg16.xlsx"], 2, "unknown suffix of -o '.xlsx'", ".csv"),
    (["info", "net.yaml"], 2, "net.yaml", "only models of 'cnnstat list' have a card"),
    (["summary", "vgg16", "--dtpye", "float16"], 2, "--dtpye", "--dtype"),
    (["summary", "vgg16", "vgg19"], 2, "unexpected extra argument", "vgg19"),
    (["summary"], 2, "Missing argument", "MODEL"),
    (["sumary", "vgg16"], 2, "unknown command 'sumary'", "summary"),
    (["--colour"], 2, "--colour", "--help"),
    (["list", "--family", "resnets"], 2, "unknown family 'resnets'", "resnext"),
]


@pytest.mark.parametrize(
    ("args", "code", "subject", "help_"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES]
)
def test_a_mistake_is_one_line(
    cnnstat: Cnnstat, args: list[str], code: int, subject: str, help_: str
) -> None:
    result = cnnstat(*args)
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("cnnstat: error: ")
    assert result.err.count("\n") == 1
    assert subject in result.err
    assert help_ in result.err


def test_a_defect_is_not_reported_as_the_users_mistake(
    cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api, "load", broken)
    with pytest.raises(ZeroDivisionError):
        cnnstat("summary", "vgg16")


def test_an_interrupt_ends_with_130(cnnstat: Cnnstat, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "load", interrupted)
    assert cnnstat("summary", "vgg16").code == 130


@pytest.mark.parametrize("place", ["missing/out.json", "", "file/out.json"])
def test_an_output_that_cannot_be_written_is_one_line(
    cnnstat: Cnnstat, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    result = cnnstat("summary", "vgg16", "-o", str(tmp_path / place))
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(f"cnnstat: error: cannot write {tmp_path}")
    assert result.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file(
    cnnstat: Cnnstat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")

    def full(source: str, to: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnstat.cli.output.os.replace", full)
    result = cnnstat("summary", "vgg16", "-o", str(target))
    assert (result.code, result.out) == (2, "")
    assert result.err == f"cnnstat: error: cannot write {target}: No space left on device\n"
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_holds_the_result_and_nothing_is_printed(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    for name, begins in (
        ("a.json", "{"),
        ("a.csv", "layer,"),
        ("a.md", "# vgg16"),
        ("a.txt", "vgg16:"),
    ):
        result = cnnstat("summary", "vgg16", "-o", str(tmp_path / name))
        assert result == (0, "", "")
        assert (tmp_path / name).read_text().startswith(begins)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_format_outranks_the_suffix_and_a_file_is_replaced(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    target = tmp_path / "out.json"
    target.write_text("x" * 100_000)
    target.chmod(0o600)
    assert cnnstat("list", "--family", "vgg", "-o", str(target), "-f", "csv").code == 0
    assert target.read_text().startswith("family,name,")
    assert "x" * 1000 not in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
