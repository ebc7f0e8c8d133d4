"""Convolutions and fully connected layers of Keras.

Padding ``same`` makes the output ceil(n / stride), the odd element after the axis; ``causal`` pads
before the axis alone.
"""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.keras.activations import finished
from cnnstat.importers.keras.call import Call, Rule, Tensor
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


def convolution(rank: int) -> Rule:
    """``Conv1D``, ``Conv2D``, ``Conv3D``."""

    def rule(call: Call) -> Tensor | None:
        if call.option("lora_rank"):
            return None
        x = call.image(rank)
        kernel, dilation = call.axes("kernel_size", rank), call.axes("dilation_rate", rank)
        op = CONVOLUTIONS[rank](
            call.integer("filters"),
            kernel,
            call.axes("strides", rank),
            _padding(call, kernel, dilation),
            dilation,
            call.integer("groups", 1),
            call.flag("use_bias", default=True),
        )
        return finished(call, call.add(op, x))

    return rule


def depthwise(rank: int) -> Rule:
    """``DepthwiseConv1D``, ``DepthwiseConv2D``: ``depth_multiplier`` kernels a channel."""

    def rule(call: Call) -> Tensor | None:
        x = _depthwise(call, call.image(rank), rank, bias=call.flag("use_bias", default=True))
        return finished(call, x)

    return rule


def _depthwise(call: Call, x: Tensor, rank: int, *, bias: bool, suffix: str = "") -> Tensor:
    channels = x.spec.shape[1]
    kernel, dilation = call.axes("kernel_size", rank), call.axes("dilation_rate", rank)
    op = CONVOLUTIONS[rank](
        channels * call.integer("depth_multiplier", 1),
        kernel,
        call.axes("strides", rank),
        _padding(call, kernel, dilation),
        dilation,
        channels,
        bias,
    )
    return call.add(op, x, suffix=suffix)


def separable(rank: int) -> Rule:
    """``SeparableConv1D``, ``SeparableConv2D``: a depthwise convolution, then one of 1x1."""

    def rule(call: Call) -> Tensor | None:
        x = _depthwise(call, call.image(rank), rank, bias=False, suffix="depthwise")
        op = CONVOLUTIONS[rank](
            call.integer("filters"), (1,) * rank, bias=call.flag("use_bias", default=True)
        )
        return finished(call, call.add(op, x))

    return rule


def transposed(rank: int) -> Rule:
    """``Conv1DTranspose``, ``Conv2DTranspose``, ``Conv3DTranspose``."""

    def rule(call: Call) -> Tensor | None:
        kernel, stride = call.axes("kernel_size", rank), call.axes("strides", rank)
        dilation = call.axes("dilation_rate", rank)
        same = call.option("padding", "valid") == "same"
        extra = call.option("output_padding")
        stated = None if extra is None else call.axes("output_padding", rank)
        sides = [
            _transposed_sides(k, s, d, same=same, stated=None if stated is None else stated[axis])
            for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True))
        ]
        if any(more >= max(s, d) for (_, more), s, d in zip(sides, stride, dilation, strict=True)):
            return None
        padding: tuple[int | tuple[int, int], ...] = tuple(
            before if before == after else (before, after) for (before, after), _ in sides
        )
        op = TRANSPOSED[rank](
            call.integer("filters"),
            kernel,
            stride,
            padding,
            dilation,
            tuple(more for _, more in sides),
            call.integer("groups", 1),
            call.flag("use_bias", default=True),
        )
        return finished(call, call.add(op, call.image(rank)))

    return rule


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
    rank, mode = call.integer("lora_rank", 0), call.policy.quantized
    if rank < 0:
        raise call.error(f"lora_rank (={rank}) must not be negative")
    if rank or mode:
        return None if mode not in ("", "int8") else _by_parts(call, rank, quantized=bool(mode))
    op = ops.Linear(call.integer("units"), call.flag("use_bias", default=True))
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
        a = call.computed(call.parameter((features, rank), "lora_kernel_a"), "lora_kernel_a/to")
        b = call.computed(call.parameter((rank, units), "lora_kernel_b"), "lora_kernel_b/to")
    if quantized:
        whole = call.add(ops.Pointwise("dynamic_quantize", "int8"), x, suffix="quantize")
        made = call.add(ops.MatMul(), whole, kernel)
        scale = call.parameter((units,), "kernel_scale", frozen=True)
        made = call.add(ops.Pointwise("dequantize", x.dtype), made, scale, suffix="dequantize")
        if rank:
            added = call.add(
                ops.MatMul(), call.add(ops.MatMul(), x, a, suffix="lora_a"), b, suffix="lora_b"
            )
            made = call.add(ops.Pointwise("add"), made, _weighted(call, added), suffix="lora")
    else:
        product = _weighted(call, call.add(ops.MatMul(), a, b, suffix="lora"))
        kernel = call.computed(kernel, "kernel/to")
        kernel = call.add(ops.Pointwise("add"), kernel, product, suffix="lora/add")
        made = call.add(ops.MatMul(), x, kernel)
    if call.flag("use_bias", default=True):
        bias = call.computed(call.parameter((units,), "bias", "bias"), "bias/to")
        made = call.add(ops.Pointwise("add"), made, bias, suffix="bias/add")
    return finished(call, made)


def _weighted(call: Call, x: Tensor) -> Tensor:
    """Return a LoRA's product times alpha / rank."""
    factor = float(call.option("lora_alpha", 1)) / float(call.option("lora_rank", 1))
    return call.add(ops.Pointwise("mul", None, (("other", factor),)), x, suffix="lora/mul")
