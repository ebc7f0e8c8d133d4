"""The default input of a module, inferred from its first layer.

That is the first by registration that fixes an input's axes. A module that has a convolution of
images with three channels anywhere takes an image, unless its first layer is one of another rank.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from cnnstat.errors import UsageError
from cnnstat.pytorch.tensors import main_dtype, named_modules

IMAGE = (3, 224, 224)


class Entrance(NamedTuple):
    """An input without the batch: its ``shape``, with 0 for an extent that is open.

    ``spatial`` is its number of spatial axes after the channels; None where any rank fits.
    """

    shape: tuple[int, ...]
    dtype: str
    spatial: int | None = None
    layer: str = ""

    @property
    def example(self) -> str:
        """How an input of the kind is written: ``3x224x224``, ``int64:64``."""
        kind = "" if "float" in self.dtype else f"{self.dtype}:"
        return kind + "x".join(str(extent or 64) for extent in self.shape)

    def completed(self, shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the shape that a short form stands for: ``224`` or ``224x224`` for an image.

        Raises ``UsageError`` for a shape of another rank, and for none where extents are open.
        """
        rank = self.spatial
        usual = "x".join(str(extent or 64) for extent in self.shape)
        if shape is None and 0 in self.shape:
            raise UsageError(
                f"the input is open at the first layer, {self.layer}: give it without the batch, "
                f"as in --input {usual}"
            )
        if shape is None:
            return self.shape
        if rank is None or len(shape) == rank + 1:
            return shape
        if len(shape) == rank:
            return (self.shape[0], *shape)
        if len(shape) == 1:
            return (self.shape[0], *shape * rank)
        said = "x".join(map(str, shape))
        after = f" for the first layer, {self.layer}" if self.layer else ""
        raise UsageError(f"input {said}: expected {rank + 1} extents as in {usual}{after}")


def entrance(module: nn.Module) -> Entrance:
    """Return the input of a module: as its library states it, else as its first layer takes it."""
    dtype = str(main_dtype(module) or "float32").removeprefix("torch.")
    stated = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None) or {}
    size = stated.get("input_size") if isinstance(stated, dict) else None
    if isinstance(size, tuple | list) and len(size) == 3:
        return Entrance(tuple(size), dtype, 2)
    layers = [(name, each) for name, each in named_modules(module) if _fixes_axes(each)]
    images = any(_spatial_rank(each) == 2 and _channels(each) == 3 for _, each in layers)
    first: Any
    name, first = layers[0] if layers else ("", module)
    if not layers or (images and _spatial_rank(first) in (None, 2)):
        return Entrance(IMAGE, dtype, 2)
    return _taken(name, first, dtype)


def _taken(name: str, layer: Any, dtype: str = "float32") -> Entrance:
    """Return the input of a layer that fixes some axes."""
    rank, title = _spatial_rank(layer), f"{name} ({type(layer).__name__})".strip()
    if rank is not None:
        return Entrance((_channels(layer), *(224 if rank == 2 else 0,) * rank), dtype, rank, title)
    if hasattr(layer, "num_embeddings"):
        return Entrance((0,), "int64", layer=title)
    if hasattr(layer, "input_size"):
        return Entrance((0, int(layer.input_size)), dtype, layer=title)
    return Entrance((layer.in_features,), dtype, layer=title)


def example_of(layer: nn.Module) -> str:
    """Return how an input that a layer takes is written: ``int64:64``; empty if any shape fits."""
    return _taken("", layer).example if _fixes_axes(layer) else ""


def _fixes_axes(module: Any) -> bool:
    names = ("in_features", "num_embeddings", "input_size")
    sizes = [getattr(module, name, None) for name in names]
    return (
        any(type(size) is int and size > 0 for size in sizes) or _spatial_rank(module) is not None
    )


def _spatial_rank(module: Any) -> int | None:
    """Return the number of spatial axes of a convolution; None for another module."""
    kernel, channels = getattr(module, "kernel_size", None), getattr(module, "in_channels", None)
    return len(kernel) if isinstance(kernel, tuple) and type(channels) is int else None


def _channels(module: Any) -> int:
    channels: int = module.in_channels
    return channels or 3  # a lazy module takes any
