"""``plot`` of several models, of one's own, and its looks."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.commandline import Cnnstat

TWO_INPUTS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.mask = nn.Conv2d(1, width, 3)

    def forward(self, image, mask):
        return self.conv(image) + self.mask(mask)
"""


def words(path: Path) -> list[str]:
    """Return the texts of a picture; matplotlib writes each beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"))


def inches(path: Path) -> float:
    width = ElementTree.parse(path).getroot().attrib["width"]
    return float(width.removesuffix("pt")) / 72


@pytest.mark.parametrize("kind", ["layers", "memory", "scaling"])
def test_models_stand_side_by_side(cnnstat: Cnnstat, tmp_path: Path, kind: str) -> None:
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    assert cnnstat("plot", kind, "vgg16", "-o", str(one)).code == 0
    assert cnnstat("plot", kind, "vgg16", "alexnet", "-o", str(two)).code == 0
    said = " ".join(words(two))
    assert "vgg16, " in said
    assert "alexnet, " in said
    assert "alexnet, " not in " ".join(words(one))
    assert inches(two) > inches(one)


def test_models_of_very_different_size_have_their_own_scales(
    cnnstat: Cnnstat, tmp_path: Path
) -> None:
    path = tmp_path / "two.svg"
    assert cnnstat("plot", "layers", "lenet5", "vgg16", "-o", str(path)).code == 0
    said = words(path)
    assert "40 k" in said  # parameters of lenet5: 48,120 in C5
    assert "100 M" in said  # of vgg16: 102,764,544 in fc6


def test_peaks_are_marked_and_named(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "memory.svg"
    assert cnnstat("plot", "memory", "vgg16", "-o", str(path)).code == 0
    assert "26.29 MB at conv1_2" in words(path)
    assert "25.69 MB at conv1_2" in words(path)


def test_named_inputs_and_arguments(cnnstat: Cnnstat, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(TWO_INPUTS, encoding="utf-8")
    model, path = f"{tmp_path / 'net.py'}:Net", tmp_path / "layers.svg"
    inputs = ("-i", "image=3x8x8", "-i", "mask=1x8x8", "--args", '{"width": 10}')
    assert cnnstat("plot", "layers", "vgg11", *inputs[:4], "-o", str(path)).code == 2
    assert cnnstat("plot", "layers", model, *inputs, "-o", str(path)).code == 0
    # 10 * (27 + 1) + 10 * (9 + 1)
    assert any(text.startswith("Parameters: 380") for text in words(path))


def test_ones_own_results_are_bubbles(cnnstat: Cnnstat, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "input: 3x8x8\nlayers:\n- {name: c, Conv2d: {out_channels: 4, kernel: 3}}\n",
        encoding="utf-8",
    )
    model, path = str(tmp_path / "net.yaml"), tmp_path / "bubble.svg"
    rates = tmp_path / "own.csv"
    rates.write_text(f"model,top1_error,dataset\n{model},20,ImageNet\n", encoding="utf-8")
    args = ("plot", "bubble", model, "vgg16", "-o", str(path))
    without = cnnstat(*args)
    assert "left out, no published top-1 error" in without.err
    assert cnnstat(*args, "--accuracy", str(rates)).err == ""
    assert {model, "vgg16", "own models", "VGG"} <= set(words(path))


def test_families_have_looks_of_their_own(cnnstat: Cnnstat, tmp_path: Path) -> None:
    from cnnstat.render.plots.bubble import MARKS, _look
    from cnnstat.render.plots.style import PALETTE

    count = len(MARKS) * len(PALETTE)
    assert len({_look(place) for place in range(count)}) == count


def test_a_title_and_a_width(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "layers.svg"
    look = ("--title", "Three <panels>", "--width", "89mm")
    assert cnnstat("plot", "layers", "lenet5", *look, "-o", str(path)).code == 0
    assert inches(path) == pytest.approx(89 / 25.4, abs=0.01)
    assert "lenet5, input 1x1x32x32" not in words(path)
    assert any("panels" in text for text in words(path))


def test_print_has_no_heading_of_its_own(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "layers.svg"
    args = ("plot", "layers", "lenet5", "--style", "print", "-o")
    assert cnnstat(*args, str(path)).code == 0
    assert "lenet5, input 1x1x32x32" not in words(path)
    pdf = tmp_path / "layers.pdf"
    assert cnnstat(*args, str(pdf)).code == 0
    assert b"/Type3" not in pdf.read_bytes()


def test_dots_of_a_png(cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = tmp_path / "layers.png"
    look = ("--width", "4", "--dpi", "50")
    assert cnnstat("plot", "layers", "lenet5", *look, "-o", str(path)).code == 0
    assert int.from_bytes(path.read_bytes()[16:20]) == 4 * 50


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (("--width", "3 feet"), "expected 2 to 40 inches"),
        (("--width", "1mm"), "expected 2 to 40 inches"),
        (("--width", "nan"), "expected 2 to 40 inches"),
        (("--style", "prnt"), "did you mean print"),
        (("--dpi", "200"), "only a .png has dots"),
    ],
)
def test_a_bad_look(cnnstat: Cnnstat, tmp_path: Path, look: tuple[str, str], said: str) -> None:
    path = tmp_path / "layers.svg"
    result = cnnstat("plot", "layers", "lenet5", *look, "-o", str(path))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err
    assert not path.exists()


def test_more_models_than_a_picture_has_room_for(cnnstat: Cnnstat, tmp_path: Path) -> None:
    models = ("vgg11", "vgg13", "vgg16", "vgg19", "alexnet", "zfnet", "lenet5")
    result = cnnstat("plot", "layers", *models, "-o", str(tmp_path / "a.png"))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert cnnstat("plot", "bubble", "-o", str(tmp_path / "a.png"), "--dpi", "9").code == 2
