"""ATen functions by name, without the trailing underscore of in-place forms: what each means."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.pytorch.capture import functions, rules
from cnnstat.pytorch.capture.calls import Rule
from cnnstat.pytorch.capture.rules import (
    nonlinearity,
    numbered,
    pointwise,
    reduce,
    rule,
    unbatched,
)

REDUCTIONS = """
mean sum max min argmax argmin any all var std prod logsumexp cumsum cumprod
"""
ARITHMETIC = """
add sub rsub mul div remainder floor_divide reciprocal pow sqrt rsqrt exp log sin cos neg abs sign
maximum minimum masked_fill addcmul addcdiv lerp
"""
NONLINEARITIES = "ReLU6 SiLU GELU Hardswish Hardsigmoid SELU Mish Softsign Erf"
"""Kinds whose ATen functions have the same name, in lower case."""

_BY_NAMES: dict[str, Rule] = {
    "convolution _convolution": rules.convolution,
    "linear": rules.linear,
    "matmul mm bmm mv dot vdot": rule(
        lambda a: ops.MatMul(), "self", "other", "mat2", "vec", "tensor"
    ),
    "addmm baddbmm addmv": rule(
        lambda a: ops.MatMul(), "mat1", "mat2", "batch1", "batch2", "mat", "vec", "self"
    ),
    "batch_norm": rules.batch_norm,
    "layer_norm": rules.layer_norm,
    "rms_norm": rule(rules.rms_norm, weights=("weight",)),
    "group_norm": rule(
        lambda a: ops.GroupNorm(int(a["num_groups"]), a["weight"] is not None, float(a["eps"])),
        weights=rules.AFFINE,
    ),
    "instance_norm": rules.instance_norm,
    "relu": rule(lambda a: ops.ReLU()),
    "sigmoid": rule(lambda a: ops.Sigmoid()),
    "tanh": rule(lambda a: ops.Tanh()),
    "hardtanh": rule(rules.hardtanh),
    "elu": numbered("ELU", "alpha", 1),
    "celu": numbered("CELU", "alpha", 1),
    "leaky_relu": numbered("LeakyReLU", "negative_slope", 0.01),
    "softplus": numbered("Softplus", "beta", 1),
    "hardshrink": numbered("Hardshrink", "lambd", 0.5),
    "softshrink": numbered("Softshrink", "lambd", 0.5),
    "threshold": rule(
        lambda a: ops.Nonlinearity("Threshold", (float(a["threshold"]), float(a["value"])))
    ),
    "log_sigmoid": nonlinearity("LogSigmoid"),
    "prelu": rule(lambda a: ops.PReLU(int(a["weight"].numel())), weights=("weight",)),
    "softmax _softmax _safe_softmax": rule(lambda a: ops.Softmax(int(a["dim"]))),
    "log_softmax _log_softmax": rule(lambda a: ops.LogSoftmax(int(a["dim"]))),
    "dropout feature_dropout alpha_dropout": rule(lambda a: ops.Dropout(float(a["p"]))),
    "scaled_dot_product_attention": rule(
        lambda a: ops.Attention(), "query", "key", "value", "attn_mask"
    ),
    "avg_pool1d": rules.avg_pool(ops.AvgPool1d),
    "avg_pool2d": rules.avg_pool(ops.AvgPool2d),
    "avg_pool3d": rules.avg_pool(ops.AvgPool3d),
    "adaptive_avg_pool1d": rules.adaptive_pool(ops.AdaptiveAvgPool1d),
    "adaptive_avg_pool2d": rules.adaptive_pool(ops.AdaptiveAvgPool2d),
    "adaptive_avg_pool3d": rules.adaptive_pool(ops.AdaptiveAvgPool3d),
    "adaptive_max_pool1d": rules.adaptive_pool(ops.AdaptiveMaxPool1d),
    "adaptive_max_pool2d": rules.adaptive_pool(ops.AdaptiveMaxPool2d),
    "adaptive_max_pool3d": rules.adaptive_pool(ops.AdaptiveMaxPool3d),
    "_weight_norm_interface": rule(lambda a: ops.WeightNorm(a["dim"] % a["v"].dim()), "v", "g"),
    "col2im": rule(rules.fold),
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d": rules.interpolate("nearest"),
    "_upsample_nearest_exact1d _upsample_nearest_exact2d": rules.interpolate("nearest-exact"),
    "_upsample_nearest_exact3d": rules.interpolate("nearest-exact"),
    "upsample_linear1d upsample_bilinear2d upsample_trilinear3d": rules.interpolate("linear"),
    "_upsample_bilinear2d_aa": rules.interpolate("linear"),
    "upsample_bicubic2d _upsample_bicubic2d_aa": rules.interpolate("bicubic"),
    "cat concat": rule(lambda a: ops.Concat(int(a["dim"])), "tensors"),
    "flatten": rules.flatten,
    "embedding": rule(rules.embedding, "indices", weights=("weight",)),
    "lstm": rules.recurrent("LSTM"),
    "gru": rules.recurrent("GRU"),
    "rnn_tanh rnn_relu": rules.recurrent("RNN"),
    "amax": reduce("max"),
    "amin": reduce("min"),
    "linalg_vector_norm norm": functions.vector_norm,
    "where": functions.where,
    "square": pointwise("mul"),
    "round floor ceil": pointwise("round"),
    "clamp clamp_min clamp_max": pointwise("clamp"),
    "eq ne lt le gt ge": pointwise("compare"),
    "logical_and logical_or logical_not logical_xor": pointwise("logical"),
    "bitwise_and bitwise_or bitwise_not": pointwise("logical"),
    "index_put put": functions.where_given("accumulate", "accumulated"),
    "scatter": functions.where_given("reduce", "scatter_reduce"),
    "quantize_per_tensor quantize_per_channel": functions.retyped("quantize"),
    "quantize_per_tensor_dynamic": functions.retyped("quantize"),
    "dequantize": functions.retyped("dequantize"),
    "_ctc_loss": functions.ctc_loss,
}
"""Rules by the functions that they read."""

RULES: dict[str, Rule] = {
    **{name: rule for names, rule in _BY_NAMES.items() for name in names.split()},
    **{f"conv{n}d": unbatched(rules.convolution, n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": unbatched(rules.convolution, n) for n in (1, 2, 3)},
    **{kind.lower(): nonlinearity(kind) for kind in NONLINEARITIES.split()},
    **{
        f"max_pool{kind.rank}d{form}": rules.max_pool(kind)
        for kind in (ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d)
        for form in ("", "_with_indices")
    },
    **{kind: reduce(kind) for kind in REDUCTIONS.split()},
    **{kind: pointwise(kind) for kind in ARITHMETIC.split()},
    **{name: functions.function(kind) for name, kind in functions.KINDS.items()},
}
"""ATen functions with work or weights."""

_COPIED_VIEWS = """
alias as_strided detach diagonal expand lift_fresh permute _reshape select slice split
split_with_sizes squeeze t transpose unbind unfold unsqueeze view
"""
_MOVES = """
clone contiguous copy _to_copy to type_as constant_pad_nd pad reflection_pad1d reflection_pad2d
reflection_pad3d replication_pad1d replication_pad2d replication_pad3d roll flip rot90 tril triu
diag_embed gather index index_select index_put index_copy index_fill scatter take take_along_dim put
masked_select masked_scatter max_unpool2d max_unpool3d _pack_padded_sequence _pad_packed_sequence
stack repeat tile repeat_interleave im2col pixel_shuffle pixel_unshuffle channel_shuffle
native_channel_shuffle one_hot meshgrid fill zero arange linspace eye scalar_tensor zeros ones full
empty zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty
new_empty_strided empty_strided rand randn randperm randint rand_like randn_like randint_like
bernoulli multinomial normal normal_functional uniform exponential cauchy log_normal geometric
random poisson binomial _standard_gamma _sample_dirichlet tril_indices triu_indices complex
block_diag select_scatter slice_scatter diagonal_scatter as_strided_scatter lu_unpack _to_dense
int_repr _unsafe_index
"""
MOVES = frozenset([*_MOVES.split(), *(f"{view}_copy" for view in _COPIED_VIEWS.split())])
"""ATen functions that move or make elements without arithmetic."""

VIEWS = frozenset(
    [
        *("_unsafe_view", "_reshape_alias", "view_as_complex", "view_as_real"),
        *("unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk"),
    ]
)
"""ATen functions that are views without being marked as such."""
