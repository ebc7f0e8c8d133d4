"""Modules as image classifiers have them, small: blocks that the rehearsal's tests run."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Tokens(nn.Module):
    """Patches of an image as a sequence, with a class token and stored positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 17, width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], dim=1)
        return x + self.positions


class VisionBlock(nn.Module):
    """A block of ViT with PyTorch's own attention, normalised first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        x = x + y
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class FusedBlock(nn.Module):
    """A block with queries, keys and values of one product, a bias for two, and scaled layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query, self.value = (nn.Parameter(torch.zeros(width)) for _ in range(2))
        self.out = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        bias = torch.cat((self.query, torch.zeros(width), self.value))
        qkv = functional.linear(self.norm(x), self.qkv.weight, bias)
        qkv = qkv.reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v)
        y = y.transpose(1, 2).reshape(n, length, width)
        out: Tensor = x + self.scale * self.out(y)
        return out


class Pooled(nn.Module):
    """The first token's scores."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.norm(x)[:, 0])
        return y


class DropPath(nn.Module):
    """A path that is dropped per image, in training alone."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        survives = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(0.9)
        return x * survives.div_(0.9)


class WindowBlock(nn.Module):
    """A block of Swin: shifted windows, a stored bias looked up for each pair of positions."""

    pairs: Tensor

    def __init__(self, width: int, *, shift: int) -> None:
        super().__init__()
        self.shift, self.heads, self.side = shift, 2, 4
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(49, self.heads))
        self.register_buffer("pairs", torch.randint(49, (256,)), persistent=False)
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        y = self.norm(x)
        side = self.side
        y = functional.pad(y, (0, 0, 0, -w % side, 0, -h % side))
        _, high, wide, _ = y.shape
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = y.view(n, high // side, side, wide // side, side, c)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, c)
        qkv = self.qkv(y).reshape(len(y), side * side, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = (q * (c // self.heads) ** -0.5).matmul(k.transpose(-2, -1))
        bias = self.bias[self.pairs].view(16, 16, -1).permute(2, 0, 1).contiguous()
        scores = functional.softmax(scores + bias.unsqueeze(0), dim=-1)
        y = self.out(scores.matmul(v).transpose(1, 2).reshape(len(y), side * side, c))
        y = y.view(n, high // side, wide // side, side, side, c)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(n, high, wide, c)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        out: Tensor = x + self.drop_path(y[:, :h, :w, :].contiguous())
        return out


class Permuted(nn.Module):
    """Maps with their channels last, or first again."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.axes)


class Squeeze(nn.Module):
    """Squeeze-and-excitation after a depthwise convolution, as MobileNetV3 has it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width), nn.Hardswish()
        )
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.down, self.up = nn.Conv2d(2 * width, 4, 1), nn.Conv2d(4, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.wide(x))
        s = functional.relu(self.down(functional.adaptive_avg_pool2d(y, 1)), inplace=True)
        y = y * functional.hardsigmoid(self.up(s))
        out: Tensor = self.narrow(y)
        out += x
        return out


class ShuffleUnit(nn.Module):
    """A unit of ShuffleNet V2: half of the channels pass, then all are shuffled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False),
            nn.BatchNorm2d(half),
        )

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        y = torch.cat((a, self.branch(b)), dim=1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class UpAndDown(nn.Module):
    """Maps scaled down, up again in two ways, and joined by what users write in place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, 4 * width, 3, 2, 1)
        self.slope = nn.PReLU(4 * width)
        self.norm = nn.InstanceNorm2d(4 * width, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.slope(self.down(x)))
        up = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        z = functional.pixel_shuffle(y, 2) + up[:, : x.shape[1]]
        z.clamp_(min=-1.0)
        return torch.where(z > 0, z / (1 + z.abs()), z**2)


class Reader(nn.Module):
    """Rows of an image read by an LSTM, a GRU and a plain net, the last state scored."""

    def __init__(self, kind: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        self.layers = kind(3 * 32, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layers(x.permute(0, 2, 1, 3).flatten(2))
        scores: Tensor = self.head(y[:, -1])
        return scores


class Words(nn.Module):
    """Whole numbers of an image looked up in a table, and normalised by their mean square."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(256, 8)
        self.norm = nn.RMSNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        index = x.abs().mul(8).long().clamp(0, 255)
        y: Tensor = self.norm(self.table(index)).mean((1, 2))
        return y


class Auxiliary(nn.Module):
    """A second head in training alone; a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.head, self.other = nn.Linear(8, 5), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.again(self.again(self.stem(x)).sigmoid())
        pooled = x.amax((2, 3))
        scores: Tensor = self.head(pooled)
        return (scores, self.other(pooled.softmax(-1))) if self.training else scores


def scored(*layers: nn.Module) -> nn.Module:
    """Return layers on eight maps of half the image, and a head."""
    stem = (nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(inplace=True))
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 5))
    return nn.Sequential(*stem, *layers, *head)
