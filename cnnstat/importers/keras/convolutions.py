"""Convolutions and fully connected layers of Keras.

Padding ``same`` makes the output ceil(n / stride), the odd element after the axis; ``causal`` pads
before the axis alone.
"""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.keras.activations import finished
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.ir.window import Padding

CONVOLUTIONS = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}
TRANSPOSED = {1: ops.ConvTranspose1d, 2: ops.ConvTranspose2d, 3: ops.ConvTranspose3d}


def _padding(call: Call, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Padding:
    kind = call.option("padding", "valid")
    if kind == "same":
        return "same"
    if kind == "valid":
        return (0,) * len(kernel)
    if kind == "causal" and len(kernel) == 1:
        return ((dilation[0] * (kernel[0] - 1), 0),)
    raise call.error(f"padding (={kind!r}) must be valid, same or causal (along one axis)")


def _convolved(
    call: Call, x: Tensor, filters: int, groups: int, *, bias: bool, suffix: str = ""
) -> Tensor:
    kernel, dilation = call.axes("kernel_size"), call.axes("dilation_rate")
    padding, stride = _padding(call, kernel, dilation), call.axes("strides")
    op = CONVOLUTIONS[call.rank](filters, kernel, stride, padding, dilation, groups, bias)
    return call.add(op, x, suffix=suffix)


def convolution(call: Call) -> Tensor | None:
    """``Conv1D``, ``Conv2D``, ``Conv3D``."""
    if call.option("lora_rank"):
        return None
    filters, groups = call.integer("filters"), call.integer("groups", 1)
    return finished(call, _convolved(call, call.image(), filters, groups, bias=call.has_bias))


def depthwise(call: Call) -> Tensor | None:
    """``DepthwiseConv1D``, ``DepthwiseConv2D``: ``depth_multiplier`` kernels a channel."""
    return finished(call, _each_channel(call, bias=call.has_bias))


def _each_channel(call: Call, *, bias: bool, suffix: str = "") -> Tensor:
    x = call.image()
    channels = x.spec.shape[1]
    filters = channels * call.integer("depth_multiplier", 1)
    return _convolved(call, x, filters, channels, bias=bias, suffix=suffix)


def separable(call: Call) -> Tensor | None:
    """``SeparableConv1D``, ``SeparableConv2D``: a depthwise convolution, then one of 1x1."""
    x = _each_channel(call, bias=False, suffix="depthwise")
    one = (1,) * call.rank
    op = CONVOLUTIONS[call.rank](call.integer("filters"), one, bias=call.has_bias)
    return finished(call, call.add(op, x))


def transposed(call: Call) -> Tensor | None:
    """``Conv1DTranspose``, ``Conv2DTranspose``, ``Conv3DTranspose``."""
    kernel, stride = call.axes("kernel_size"), call.axes("strides")
    dilation = call.axes("dilation_rate")
    same = call.option("padding", "valid") == "same"
    free = call.option("output_padding") is None
    stated = [None] * call.rank if free else call.axes("output_padding")
    sides = [
        _transposed_sides(k, s, d, same=same, stated=extra)
        for k, s, d, extra in zip(kernel, stride, dilation, stated, strict=True)
    ]
    if any(more >= max(s, d) for (_, more), s, d in zip(sides, stride, dilation, strict=True)):
        return None
    padding = tuple(before if before == after else (before, after) for (before, after), _ in sides)
    added = tuple(more for _, more in sides)
    filters, groups = call.integer("filters"), call.integer("groups", 1)
    op = TRANSPOSED[call.rank](
        filters, kernel, stride, padding, dilation, added, groups, call.has_bias
    )
    return finished(call, call.add(op, call.image()))


def _transposed_sides(
    k: int, s: int, d: int, *, same: bool, stated: int | None
) -> tuple[tuple[int, int], int]:
    """Return the elements cut off before and after an axis, and those added after it.

    n elements become n*s (``same``) or (n - 1)*s + max(extent, s) (``valid``) of them; with
    ``output_padding`` (n - 1)*s + extent + output_padding, less 2*(extent // 2) for ``same``.
    Source: keras.layers.Conv2DTranspose.
    """
    extent = d * (k - 1) + 1
    if stated is not None:
        cut = extent // 2 if same else 0
        return (cut, cut), stated
    surplus = extent - s
    if not same or surplus < 0:
        return (0, 0), max(-surplus, 0)
    return (surplus // 2, surplus - surplus // 2), 0


def dense(call: Call) -> Tensor | None:
    """``Dense``: a fully connected layer over the last axis."""
    rank, mode = call.integer("lora_rank", 0), call.layer.policy.quantized
    if rank < 0:
        raise call.error(f"lora_rank (={rank}) must not be negative")
    if rank or mode:
        return None if mode not in ("", "int8") else _by_parts(call, rank, quantized=bool(mode))
    op = ops.Linear(call.integer("units"), call.has_bias)
    return finished(call, call.add(op, call.as_keras(call.x)))


def _by_parts(call: Call, rank: int, *, quantized: bool) -> Tensor | None:
    """``Dense`` with a frozen kernel: in int8 with a scale for each unit, or with a LoRA.

    The LoRA's product (in, rank) x (rank, units) is added to the kernel, or, where that is
    quantised, its own two products to the result.
    """
    x, units = call.as_keras(call.x), call.integer("units")
    features = x.spec.shape[-1]
    kernel = call.parameter(
        (features, units), "kernel", dtype="int8" if quantized else "", frozen=True
    )
    if rank:
        a = call.weight((features, rank), "lora_kernel_a")
        b = call.weight((rank, units), "lora_kernel_b")
    if quantized:
        whole = call.add(ops.Pointwise("dynamic_quantize", "int8"), x, suffix="quantize")
        made = call.add(ops.MatMul(), whole, kernel)
        scale = call.parameter((units,), "kernel_scale", frozen=True)
        made = call.add(ops.Pointwise("dequantize", x.dtype), made, scale, suffix="dequantize")
        if rank:
            reduced = call.add(ops.MatMul(), x, a, suffix="lora_a")
            added = _weighted(call, call.add(ops.MatMul(), reduced, b, suffix="lora_b"))
            made = call.add(ops.Pointwise("add"), made, added, suffix="lora")
    else:
        product = _weighted(call, call.add(ops.MatMul(), a, b, suffix="lora"))
        kernel = call.cast(kernel, call.layer.policy.compute, "kernel/to")
        kernel = call.add(ops.Pointwise("add"), kernel, product, suffix="lora/add")
        made = call.add(ops.MatMul(), x, kernel)
    if call.has_bias:
        bias = call.weight((units,), "bias", "bias")
        made = call.add(ops.Pointwise("add"), made, bias, suffix="bias/add")
    return finished(call, made)


def _weighted(call: Call, x: Tensor) -> Tensor:
    """Return a LoRA's product times alpha / rank."""
    factor = float(call.option("lora_alpha", 1)) / float(call.option("lora_rank", 1))
    return call.add(ops.Pointwise("mul", None, (("other", factor),)), x, suffix="lora/mul")
