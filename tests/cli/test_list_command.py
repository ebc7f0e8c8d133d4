"""``cnnstat list``, the version and the help."""

import csv
import io
import json
import tomllib
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

from cnnstat import __version__
from cnnstat.zoo.catalog import names
from tests.cli.commandline import Cnnstat


def test_a_family_looks_like_this(cnnstat: Cnnstat, snapshot: SnapshotAssertion) -> None:
    assert cnnstat("list", "--family", "vgg", columns=100).out == snapshot


def test_every_name_is_listed_with_its_figures(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("list", "--format", "json").out)
    assert payload["schema"] == "cnnstat.list/1"
    assert [model["name"] for model in payload["models"]] == list(names())
    figures = {model["name"]: (model["params"], model["macs"]) for model in payload["models"]}
    assert figures["vgg16"] == (138_357_544, 15_470_264_320)
    assert figures["resnet50"] == (25_557_032, 3_857_973_248)


def test_the_formats_agree(cnnstat: Cnnstat) -> None:
    payload = json.loads(cnnstat("list", "-f", "json").out)["models"]
    rows = list(csv.DictReader(io.StringIO(cnnstat("list", "-f", "csv").out)))
    assert [(r["name"], int(r["params"]), int(r["macs"])) for r in rows] == [
        (m["name"], m["params"], m["macs"]) for m in payload
    ]
    table = cnnstat("list").out
    for model in payload:
        line = next(text for text in table.splitlines() if f" {model['name']} " in text)
        assert f"{model['params']:,}" in line
        assert f"{model['macs']:,}" in line


def test_a_family_alone(cnnstat: Cnnstat) -> None:
    rows = csv.DictReader(io.StringIO(cnnstat("list", "--family", "LeNet", "-f", "csv").out))
    assert [row["name"] for row in rows] == ["lenet5", "lenet5-modern"]


def test_the_version_is_the_packages(cnnstat: Cnnstat) -> None:
    assert cnnstat("--version") == (0, f"cnnstat {__version__}\n", "")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == __version__


def test_without_a_command_there_is_help(cnnstat: Cnnstat) -> None:
    result = cnnstat()
    assert (result.code, result.err) == (0, "")
    for word in ("summary", "list", "--version", "--install-completion"):
        assert word in result.out
    assert cnnstat("summary", "--help").code == 0
