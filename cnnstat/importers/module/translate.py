"""ATen function -> operator: ``RULES``, one line a function; a rule reads a call and says what it means.

Names stand without the trailing underscore of in-place forms. What is in no table is split into its
parts by PyTorch where it can be; what is left and is no view becomes an ``Opaque`` row, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from cnnstat import ops
from cnnstat.importers.module.capture import Call, spec_of
from cnnstat.ir.op import Op


class Meaning(NamedTuple):
    """What a call is: the operator, the tensors it reads, the stored tensors it holds as weights."""

    op: Op
    reads: tuple[torch.Tensor, ...]
    weights: tuple[torch.Tensor, ...] = ()


Rule = Callable[[Call], Meaning | None]


def leaf(name: str) -> bool:
    """Return whether a function is understood as it stands."""
    plain = plain_name(name)
    return plain in RULES or plain in MOVES


def plain_name(name: str) -> str:
    """Return an ATen name without the underscore of its in-place form."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def meaning(call: Call) -> Meaning | None:
    """Return what a call means; None for a call that gives back its input."""
    name = plain_name(call.name)
    reads = tensors(*call.arguments.values())
    if name in ("alias", "detach", "lift_fresh") or _returns_input(call):
        return None
    rule = RULES.get(name)
    found = rule(call) if rule else None
    if found is not None:
        return found
    results = tuple(spec_of(result) for result in call.results)
    if not results:
        return None
    if name in MOVES or not reads:
        return Meaning(ops.Rearrange(name, results), reads)
    if name not in RULES and _is_view(call):
        return Meaning(ops.View(name, results), reads[:1])
    return Meaning(ops.Opaque(name, results), reads)


