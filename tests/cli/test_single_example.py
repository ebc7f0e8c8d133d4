"""An input with all axes and without a batch is one example, wherever the batch is read."""

import json
from pathlib import Path

import pytest

from cnnstat import api
from cnnstat.api.inputs import FullSpec
from cnnstat.api.reports import sizes_around
from tests.cli.commandline import Cnnstat

SOURCE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images):
        return [self.conv(image) for image in images] if isinstance(images, list) else (
            self.conv(images))
"""
MACS = 8 * 8 * 3 * 3 * 3 * 4


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "single.py"
    path.write_text(SOURCE)
    return f"{path}:Net"


@pytest.mark.parametrize("inputs", [["images=!3x8x8"], ["images[0]=!3x8x8", "images[1]=!3x8x8"]])
def test_a_step_of_training(inputs: list[str], net: str, cnnstat: Cnnstat) -> None:
    given = [word for each in inputs for word in ("-i", each)]
    done = cnnstat("summary", net, *given, "--mode", "training", "--images", "10")
    assert done.code == 0, done.err
    assert "input 3x8x8 float32" in done.out
    assert "batch 1\n" in done.out
    assert "MACs for 1 image:" in done.out
    assert "MACs for 10 images in 10 steps" in done.out
    limit = ("--limit", "batch == 1")
    assert cnnstat("summary", net, *given, *limit).code == 0


def test_a_whole_batch_of_images_has_a_batch(net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("summary", net, "-i", "images=!5x3x8x8", "--mode", "training")
    assert "input 3x8x8 float32, batch 5\n" in done.out
    assert "MACs for 5 images:" in done.out


def test_rates_are_those_of_one_image(net: str, cnnstat: Cnnstat) -> None:
    one = cnnstat("roofline", net, "-i", "images=!3x8x8", "--device", "t4", "-f", "json")
    batched = cnnstat("roofline", net, "-i", "3x8x8", "--device", "t4", "-f", "json")
    rates = [json.loads(done.out)["totals"]["images_per_s"] for done in (one, batched)]
    assert rates[0] == rates[1]
    done = cnnstat("bench", net, "-i", "images=!3x8x8", "--min-time", "0", "-f", "json")
    (run,) = json.loads(done.out)["runs"]
    assert run["batch"] == 1
    assert run["images_per_s"] == pytest.approx(1e3 / run["median_ms"])


def test_memory_has_no_batch_to_search(net: str, cnnstat: Cnnstat) -> None:
    done = cnnstat("memory", net, "-i", "images=!3x8x8")
    assert (done.code, "batch 1," in done.out) == (0, True)
    for command in (["fit", net, "--memory", "1GiB"], ["memory", net, "--fit", "1GiB"]):
        done = cnnstat(*command, "-i", "images=!3x8x8")
        assert done.code == 2
        assert "no batch to search" in done.err
    whole = cnnstat("memory", "lenet5", "-i", "input=!8x1x32x32")
    assert "each image adds" not in whole.out
    assert "at batch 8." in whole.out


def test_sizes_and_rows(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    picture = tmp_path / "sizes.svg"
    sizes = ("-i", "images=!3x8x8,!3x16x16")
    assert cnnstat("plot", "scaling", net, *sizes, "-o", str(picture)).code == 0
    done = cnnstat("sweep", net, *sizes, "-j", "1", "-f", "json")
    models = json.loads(done.out)["models"]
    assert [(row["input"], row["batch"]) for row in models] == [([3, 8, 8], 1), ([3, 16, 16], 1)]
    assert [row["macs"] for row in models] == [MACS, 4 * MACS]
    analysis = api.analyze(net, input={"images": FullSpec((3, 8, 8))})
    scaled = dict(sizes_around(analysis.model, analysis.report))["8x8"]
    assert scaled is not None
    assert (scaled.batch, scaled.totals.macs) == (1, MACS)


def test_a_saved_result_says_so(net: str, cnnstat: Cnnstat, tmp_path: Path) -> None:
    path = str(tmp_path / "single.json")
    cnnstat("summary", net, "-i", "images=!3x8x8", "-o", path)
    assert "input 3x8x8 float32, batch 1\n" in cnnstat("summary", path).out
