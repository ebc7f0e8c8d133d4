"""Pooling, padding, cropping and resampling of maps, and layers of single models of Keras."""

from __future__ import annotations

from collections.abc import Sequence

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.importers.keras.shapes import padded
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Padding

MAXIMA = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
MEANS = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}
ADAPTIVE_MAXIMA = {1: ops.AdaptiveMaxPool1d, 2: ops.AdaptiveMaxPool2d, 3: ops.AdaptiveMaxPool3d}
ADAPTIVE_MEANS = {1: ops.AdaptiveAvgPool1d, 2: ops.AdaptiveAvgPool2d, 3: ops.AdaptiveAvgPool3d}
INTERPOLATIONS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "bicubic"}


def pooling(call: Call) -> Tensor:
    """``MaxPooling2D``, ``AveragePooling2D`` and their kin; padding does not enter a mean."""
    kernel = call.axes("pool_size", 2)
    stride = call.axes("strides", kernel)
    same = call.option("padding", "valid") == "same"
    padding: Padding = "same" if same else (0,) * call.rank
    if "Max" in call.layer.kind:
        return call.add(MAXIMA[call.rank](kernel, stride, padding), call.image())
    op = MEANS[call.rank](kernel, stride, padding, count_include_pad=False)
    return call.add(op, call.image())


def adaptive_pooling(call: Call) -> Tensor:
    """``AdaptiveAveragePooling2D``, ``AdaptiveMaxPooling2D`` and their kin."""
    table = ADAPTIVE_MAXIMA if "Max" in call.layer.kind else ADAPTIVE_MEANS
    return call.add(table[call.rank](call.axes("output_size")), call.image())


def global_pooling(call: Call) -> Tensor:
    """``GlobalAveragePooling2D``, ``GlobalMaxPooling2D`` and their kin."""
    table = ADAPTIVE_MAXIMA if "Max" in call.layer.kind else ADAPTIVE_MEANS
    plain = call.layer.kind == "GlobalAveragePooling2D"
    op = ops.GlobalAvgPool2d() if plain else table[call.rank]((1,) * call.rank)
    pooled = call.add(op, call.image())
    if call.option("keepdims"):
        return pooled
    return call.viewed(pooled.spec.shape[:2], pooled, suffix="flatten")


def zero_padding(call: Call) -> Tensor:
    """``ZeroPadding1D`` to ``ZeroPadding3D``."""
    return padded(call, call.image(), ((0, 0), (0, 0), *call.pairs("padding")))


def cropping(call: Call) -> Tensor:
    """``Cropping1D`` to ``Cropping3D``."""
    return _cropped(call, call.image(), call.pairs("cropping"))


def center_crop(call: Call) -> Tensor | None:
    """``CenterCrop`` of images that are not smaller; smaller ones are resized."""
    x = call.image()
    extra = [n - call.integer(key) for n, key in zip(x.spec.shape[2:], SIZE, strict=True)]
    return _cropped(call, x, [(n // 2, n - n // 2) for n in extra]) if min(extra) >= 0 else None


SIZE = ("height", "width")
"""Options of layers whose result has a fixed size."""


def _cropped(call: Call, x: Tensor, sides: Sequence[tuple[int, int]]) -> Tensor:
    for n, (before, after) in zip(x.spec.shape[2:], sides, strict=True):
        if before + after >= n:
            raise call.error(f"cropping {before}+{after} leaves nothing of {n}")
    shape = tuple(n - b - a for n, (b, a) in zip(x.spec.shape[2:], sides, strict=True))
    starts = (0, 0, *(before for before, _ in sides))
    steps = (1,) * len(starts)
    return call.viewed((*x.spec.shape[:2], *shape), x, "slice", starts=starts, steps=steps)


def up_sampling(call: Call) -> Tensor | None:
    """``UpSampling1D`` to ``UpSampling3D``."""
    x, factors = call.image(), call.axes("size", 2)
    size = tuple(n * f for n, f in zip(x.spec.shape[2:], factors, strict=True))
    return _resized(call, x, size, "nearest")


def resizing(call: Call) -> Tensor | None:
    """``Resizing`` without keeping the aspect ratio."""
    special = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    if any(map(call.option, special)):
        return None
    return _resized(call, call.image(), tuple(map(call.integer, SIZE)), "bilinear")


def _resized(call: Call, x: Tensor, size: tuple[int, ...], usual: str) -> Tensor | None:
    mode = INTERPOLATIONS.get(str(call.option("interpolation", usual)))
    return None if mode is None else call.add(ops.Interpolate(size, mode), x)


def masking(call: Call) -> Tensor:
    """``Masking``: steps whose features are all a value become zero."""
    x = call.as_keras(call.x)
    differs = call.add(ops.Pointwise("compare", "bool"), x, suffix="compare")
    unmasked = call.add(ops.Reduce("any", (-1,), True), differs, suffix="any")
    return call.add(ops.Pointwise("mul"), x, call.cast(unmasked, x.dtype))


def category_encoding(call: Call) -> Tensor | None:
    """``CategoryEncoding``: whole numbers as rows of zeros and ones."""
    x, mode = call.as_keras(call.x), call.option("output_mode", "multi_hot")
    if mode not in ("one_hot", "multi_hot") or len(call.tensors) > 1:
        return None
    front = x.spec.shape
    if len(front) > 1 and (mode == "multi_hot" or front[1:] == (1,)):
        front = front[:-1]
    spec = TensorSpec((*front, call.integer("num_tokens")), call.layer.policy.compute)
    return call.add(ops.Rearrange("one_hot", (spec,)), x)


def layer_scale(call: Call) -> Tensor:
    """``LayerScale`` of keras.applications' ConvNeXt: a trained factor for each channel."""
    x = call.as_keras(call.x)
    factors = call.parameter((call.integer("projection_dim"),), "gamma")
    return call.add(ops.Pointwise("mul"), x, factors)


def custom_scale(call: Call) -> Tensor | None:
    """``CustomScaleLayer`` of keras.applications' Inception-ResNet: x + y * scale."""
    if len(call.tensors) != 2:
        return None
    x, y = call.alike(call.tensors)
    scale = (("other", float(call.option("scale", 1.0))),)
    return call.add(ops.Add(), x, call.add(ops.Pointwise("mul", None, scale), y, suffix="mul"))


def stochastic_depth(call: Call) -> Tensor:
    """``StochasticDepth`` of keras.applications' ConvNeXt."""
    return call.add(ops.DropPath(1 - float(call.option("drop_path_rate", 0.0))), call.x)


def dropout(call: Call) -> Tensor:
    """``Dropout`` and its kin: nothing when the model is used."""
    return call.add(ops.Dropout(float(call.option("rate", 0.5))), call.x)
