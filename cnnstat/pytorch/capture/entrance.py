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
        if len(shape) in (1, rank):
            return (self.shape[0], *(shape if len(shape) == rank else shape * rank))
        extents = "x".join(map(str, shape))
        after = f" for the first layer, {self.layer}" if self.layer else ""
        raise UsageError(f"input {extents}: expected {rank + 1} extents as in {usual}{after}")


def entrance(module: nn.Module) -> Entrance:
    """Return the input of a module: as its library states it, else as its first layer takes it."""
    dtype = str(main_dtype(module) or "float32").removeprefix("torch.")
    stated = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None) or {}
    size = stated.get("input_size") if isinstance(stated, dict) else None
    if isinstance(size, tuple | list) and len(size) == 3:
        return Entrance(tuple(size), dtype, 2)
    inputs = [_taken(name, each, dtype) for name, each in named_modules(module)]
    layers = [each for each in inputs if each is not None]
    images = any(each.spatial == 2 and each.shape[0] == 3 for each in layers)
    if not layers or (images and layers[0].spatial in (None, 2)):
        return Entrance(IMAGE, dtype, 2)
    return layers[0]


def _taken(name: str, layer: Any, dtype: str = "float32") -> Entrance | None:
    """Return the input of a layer that fixes some axes; None for any other module."""
    title = f"{name} ({type(layer).__name__})".strip()
    kernel, channels = getattr(layer, "kernel_size", None), getattr(layer, "in_channels", None)
    if isinstance(kernel, tuple) and type(channels) is int:
        extents = (224 if len(kernel) == 2 else 0,) * len(kernel)
        # a lazy module takes any channels
        return Entrance((channels or 3, *extents), dtype, len(kernel), title)
    forms = (
        ("num_embeddings", lambda size: (0,), "int64"),
        ("input_size", lambda size: (0, size), dtype),
        ("in_features", lambda size: (size,), dtype),
    )
    for attribute, shape, kind in forms:
        size = getattr(layer, attribute, None)
        if type(size) is int and size > 0:
            return Entrance(shape(size), kind, layer=title)
    return None


def example_of(layer: nn.Module) -> str:
    """Return how an input that a layer takes is written: ``int64:64``; empty if any shape fits."""
    taken = _taken("", layer)
    return taken.example if taken else ""
