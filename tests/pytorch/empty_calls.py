"""Calls of PyTorch's functions, each on maps of (2, 8, 6, 6), and what runs a call both ways."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from cnnstat.pytorch.emptykernels import as_on_cpu, is_known

F = functional
Call = Callable[[Tensor], Any]


def rows(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def index(x: Tensor) -> Tensor:
    return torch.arange(x.shape[-1] - 1, -1, -1)


ELEMENTWISE: list[Call] = [
    *(torch.exp, torch.sin, torch.cos, torch.tanh, torch.sigmoid, torch.erf, torch.abs, torch.neg),
    *(torch.sign, torch.round, torch.floor, torch.ceil, torch.reciprocal, torch.square),
    *(F.relu, F.relu6, F.silu, F.gelu, F.mish, F.elu, F.selu, F.celu, F.leaky_relu, F.softplus),
    *(F.hardswish, F.hardsigmoid, F.hardtanh, F.softsign, F.logsigmoid, F.tanhshrink),
    lambda x: (x.abs() + 1).sqrt() + (x.abs() + 1).rsqrt() + (x.abs() + 1).log(),
    lambda x: F.gelu(x, approximate="tanh"),
    lambda x: F.leaky_relu(x + 0, 0.1, inplace=True),
    lambda x: F.hardswish(x + 0, inplace=True) + F.relu6(x + 0, inplace=True),
    lambda x: F.elu(x + 0, inplace=True) + F.silu(x + 0, inplace=True),
    lambda x: F.mish(x + 0, inplace=True) + F.hardsigmoid(x + 0, inplace=True),
    lambda x: F.glu(x, 1),
    lambda x: x.softmax(1) + x.log_softmax(1),
    lambda x: x.clamp(min=0) + x.clamp(max=1) + x.clamp(0, 1) + x.clamp_min(0) + x.clamp_max(1),
    lambda x: x**2 + x**3 + 2**x + (x.abs() + 1) ** 0.5 + (x.abs() + 1).pow(x),
    lambda x: x % 2 + x.remainder(0.5) + torch.floor_divide(x.detach(), 2),
    lambda x: torch.maximum(x, x + 1) + torch.minimum(x, x * 2),
    lambda x: torch.addcmul(x, x, x) + torch.addcdiv(x, x, x.abs() + 1) + torch.lerp(x, x * 2, x),
    lambda x: torch.lerp(x, x * 2, 0.5),
    lambda x: torch.where((x > 0) & (x < 1) | ~(x <= 2) | (x >= 3), x, 0.0),
    lambda x: torch.where((x == 0) ^ (x != 1), x, x * 2),
    lambda x: torch.where((x == x * 2) | (x != x * 2) & (x < x + 1), x, x * 2),
    lambda x: torch.where(torch.logical_and(x > x - 1, torch.logical_not(x >= x)), x, 1.0),
    lambda x: torch.where(torch.logical_or(x <= x, x > 0), x, 1.0),
    lambda x: x.masked_fill(x > 0, 0.0) + (x + 0).masked_fill_(x > 0, 0.0),
    lambda x: x * x.amax((2, 3), keepdim=True) - x.amin(1, keepdim=True) / 2,
    lambda x: 1 - x + torch.rsub(x, x),
    lambda x: (x + 0).mul_(2).sub_(1).div_(2).add_(x).copy_(x * 2),
    lambda x: (x + 0).mul_(x.detach()).fill_(1.0),
    lambda x: (x + 0).sigmoid_() * (x + 0).tanh_() * (x + 0).exp_(),
    lambda x: F.prelu(x, x.new_ones(8).requires_grad_()),
    lambda x: x.double().float() + x.to(torch.float64).to(x.dtype),
]
REDUCTIONS: list[Call] = [
    lambda x: x.sum() + x.mean() + x.max() + x.min() + x.prod() + x.norm(),
    lambda x: x.sum((2, 3)) + x.mean((2, 3)) + x.var((2, 3)) + x.std((2, 3)),
    lambda x: x.sum(1) + x.mean(1, keepdim=True) + x.prod(1) + x.logsumexp(1),
    lambda x: torch.var_mean(x, dim=1),
    lambda x: x.max(1)[0] + x.min(1)[0] + x.median(1)[0],
    lambda x: x.cumsum(1) + x.cumprod(1),
    lambda x: torch.linalg.vector_norm(x, dim=1) + x.norm(dim=1),
    lambda x: F.normalize(x, dim=1) + F.cosine_similarity(x, x * 2, dim=1).unsqueeze(1),
    lambda x: x[x.argmax(0)[0, 0, 0] * 0] + x.argmin(1, keepdim=True) + (x > 0).any(1, True),
    lambda x: (x > 0).all() * x,
    lambda x: torch.topk(x, 3, dim=1)[0],
    lambda x: x.sort(dim=1)[0],
    lambda x: F.one_hot((x[:, 0, 0] > 0).long(), 2).float() * x[:, :1, :, :2],
]
POOLINGS: list[Call] = [
    lambda x: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2) + F.lp_pool2d(x, 2, 2),
    lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    lambda x: F.adaptive_avg_pool2d(x, 3) + F.adaptive_max_pool2d(x, 3),
    lambda x: F.adaptive_avg_pool2d(x, 1),
    lambda x: F.max_pool1d(rows(x), 2) + F.avg_pool1d(rows(x), 2),
    lambda x: F.adaptive_avg_pool1d(rows(x), 2) + F.adaptive_avg_pool1d(rows(x), 1),
    lambda x: F.max_pool3d(x[None].contiguous(), 2) + F.avg_pool3d(x[None].contiguous(), 2),
    lambda x: F.adaptive_avg_pool3d(x[None], 3) + F.adaptive_avg_pool3d(x[None], 1),
    lambda x: F.interpolate(x, scale_factor=2) + F.interpolate(x, scale_factor=2, mode="bilinear"),
    lambda x: F.interpolate(x, 12, mode="bicubic") + F.interpolate(x, 12, mode="nearest-exact"),
    lambda x: F.interpolate(x, 3, mode="bilinear", antialias=True),
    lambda x: F.interpolate(x, 3, mode="bicubic", antialias=True),
    lambda x: F.interpolate(rows(x), 4, mode="linear") + F.interpolate(rows(x), 4),
    lambda x: F.interpolate(x[None], (4, 3, 3), mode="trilinear"),
    lambda x: F.interpolate(x[None], (4, 3, 3)),
    lambda x: F.grid_sample(x, torch.zeros(2, 4, 4, 2, dtype=x.dtype), align_corners=False),
]
MOVES: list[Call] = [
    lambda x: F.pad(x, (1, 2, 0, 1)) + F.pad(x, (1, 2, 0, 1), mode="reflect"),
    lambda x: F.pad(x, (1, 2, 0, 1), mode="replicate") + F.pad(x, (1, 2, 0, 1), mode="circular"),
    lambda x: F.unfold(x, 3, padding=1, dilation=1, stride=2),
    lambda x: F.fold(F.unfold(x, 2, stride=2), 6, 2, stride=2),
    lambda x: x.unfold(2, 3, 1).unfold(3, 3, 1).sum((4, 5)),
    lambda x: F.pixel_shuffle(x, 2).sum() + F.pixel_unshuffle(x, 2).sum() + x,
    lambda x: F.channel_shuffle(x, 2) + torch.roll(x, (1, 2), (2, 3)) + x.flip(1),
    lambda x: x.repeat(1, 2, 1, 1) + torch.repeat_interleave(x, 2, 1) + x.tile(1, 2, 1, 1),
    lambda x: x.repeat_interleave(torch.tensor([1, 0]), 0, output_size=1),
    lambda x: (
        torch.split(x, 2, 1)[0]
        + x.chunk(4, 1)[1]
        + torch.split(x, [2, 6], 1)[0]
        + x.unbind(1)[0][:, None]
    ),
    lambda x: (
        x[:, :, ::2, 1:4:2].contiguous() + x[:, 1, None, ::2, 1:4:2] + x.narrow(1, 0, 1)[0, 0, 0, 0]
    ),
    lambda x: x[..., index(x)] + x[:, :, torch.tensor([0])] + x[:, torch.arange(4), 0].mean(),
    lambda x: x.index_select(3, index(x)) + x.gather(1, (x > 0).long()),
    lambda x: x.tril() + x.triu() + x.diagonal(dim1=2, dim2=3).sum(),
    lambda x: x.scatter(1, (x > 0).long(), x * 2) + x.scatter_add(1, (x > 0).long(), x),
    lambda x: torch.unflatten(x, 1, (2, 4)).movedim(1, 2).flatten(1, 2) + x.expand(2, 8, 6, 6),
    lambda x: x.permute(1, 0, 2, 3).reshape(8, -1).view(8, 2, 36).squeeze().squeeze(0).unsqueeze(1),
    lambda x: x[:, :1].squeeze(1).t_() if x.dim() == 2 else x[:, :1].squeeze(1).squeeze((0, 1)),
    lambda x: torch.stack((x, x * 2), 1) + torch.cat((x, x), 1).view(2, 2, 8, 6, 6),
    lambda x: x.transpose(2, 3).clone() + x.mT + x.swapaxes(2, 3).contiguous(),
    lambda x: x.to(memory_format=torch.channels_last).clone(memory_format=torch.contiguous_format),
    lambda x: x.as_strided((2, 3), (8, 1)) * 2,
    lambda x: x + torch.zeros(6) + torch.ones(6) + torch.full((6,), 2.0) + torch.linspace(0, 1, 6),
    lambda x: x + torch.zeros_like(x) + torch.ones_like(x) + torch.full_like(x, 2) + x.new_ones(6),
    lambda x: x + torch.rand(6) + torch.randn(6) + torch.rand_like(x) + torch.randn_like(x),
    lambda x: x + x.new_zeros(6) + x.new_full((6,), 2.0) + torch.eye(6) + x.new_empty(6).zero_(),
    lambda x: (
        x + torch.tensor([1.0] * 6) + torch.empty_like(x).uniform_() + x.new_empty(6).normal_()
    ),
    lambda x: x + torch.meshgrid(torch.arange(0, 6), torch.arange(6), indexing="ij")[0],
    lambda x: F.dropout2d(x) + F.dropout(x) + F.alpha_dropout(x) + F.feature_alpha_dropout(x),
    lambda x: torch.fft.irfft2(torch.fft.rfft2(x) * 2, s=(6, 6)),
    lambda x: torch.view_as_real(
        torch.view_as_complex(torch.unflatten(x, 3, (3, 2)).contiguous()) * 2
    ),
]
PRODUCTS: list[Call] = [
    lambda x: x @ x + torch.einsum("nchw,nchv->ncwv", x, x),
    lambda x: (
        x.flatten(1) @ x.flatten(1).t() + torch.addmm(x[0, 0, :2, :2], x[0, 0, :2], x[0, 0, :, :2])
    ),
    lambda x: torch.baddbmm(x[0], x[0], x[1]) + torch.bmm(x[0], x[1]),
    lambda x: (
        x[0, 0] @ x[0, 0, 0] + x[0, 0, 0].dot(x[0, 0, 0]) + torch.outer(x[0, 0, 0], x[0, 0, 0])
    ),
    lambda x: F.linear(x, x[0, 0].detach().requires_grad_(), x[0, 0, 0]) + F.linear(x, x[0, 0]),
    lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=torch.zeros(6, 6, dtype=x.dtype)),
    lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1),
    lambda x: torch.cdist(x, x),
]


def layers() -> list[Call]:
    """Return modules: their weights have gradients, too."""
    return [
        *(nn.Conv2d(8, 4, 3), nn.Conv2d(8, 8, 3, groups=8), nn.ConvTranspose2d(8, 4, 2, 2)),
        *(nn.BatchNorm2d(8), nn.GroupNorm(4, 8), nn.InstanceNorm2d(8, affine=True)),
        *(nn.LayerNorm(6), nn.RMSNorm(6), nn.LayerNorm((8, 6, 6))),
        nn.Sequential(nn.Flatten(2), nn.Conv1d(8, 4, 3), nn.BatchNorm1d(4)),
        nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4)),
        nn.Sequential(nn.LocalResponseNorm(3), nn.Linear(6, 4), nn.ReflectionPad2d(1)),
        *(lambda x, layer=layer: layer(x.detach()) for layer in without_input_gradients()),
        lambda x: F.conv_transpose3d(x[None], x.new_ones(2, 1, 3, 1, 1), dilation=2),
        lambda x: F.conv_transpose3d(x[None], x.new_ones(2, 1, 3, 1, 1).requires_grad_()),
    ]


def without_input_gradients() -> list[nn.Module]:
    """Return layers for an input without a gradient; one has a trained bias alone.

    A group normalisation is none of them: PyTorch 2.13 crashes there with its channels last.
    """
    frozen = nn.Conv2d(8, 4, 3)
    frozen.weight.requires_grad_(False)
    return [
        *(frozen, nn.Conv2d(8, 4, 3), nn.ConvTranspose2d(8, 1, 3, dilation=2)),
        *(nn.BatchNorm2d(8), nn.InstanceNorm2d(8, affine=True), nn.LayerNorm(6)),
    ]


CALLS = {
    "elementwise": ELEMENTWISE,
    "reductions": REDUCTIONS,
    "poolings": POOLINGS,
    "moves": MOVES,
    "products": PRODUCTS,
    "layers": layers(),
}


class BothWays(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs every call on empty tensors too and notes where the results are laid out otherwise."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.empty = FakeTensorMode(allow_non_fake_inputs=True)
        self.alike: set[str] = set()
        self.different: dict[str, tuple[Any, Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        stand_ins: dict[int, Tensor] = {}

        def emptied(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            storage = value.untyped_storage()
            if storage._cdata not in stand_ins:
                room = storage.nbytes() // value.element_size()
                stand_ins[storage._cdata] = torch.empty(room, dtype=value.dtype)
            base = stand_ins[storage._cdata]
            return base.as_strided(value.shape, value.stride(), value.storage_offset())

        with self.empty:
            positional, named = tree_map(emptied, (args, kwargs))
            try:
                made: Any = laid_out(
                    as_on_cpu(func, positional, func(*positional, **named)), positional
                )
            except Exception as error:
                made = repr(error)
        results = func(*args, **kwargs)
        real = laid_out(results, args)
        if made == real:
            self.alike.add(name)
        elif is_known(func, args):
            self.different[str(func)] = (real, made)
        return results


def laid_out(results: Any, arguments: Any) -> list[Any]:
    """Return shapes, strides (of extents beyond 1), dtypes, and the bytes or the place shared."""
    before = [t.untyped_storage()._cdata for t in tree_leaves(arguments) if isinstance(t, Tensor)]
    tensors: list[Any] = []
    for each in tree_leaves(results):
        if not isinstance(each, Tensor) or (not each.numel() and each.dim() == 1):
            continue
        storage = each.untyped_storage()
        at = before.index(storage._cdata) if storage._cdata in before else None
        strides = [s for s, extent in zip(each.stride(), each.shape, strict=True) if extent > 1]
        place = ("shares", at) if at is not None else ("bytes", storage.nbytes())
        tensors.append((tuple(each.shape), strides, str(each.dtype), place))
    return tensors
