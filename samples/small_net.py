"""A small network with two inputs, to be read by cnnstat: ``samples/small_net.py:SmallNet``."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two convolutions and a gate from the mean of the maps, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same."""
        y = self.conv2(functional.silu(self.norm1(self.conv1(x))))
        gate = torch.sigmoid(self.gate(y.mean((2, 3))))
        gated: Tensor = x + y * gate[:, :, None, None]
        return gated


class SmallNet(nn.Module):
    """An image and optional tokens -> the scores of the classes."""

    def __init__(self, num_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.words = nn.Embedding(100, width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, image: Tensor, tokens: Tensor | None = None) -> Tensor:
        """(n, 3, h, w), (n, l) -> (n, num_classes)."""
        features = self.blocks(self.stem(image)).mean((2, 3))
        if tokens is not None:
            features = features + self.words(tokens).mean(1)
        scores: Tensor = self.head(features)
        return scores
