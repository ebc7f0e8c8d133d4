"""Pictures as files: the samples are made here, equal input gives equal files, suffixes."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from cnnstat import api
from cnnstat.bench.measurement import read_result
from cnnstat.errors import UsageError
from cnnstat.render.plots.bubble import bubble_figure
from cnnstat.render.plots.layers import layers_figure
from cnnstat.render.plots.roofline import roofline_figure
from cnnstat.render.plots.scaling import default_sizes, scaling_figure
from cnnstat.render.plots.style import (
    PICTURES,
    Picture,
    inline_svg,
    picture_of,
    save,
)
from cnnstat.render.plots.sweep import sweep_figure
from cnnstat.zoo.lineup import IMAGENET
from tests.render.plotted import of_zoo, sweep

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "plots"
FIGURES: dict[str, Callable[[], Figure]] = {
    "bubble": lambda: bubble_figure(of_zoo(IMAGENET)),
    "layers-lenet5": lambda: layers_figure(api.analyze("lenet5").report),
    "layers-vgg16": lambda: layers_figure(api.analyze("vgg16").report),
    "roofline-cpu-1-thread": lambda: roofline_figure(
        read_result(str(ROOT / "samples" / "bench" / "cpu-1-thread.json"))
    ),
    "scaling-resnet50": lambda: scaling_figure(
        sweep("resnet50", default_sizes(api.load("resnet50").inputs["input"].shape[2:]))
    ),
    "space": lambda: sweep_figure(
        str(ROOT / "samples" / "sweep" / "scaled.csv"), x="macs", y="-figures.depth", colour="width"
    ),
}


def test_every_sample_is_made_here() -> None:
    assert {path.stem for path in SAMPLES.glob("*.svg")} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_sample_says_the_same_today_and_is_equal_under_the_pinned_matplotlib(name: str) -> None:
    sample = (SAMPLES / f"{name}.svg").read_text()
    today = save(FIGURES[name](), "svg").decode()
    said = re.compile(r"<!-- (.*?) -->")  # matplotlib writes each text beside its outlines
    assert len(said.findall(sample)) > 10
    assert said.findall(today) == said.findall(sample)
    if f"matplotlib=={matplotlib.__version__}\n" in (ROOT / "constraints.txt").read_text():
        assert today == sample


@pytest.mark.parametrize("picture", PICTURES)
def test_equal_input_gives_equal_files(picture: Picture) -> None:
    first = save(FIGURES["layers-lenet5"](), picture)
    assert first == save(FIGURES["layers-lenet5"](), picture)
    assert first.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[picture])


def test_a_users_settings_change_nothing() -> None:
    expected = save(FIGURES["layers-lenet5"](), "svg")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "x", "axes.facecolor": "red"}):
        assert save(FIGURES["layers-lenet5"](), "svg") == expected


def test_an_inline_picture_is_one_element_with_a_name() -> None:
    from xml.etree import ElementTree

    text = inline_svg(FIGURES["layers-lenet5"](), label="LeNet's <layers>")
    tree = ElementTree.fromstring(text)
    assert tree.tag.endswith("svg")
    assert tree.get("aria-label") == "LeNet's <layers>"
    assert tree.get("viewBox") is not None
    assert tree.get("width") is None
    assert "<metadata" not in text


@pytest.mark.parametrize("path", ["a.jpg", "a", "a.svg.gz", ".png"])
def test_an_unknown_suffix_names_the_known(path: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf"):
        picture_of(path)


def test_a_suffix_in_any_case_is_known() -> None:
    assert [picture_of(f"A.{p.upper()}") for p in PICTURES] == list(PICTURES)
