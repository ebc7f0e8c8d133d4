"""Importing a module: ``cnnstat summary`` of ResNet-152 against torchinfo on it.

Run by hand, where torchinfo is: ``python -m tests.speed.import_module``. Whole processes from start
to end, interleaved in pairs, on ``torchvision:resnet152`` or, where torchvision is not there, on
the same module by file (``--file`` asks for it). torchinfo is used as its users do: the module is
built without pretrained weights and passed forward. ``imports`` is a process that only imports what
both need, and the floor of any comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.speed.startup import line, paired

RESNET = """
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != 4 * width:
            projection = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


def resnet152():
    parts = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    parts.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for stage, count in enumerate((3, 8, 36, 3)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            parts.append(Bottleneck(channels, 64 * 2**stage, stride))
            channels = 256 * 2**stage
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))
    return nn.Sequential(*parts, *head)
"""
INFO = "from torchinfo import summary\nsummary({module}, (1, 3, 224, 224), verbose=1)\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--file", action="store_true", help="The module by file.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "resnet.py")
        path.write_text(RESNET, encoding="utf-8")
        if options.file or find_spec("torchvision") is None:
            reference, imports = f"{path}:resnet152", "import torch"
            build = f"import sys\nsys.path.insert(0, {folder!r})\nfrom resnet import resnet152\n"
            info = build + INFO.format(module="resnet152()")
        else:
            reference, imports = "torchvision:resnet152", "import torchvision"
            module = "torchvision.models.resnet152(weights=None)"
            info = f"import torchvision\n{INFO.format(module=module)}"
        table(reference, imports, info, options.pairs)


def table(reference: str, imports: str, info: str, pairs: int) -> None:
    """Print one row a process."""
    torchinfo = [sys.executable, "-c", info]
    print(f"medians over {pairs} interleaved pairs, Python {sys.version.split()[0]}, {reference}")
    ratios = f"{'time':>10} {'CPU':>9} {'memory':>9}"
    print(f"{'process':28} {'ms':>9} {'CPU ms':>9} {'peak MB':>9} {ratios}")
    summary = [sys.executable, "-m", "cnnstat", "summary", reference]
    runs, against = paired(summary, torchinfo, pairs)
    print(line("cnnstat", runs, against))
    print(line("torchinfo", against, against))
    runs, against = paired([sys.executable, "-c", imports], torchinfo, pairs)
    print(line("imports", runs, against))


if __name__ == "__main__":
    main()
