"""Pooling, padding, cropping, resampling and normalisation of maps."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Rule, Tensor
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Padding

MAXIMA = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
MEANS = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}


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
            pools = (ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
            pooled = call.add(pools[rank - 1](one), x)
        elif rank == 2:
            pooled = call.add(ops.GlobalAvgPool2d(), x)
        else:
            means = {1: ops.AdaptiveAvgPool1d, 3: ops.AdaptiveAvgPool3d}
            pooled = call.add(means[rank](one), x)
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


def batch_norm(call: Call) -> Tensor | None:
    """``BatchNormalization``; the moving statistics are buffers."""
    x = _channels_first(call)
    if x is None:
        return None
    scale, center = call.flag("scale", default=True), call.flag("center", default=True)
    eps = float(call.option("epsilon", 1e-3))
    if scale == center:
        return call.add(ops.BatchNorm2d(scale, eps=eps), x)
    c = x.spec.shape[1]
    normalized = call.add(ops.BatchNorm2d(False, eps=eps), x)
    kind, suffix = ("mul", "gamma") if scale else ("add", "beta")
    shape = (c, *(1,) * (x.spec.rank - 2)) if x.channels_first else (c,)
    value = call.parameter(shape, suffix, "weight" if scale else "bias")
    return call.add(ops.Pointwise(kind), normalized, value, suffix=kind)


def _channels_first(call: Call) -> Tensor | None:
    """Return the first tensor with the option's ``axis`` as its axis 1; None for another axis."""
    axis = call.option("axis", -1)
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    x = call.x
    if type(axis) is not int:
        return None
    if axis in (-1, x.spec.rank - 1):
        return call.with_channels_first(x)
    return call.as_keras(x) if axis == 1 else None


def layer_norm(call: Call) -> Tensor | None:
    """``LayerNormalization`` over the last axes."""
    x = call.as_keras(call.x)
    axis = call.option("axis", -1)
    axes = sorted(a % x.spec.rank for a in (axis if isinstance(axis, list) else [axis]))
    if axes != list(range(x.spec.rank - len(axes), x.spec.rank)):
        return None
    scale, center = call.flag("scale", default=True), call.flag("center", default=True)
    eps = float(call.option("epsilon", 1e-3))
    if call.flag("rms_scaling", default=False):
        return call.add(ops.RMSNorm(len(axes), True, eps), x)
    if center and not scale:
        return None
    return call.add(ops.LayerNorm(len(axes), scale, center, eps), x)


def group_norm(call: Call) -> Tensor | None:
    """``GroupNormalization``; -1 groups are one for each channel."""
    x = _channels_first(call)
    scale, center = call.flag("scale", default=True), call.flag("center", default=True)
    if x is None or scale != center:
        return None
    groups = call.integer("groups", 32)
    channels = x.spec.shape[1]
    eps = float(call.option("epsilon", 1e-3))
    return call.add(ops.GroupNorm(channels if groups == -1 else groups, scale, eps), x)


def rescaling(call: Call) -> Tensor:
    """``Rescaling``: x * scale + offset."""
    x = call.x if "float" in call.x.dtype else call.cast(call.x, "float32")
    scale, offset = call.option("scale", 1.0), call.option("offset", 0.0)
    scaled = call.add(ops.Pointwise("mul", None, (("other", scale),)), x)
    if not offset:
        return scaled
    return call.add(ops.Pointwise("add", None, (("other", offset),)), scaled, suffix="offset")


def normalization(call: Call) -> Tensor | None:
    """Read ``Normalization``: by constants, or by adapted statistics, which are buffers."""
    x = call.x if "float" in call.x.dtype else call.cast(call.x, "float32")
    if call.option("mean") is not None:
        centered = call.add(ops.Pointwise("sub"), x)
        return call.add(ops.Pointwise("div"), centered, suffix="div")
    axis = call.option("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    shape = tuple(x.shape[a] for a in axes if type(a) is int)
    mean = call.parameter(shape, "mean", "buffer")
    variance = call.parameter(shape, "variance", "buffer")
    call.parameter((), "count", "buffer", "int32")
    if axes not in ([-1], [x.spec.rank - 1]):
        return None
    if x.channels_first:
        spec = TensorSpec((*shape, *(1,) * (x.spec.rank - 2)), "float32")
        mean = call.add(ops.View("reshape", (spec,)), mean, suffix="mean/reshape")
        variance = call.add(ops.View("reshape", (spec,)), variance, suffix="variance/reshape")
    centered = call.add(ops.Pointwise("sub"), x, mean)
    return call.add(ops.Pointwise("div"), centered, variance, suffix="div")


def layer_scale(call: Call) -> Tensor | None:
    """``LayerScale`` of keras.applications' ConvNeXt: a trained factor for each channel."""
    if "applications" not in call.layer.module:
        return None
    x = call.as_keras(call.x)
    factors = call.parameter((call.integer("projection_dim"),), "gamma")
    return call.add(ops.Pointwise("mul"), x, factors)


def stochastic_depth(call: Call) -> Tensor | None:
    """``StochasticDepth`` of keras.applications' ConvNeXt."""
    if "applications" not in call.layer.module:
        return None
    return call.add(ops.DropPath(1 - float(call.option("drop_path_rate", 0.0))), call.x)


def dropout(call: Call) -> Tensor:
    """``Dropout`` and its kin: nothing when the model is used."""
    rate = call.option("rate", 0.5)
    return call.add(ops.Dropout(float(rate)), call.x)