def tensors(*values: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors among values, those in lists too, in order."""
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors(*value)
    return tuple(found)


def _returns_input(call: Call) -> bool:
    """Return whether a call that acts on nothing gave back the very tensor it got (``contiguous``)."""
    name = plain_name(call.name)
    if name in RULES or call.name.endswith("_"):
        return False
    return len(call.results) == 1 and call.results[0] is call.arguments.get("self")


def _is_view(call: Call) -> bool:
    returns = call.function._schema.returns
    alias = returns[0].alias_info if returns else None
    return alias is not None and not alias.is_write


def _axes(value: Any, rank: int) -> tuple[int, ...]:
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (values * rank if len(values) == 1 else values))


# Each rule is named after what it understands; ``a`` are the call's arguments by name.


def _convolution(call: Call) -> Meaning | None:
    a = call.arguments
    rank = a["weight"].dim() - 2
    x, weight, bias = a["input"], a["weight"], a.get("bias")
    held = tensors(weight, bias)
    if x.dim() != rank + 2 or rank not in (1, 2, 3):
        return None
    transposed = bool(a.get("transposed", False)) or "conv_transpose" in call.name
    padding = a.get("padding", 0)
    kernel = tuple(weight.shape[2:])
    stride, dilation = _axes(a["stride"], rank), _axes(a["dilation"], rank)
    groups = int(a["groups"])
    if transposed:
        if rank != 2:
            return None
        op: Op = ops.ConvTranspose2d(
            int(weight.shape[1]) * groups,
            kernel,
            stride,
            _axes(padding, rank),
            dilation,
            _axes(a.get("output_padding", 0), rank),
            groups,
            bias is not None,
        )
        return Meaning(op, (x,), held)
    if padding == "valid":
        padding = 0
    pads: Any = "same" if padding == "same" else _axes(padding, rank)
    kind = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}[rank]
    out = int(weight.shape[0])
    return Meaning(kind(out, kernel, stride, pads, dilation, groups, bias is not None), (x,), held)


def _linear(call: Call) -> Meaning | None:
    a = call.arguments
    bias = a.get("bias")
    if a["weight"].dim() != 2 or a["input"].dim() < 2:
        return None
    op = ops.Linear(int(a["weight"].shape[0]), bias is not None)
    return Meaning(op, (a["input"],), tensors(a["weight"], bias))


def _product(call: Call) -> Meaning | None:
    a = call.arguments
    left = a.get("self", a.get("input"))
    right = next(a[k] for k in ("other", "mat2", "vec2", "vec", "tensor") if k in a)
    return Meaning(ops.MatMul(), tensors(left, right))


def _batch_norm(call: Call) -> Meaning | None:
    a = call.arguments
    if a["running_mean"] is None:
        return None
    affine = a["weight"] is not None
    held = tensors(a["weight"], a["bias"], a["running_mean"], a["running_var"])
    return Meaning(ops.BatchNorm2d(affine), (a["input"],), held)


def _layer_norm(call: Call) -> Meaning:
    a = call.arguments
    op = ops.LayerNorm(
        len(a["normalized_shape"]), a["weight"] is not None, a.get("bias") is not None
    )
    return Meaning(op, (a["input"],), tensors(a["weight"], a.get("bias")))


def _rms_norm(call: Call) -> Meaning:
    a = call.arguments
    op = ops.RMSNorm(len(a["normalized_shape"]), a["weight"] is not None)
    return Meaning(op, (a["input"],), tensors(a["weight"]))


def _group_norm(call: Call) -> Meaning:
    a = call.arguments
    op = ops.GroupNorm(int(a["num_groups"]), a["weight"] is not None)
    return Meaning(op, (a["input"],), tensors(a["weight"], a["bias"]))


def _instance_norm(call: Call) -> Meaning | None:
    a = call.arguments
    if a["running_mean"] is not None:
        return None
    op = ops.InstanceNorm(a["weight"] is not None)
    return Meaning(op, (a["input"],), tensors(a["weight"], a["bias"]))


def _unary(op: Op) -> Rule:
    def rule(call: Call) -> Meaning:
        first = call.arguments.get("self", call.arguments.get("input"))
        return Meaning(op, tensors(first))

    return rule


def _nonlinearity(kind: str) -> Rule:
    return _unary(ops.Nonlinearity(kind))


def _hardtanh(call: Call) -> Meaning:
    six = (call.arguments["min_val"], call.arguments["max_val"]) == (0, 6)
    return Meaning(ops.Nonlinearity("ReLU6" if six else "Hardtanh"), (call.arguments["self"],))


def _prelu(call: Call) -> Meaning:
    weight = call.arguments["weight"]
    return Meaning(ops.PReLU(int(weight.numel())), (call.arguments["self"],), (weight,))


def _softmax(call: Call) -> Meaning:
    return Meaning(ops.Softmax(int(call.arguments["dim"])), (call.arguments["self"],))


def _dropout(call: Call) -> Meaning:
    a = call.arguments
    return Meaning(ops.Dropout(float(a["p"])), (a["input"],))


def _pointwise(kind: str) -> Rule:
    def rule(call: Call) -> Meaning | None:
        reads = tensors(*call.arguments.values())
        result = spec_of(call.results[0])
        shapes = {tuple(read.shape) for read in reads}
        if kind == "add" and len(reads) == 2 and len(shapes) == 1:
            return Meaning(ops.Add(), reads)
        dtype = None if reads and spec_of(reads[0]).dtype == result.dtype else result.dtype
        return Meaning(ops.Pointwise(kind, dtype), reads) if reads else None

    return rule


def _reduce(kind: str) -> Rule:
    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        axes = a.get("dim")
        if len(call.results) != 1:  # values and indices
            return None
        over = () if axes is None or axes == [] else _axes(axes, 1)
        return Meaning(ops.Reduce(kind, over, bool(a.get("keepdim", False))), (a["self"],))

    return rule


def _pool_window(a: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    kernel = _axes(a["kernel_size"], 2)
    return kernel, _axes(a["stride"], 2) if a["stride"] else kernel, _axes(a["padding"], 2)


def _max_pool(call: Call) -> Meaning | None:
    a = call.arguments
    if set(_axes(a["dilation"], 2)) != {1} or a["self"].dim() != 4:
        return None
    window = _pool_window(a)
    op = ops.MaxPool2d(*window, bool(a["ceil_mode"]), return_indices=len(call.results) > 1)
    return Meaning(op, (a["self"],))


def _avg_pool(call: Call) -> Meaning | None:
    a = call.arguments
    if a["self"].dim() != 4:
        return None
    op = ops.AvgPool2d(*_pool_window(a), bool(a["ceil_mode"]), bool(a["count_include_pad"]))
    return Meaning(op, (a["self"],))


def _adaptive_pool(kind: type[ops.AdaptiveAvgPool2d] | type[ops.AdaptiveMaxPool2d]) -> Rule:
    def rule(call: Call) -> Meaning | None:
        x = call.arguments["self"]
        if x.dim() != 4:
            return None
        size = tuple(int(n) for n in call.results[0].shape[2:])
        if kind is ops.AdaptiveAvgPool2d and size == (1, 1):
            return Meaning(ops.GlobalAvgPool2d(), (x,))
        return Meaning(kind(size), (x,))

    return rule


def _interpolate(mode: str) -> Rule:
    def rule(call: Call) -> Meaning:
        x = call.arguments.get("input", call.arguments.get("self"))
        size = tuple(int(n) for n in call.results[0].shape[2:])
        return Meaning(ops.Interpolate(size, mode), tensors(x))

    return rule


def _attention(call: Call) -> Meaning:
    a = call.arguments
    return Meaning(ops.Attention(), tensors(a["query"], a["key"], a["value"], a.get("attn_mask")))


def _concat(call: Call) -> Meaning:
    a = call.arguments
    return Meaning(ops.Concat(int(a["dim"])), tensors(a["tensors"]))


def _flatten(call: Call) -> Meaning:
    x, result = call.arguments["self"], call.results[0]
    if result.dim() == 2 and x.dim() > 2 and result.shape[0] == x.shape[0]:
        return Meaning(ops.Flatten(), (x,))
    return Meaning(ops.View("flatten", (spec_of(result),)), (x,))


def _embedding(call: Call) -> Meaning:
    weight, indices = call.arguments["weight"], call.arguments["indices"]
    rows, width = (int(n) for n in weight.shape)
    op = ops.Embedding(rows, width, spec_of(weight).dtype)
    return Meaning(op, (indices,), (weight,))


def _recurrent(kind: str) -> Rule:
    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        if "params" not in a or a["input"].dim() != 3:
            return None
        state = call.results[1]
        op = ops.Recurrent(
            kind,
            int(state.shape[-1]),
            int(a["num_layers"]),
            2 if a["bidirectional"] else 1,
            bool(a["has_biases"]),
            bool(a["batch_first"]),
        )
        projected = int(call.results[0].shape[-1]) != op.hidden * op.directions
        return None if projected else Meaning(op, (a["input"],), tensors(a["params"]))

    return rule


RULES: dict[str, Rule] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv_transpose2d": _convolution,
    "convolution": _convolution,
    "linear": _linear,
    "matmul": _product,
    "mm": _product,
    "bmm": _product,
    "mv": _product,
    "dot": _product,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "relu": _unary(ops.ReLU()),
    "sigmoid": _unary(ops.Sigmoid()),
    "tanh": _unary(ops.Tanh()),
    "relu6": _nonlinearity("ReLU6"),
    "hardtanh": _hardtanh,
    "silu": _nonlinearity("SiLU"),
    "gelu": _nonlinearity("GELU"),
    "hardswish": _nonlinearity("Hardswish"),
    "hardsigmoid": _nonlinearity("Hardsigmoid"),
    "elu": _nonlinearity("ELU"),
    "selu": _nonlinearity("SELU"),
    "celu": _nonlinearity("CELU"),
    "leaky_relu": _nonlinearity("LeakyReLU"),
    "mish": _nonlinearity("Mish"),
    "softplus": _nonlinearity("Softplus"),
    "softsign": _nonlinearity("Softsign"),
    "log_sigmoid": _nonlinearity("LogSigmoid"),
    "log_softmax": _nonlinearity("LogSoftmax"),
    "erf": _nonlinearity("Erf"),
    "prelu": _prelu,
    "softmax": _softmax,
    "_softmax": _softmax,
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "alpha_dropout": _dropout,
    "scaled_dot_product_attention": _attention,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive_pool(ops.AdaptiveAvgPool2d),
    "adaptive_max_pool2d": _adaptive_pool(ops.AdaptiveMaxPool2d),
    "upsample_nearest1d": _interpolate("nearest"),
    "upsample_nearest2d": _interpolate("nearest"),
    "upsample_nearest3d": _interpolate("nearest"),
    "_upsample_nearest_exact2d": _interpolate("nearest-exact"),
    "upsample_linear1d": _interpolate("linear"),
    "upsample_bilinear2d": _interpolate("linear"),
    "upsample_trilinear3d": _interpolate("linear"),
    "_upsample_bilinear2d_aa": _interpolate("linear"),
    "upsample_bicubic2d": _interpolate("bicubic"),
    "_upsample_bicubic2d_aa": _interpolate("bicubic"),
    "cat": _concat,
    "concat": _concat,
    "flatten": _flatten,
    "embedding": _embedding,
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "rnn_tanh": _recurrent("RNN"),
    "rnn_relu": _recurrent("RNN"),
    "mean": _reduce("mean"),
    "sum": _reduce("sum"),
    "amax": _reduce("max"),
    "amin": _reduce("min"),
    "max": _reduce("max"),
    "min": _reduce("min"),
    "argmax": _reduce("argmax"),
    "argmin": _reduce("argmin"),
    "any": _reduce("any"),
    "all": _reduce("all"),
    "linalg_vector_norm": _reduce("norm"),
    "var": _reduce("var"),
    "add": _pointwise("add"),
    "sub": _pointwise("sub"),
    "rsub": _pointwise("rsub"),
    "mul": _pointwise("mul"),
    "div": _pointwise("div"),
    "remainder": _pointwise("remainder"),
    "floor_divide": _pointwise("floor_divide"),
    "reciprocal": _pointwise("reciprocal"),
    "pow": _pointwise("pow"),
    "square": _pointwise("mul"),
    "sqrt": _pointwise("sqrt"),
    "rsqrt": _pointwise("rsqrt"),
    "exp": _pointwise("exp"),
    "log": _pointwise("log"),
    "sin": _pointwise("sin"),
    "cos": _pointwise("cos"),
    "neg": _pointwise("neg"),
    "abs": _pointwise("abs"),
    "sign": _pointwise("sign"),
    "round": _pointwise("round"),
    "floor": _pointwise("round"),
    "ceil": _pointwise("round"),
    "clamp": _pointwise("clamp"),
    "clamp_min": _pointwise("clamp"),
    "clamp_max": _pointwise("clamp"),
    "maximum": _pointwise("maximum"),
    "minimum": _pointwise("minimum"),
    "eq": _pointwise("compare"),
    "ne": _pointwise("compare"),
    "lt": _pointwise("compare"),
    "le": _pointwise("compare"),
    "gt": _pointwise("compare"),
    "ge": _pointwise("compare"),
    "logical_and": _pointwise("logical"),
    "logical_or": _pointwise("logical"),
    "logical_not": _pointwise("logical"),
    "bitwise_and": _pointwise("logical"),
    "bitwise_or": _pointwise("logical"),
    "bitwise_not": _pointwise("logical"),
    "where": _pointwise("where"),
    "masked_fill": _pointwise("masked_fill"),
}
"""ATen functions with work or weights."""

MOVES = frozenset(
    [
        "clone",
        "contiguous",
        "copy",
        "_to_copy",
        "to",
        "type_as",
        "constant_pad_nd",
        "pad",
        "reflection_pad1d",
        "reflection_pad2d",
        "replication_pad1d",
        "replication_pad2d",
        "roll",
        "flip",
        "gather",
        "index",
        "index_select",
        "index_put",
        "scatter",
        "take",
        "stack",
        "repeat",
        "tile",
        "repeat_interleave",
        "im2col",
        "pixel_shuffle",
        "pixel_unshuffle",
        "channel_shuffle",
        "native_channel_shuffle",
        "tril",
        "triu",
        "one_hot",
        "meshgrid",
        "fill",
        "zero",
        "sort",
        "topk",
        "argsort",
        "nonzero",
        "arange",
        "linspace",
        "zeros",
        "ones",
        "full",
        "empty",
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
        "eye",
        "scalar_tensor",
        "rand",
        "randn",
        "randperm",
        "rand_like",
        "randn_like",
        "bernoulli",
    ]
)
"""ATen functions that move or make elements without arithmetic."""
