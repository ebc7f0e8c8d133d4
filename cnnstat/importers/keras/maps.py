"""Pooling, padding, cropping, resampling and normalisation of maps."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Padding

MAXIMA = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
MEANS = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}


ADAPTIVE_MAXIMA = {1: ops.AdaptiveMaxPool1d, 2: ops.AdaptiveMaxPool2d, 3: ops.AdaptiveMaxPool3d}
ADAPTIVE_MEANS = {1: ops.AdaptiveAvgPool1d, 2: ops.AdaptiveAvgPool2d, 3: ops.AdaptiveAvgPool3d}


def pooling(kind: str, rank: int) -> Rule:
    """``MaxPooling2D``, ``AveragePooling2D`` and their kin; padding does not enter a mean."""

    def rule(call: Call) -> Tensor:
        kernel = call.axes("pool_size", rank, 2)
        stride = call.axes("strides", rank, list(kernel))
        same = call.option("padding", "valid") == "same"
        padding: Padding = "same" if same else (0,) * rank
        x = call.image(rank)
        if kind == "max":
            return call.add(MAXIMA[rank](kernel, stride, padding), x)
        return call.add(MEANS[rank](kernel, stride, padding, count_include_pad=False), x)

    return rule


def global_pooling(kind: str, rank: int) -> Rule:
    """``GlobalAveragePooling2D``, ``GlobalMaxPooling2D`` and their kin."""

    def rule(call: Call) -> Tensor:
        x = call.image(rank)
        one = (1,) * rank
        if kind == "max":
            pooled = call.add(ADAPTIVE_MAXIMA[rank](one), x)
        elif rank == 2:
            pooled = call.add(ops.GlobalAvgPool2d(), x)
        else:
            pooled = call.add(ADAPTIVE_MEANS[rank](one), x)
        if call.flag("keepdims", default=False):
            return pooled
        flat = TensorSpec(pooled.spec.shape[:2], pooled.dtype)
        return call.add(
            ops.View("reshape", (flat,)), pooled, suffix="flatten", channels_first=False
        )

    return rule


def zero_padding(rank: int) -> Rule:
    """``ZeroPadding1D`` to ``ZeroPadding3D``."""

    def rule(call: Call) -> Tensor:
        x = call.image(rank)
        sides = ((0, 0), (0, 0), *call.pairs("padding", rank))
        shape = tuple(b + n + a for n, (b, a) in zip(x.spec.shape, sides, strict=True))
        before, after = zip(*sides, strict=True)
        arguments = (("before", before), ("after", after))
        return call.add(ops.Rearrange("pad", (TensorSpec(shape, x.dtype),), arguments), x)

    return rule


def cropping(rank: int) -> Rule:
    """``Cropping1D`` to ``Cropping3D``."""

    def rule(call: Call) -> Tensor:
        x = call.image(rank)
        sides = ((0, 0), (0, 0), *call.pairs("cropping", rank))
        for n, (before, after) in zip(x.spec.shape, sides, strict=True):
            if before + after >= n:
                raise call.error(f"cropping {before}+{after} leaves nothing of {n}")
        shape = tuple(n - b - a for n, (b, a) in zip(x.spec.shape, sides, strict=True))
        starts = tuple(before for before, _ in sides)
        arguments = (("starts", starts), ("steps", (1,) * len(starts)))
        return call.add(ops.View("slice", (TensorSpec(shape, x.dtype),), arguments), x)

    return rule


def up_sampling(rank: int) -> Rule:
    """``UpSampling1D`` to ``UpSampling3D``."""

    def rule(call: Call) -> Tensor | None:
        modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "bicubic"}
        mode = modes.get(str(call.option("interpolation", "nearest")))
        if mode is None:
            return None
        x = call.image(rank)
        factors = call.axes("size", rank, 2)
        size = tuple(n * f for n, f in zip(x.spec.shape[2:], factors, strict=True))
        return call.add(ops.Interpolate(size, mode), x)

    return rule


def resizing(call: Call) -> Tensor | None:
    """``Resizing`` without keeping the aspect ratio."""
    modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "bicubic"}
    mode = modes.get(str(call.option("interpolation", "bilinear")))
    special = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    if mode is None or any(call.flag(key, default=False) for key in special):
        return None
    size = (call.integer("height"), call.integer("width"))
    return call.add(ops.Interpolate(size, mode), call.image(2))


def center_crop(call: Call) -> Tensor | None:
    """``CenterCrop`` of images that are not smaller; smaller ones are resized."""
    x = call.image(2)
    n, c, h, w = x.spec.shape
    height, width = call.integer("height"), call.integer("width")
    if height > h or width > w:
        return None
    starts = (0, 0, (h - height) // 2, (w - width) // 2)
    arguments = (("starts", starts), ("steps", (1,) * 4))
    spec = TensorSpec((n, c, height, width), x.dtype)
    return call.add(ops.View("slice", (spec,), arguments), x)


def adaptive_pooling(kind: str, rank: int) -> Rule:
    """``AdaptiveAveragePooling2D``, ``AdaptiveMaxPooling2D`` and their kin."""

    def rule(call: Call) -> Tensor:
        size = call.axes("output_size", rank)
        table = ADAPTIVE_MAXIMA if kind == "max" else ADAPTIVE_MEANS
        return call.add(table[rank](size), call.image(rank))

    return rule


def masking(call: Call) -> Tensor:
    """``Masking``: steps whose features are all a value become zero."""
    x = call.as_keras(call.x)
    differs = call.add(ops.Pointwise("compare", "bool"), x, suffix="compare")
    unmasked = call.add(ops.Reduce("any", (-1,), True), differs, suffix="any")
    factor = call.cast(unmasked, x.dtype)
    return call.add(ops.Pointwise("mul"), x, factor)


def category_encoding(call: Call) -> Tensor | None:
    """``CategoryEncoding``: whole numbers as rows of zeros and ones."""
    x, mode = call.as_keras(call.x), call.option("output_mode", "multi_hot")
    if mode not in ("one_hot", "multi_hot") or len(call.tensors) > 1:
        return None
    front = x.spec.shape
    if mode == "multi_hot" or front[1:] == (1,):
        front = front[:-1] if len(front) > 1 else front
    spec = TensorSpec((*front, call.integer("num_tokens")), call.policy.compute)
    return call.add(ops.Rearrange("one_hot", (spec,)), x)


def layer_scale(call: Call) -> Tensor | None:
    """``LayerScale`` of keras.applications' ConvNeXt: a trained factor for each channel."""
    if "applications" not in call.layer.module:
        return None
    x = call.as_keras(call.x)
    factors = call.parameter((call.integer("projection_dim"),), "gamma")
    return call.add(ops.Pointwise("mul"), x, factors)


def custom_scale(call: Call) -> Tensor | None:
    """``CustomScaleLayer`` of keras.applications' Inception-ResNet: x + y * scale."""
    if "applications" not in call.layer.module or len(call.tensors) != 2:
        return None
    x, y = call.alike(call.tensors)
    scale = (("other", float(call.option("scale", 1.0))),)
    return call.add(ops.Add(), x, call.add(ops.Pointwise("mul", None, scale), y, suffix="mul"))


def stochastic_depth(call: Call) -> Tensor | None:
    """``StochasticDepth`` of keras.applications' ConvNeXt."""
    if "applications" not in call.layer.module:
        return None
    return call.add(ops.DropPath(1 - float(call.option("drop_path_rate", 0.0))), call.x)


def dropout(call: Call) -> Tensor:
    """``Dropout`` and its kin: nothing when the model is used."""
    rate = call.option("rate", 0.5)
    return call.add(ops.Dropout(float(rate)), call.x)
