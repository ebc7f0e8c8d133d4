"""A module with an operator that nobody has a rule for."""

import torch
from torch import Tensor, nn


class Strange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 4, h-2, w-2)."""
        y: Tensor = torch.special.bessel_j0(self.conv(x))
        return y
