"""Results of PyTorch's functions on fake tensors, corrected to those of the CPU's kernels.

``KNOWN`` are the functions whose fake results have the CPU's shapes, layouts, dtypes and storages:
tests run each both ways, forward and backward. Where PyTorch's rule for fake tensors differs from
its own kernel, ``CORRECTIONS`` has the kernel's; anything else is unknown, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Arguments = tuple[Any, ...]
Results = list[Any]


def is_known(function: Any, arguments: Arguments) -> bool:
    """Return whether the storages of a call's results are known."""
    namespace, _, name = function._schema.name.partition("::")
    if name == "mkldnn_rnn_layer" and arguments[-1]:
        return False  # training: its workspace is as large as oneDNN wants it
    if name in PLAIN or f"{name}.{function._overloadname}" in PLAIN:
        tensors = [each for each in arguments if isinstance(each, torch.Tensor)]
        return all(each.is_contiguous() for each in tensors)
    return namespace == "aten" and name in KNOWN


def as_on_cpu(function: Any, arguments: Arguments, results: Any) -> Any:
    """Return the results of a call on fake tensors, laid out as the CPU's kernel has them."""
    correct = CORRECTIONS.get(function._schema.name.removeprefix("aten::"))
    if correct is None:
        return results
    if isinstance(results, torch.Tensor):
        return correct(arguments, [results])[0]
    return tuple(correct(arguments, list(results)))


def _layer_norm(a: Arguments, results: Results) -> Results:
    """Make the result contiguous, and the statistics of the parameters' dtype."""
    return [_plain(results[0]), *[_like(a[2], each) for each in results[1:]]]


def _batch_norm(a: Arguments, results: Results) -> Results:
    """Make the statistics of the parameters' dtype."""
    return [results[0], *[_like(a[1], each) for each in results[1:]]]


def _batch_norm_backward(a: Arguments, results: Results) -> Results:
    """Lay the gradient out as the input; the kernel makes none where the mask asks for none."""
    needed = a[9][0]
    return [_plain(results[0], _form(a[1])) if needed else None, *results[1:]]


def _folded(a: Arguments, results: Results) -> Results:
    """Take a storage as large as the input, which the kernel starts with."""
    made = results[0]
    room = made.new_empty(max(a[0].numel(), made.numel()))
    return [room[: made.numel()].view(made.shape)]


def _convolution(a: Arguments, results: Results) -> Results:
    """Take a storage as large as the input where the transposed kernel starts with one."""
    return _folded(a, results) if _backend(a) == "SlowTranspose3d" else results


def _convolution_backward(a: Arguments, results: Results) -> Results:
    """Make the weight's gradient with the bias's, as oneDNN does; a slow kernel's is contiguous."""
    _, weight, bias = results
    backend = _backend((*a[1:3], None, *a[4:]))
    if weight is None and bias is not None and backend == "Mkldnn":
        weight = _plain(torch.empty_like(a[2]), _form(a[1]))
    elif weight is not None and backend == "SlowTranspose2d":
        weight = _plain(weight)
    return [results[0], weight, bias]


def _backend(a: Arguments) -> str:
    """Return the name of the kernel that PyTorch chooses on this machine.

    It asks for two axes at least, as the caller of the kernel does. ``_ConvBackend`` has no name
    for oneDNN's transposed convolution, which follows the plain one.
    """
    x, weight, bias, *sizes, transposed, output_padding, groups = a[:9]
    sizes = [list(each) for each in (*sizes, output_padding)]
    if x.dim() == 3:
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
        sizes = [[fill, *each] for fill, each in zip((1, 0, 1, 0), sizes, strict=True)]
    stride, padding, dilation, output_padding = sizes
    known: Any = torch._C._ConvBackend  # type: ignore[attr-defined]
    chosen = torch._C._select_conv_backend(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups, None
    )
    return "Mkldnn" if chosen.value == known.Mkldnn.value + 1 else str(chosen.name)


def _form(tensor: torch.Tensor) -> torch.memory_format:
    return torch._prims_common.suggest_memory_format(tensor)


def _plain(made: Any, form: torch.memory_format = torch.contiguous_format) -> Any:
    return made if made is None else made.contiguous(memory_format=form)


def _like(parameter: torch.Tensor | None, made: torch.Tensor) -> torch.Tensor:
    return made if parameter is None else made.to(parameter.dtype)


CORRECTIONS: dict[str, Callable[[Arguments, Results], Results]] = {
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "native_layer_norm": _layer_norm,
    "native_layer_norm_backward": lambda a, results: [_plain(results[0]), *results[1:]],
    "native_batch_norm": _batch_norm,
    "native_batch_norm_backward": _batch_norm_backward,
    "roll": lambda a, results: [_plain(results[0], _form(a[0]))],
    "reflection_pad2d_backward": lambda a, results: [_plain(results[0], _form(a[1]))],
    "replication_pad2d_backward": lambda a, results: [_plain(results[0], _form(a[1]))],
    "col2im": _folded,
}
"""ATen functions whose fake results are not the CPU's: arguments and results -> the CPU's."""

PLAIN = frozenset(["channel_shuffle", "glu_backward", "log_sigmoid_forward", "pow.Scalar"])
"""Functions that are known for contiguous tensors alone."""

_NAMES = """
_adaptive_avg_pool2d _adaptive_avg_pool2d_backward _adaptive_avg_pool3d
_adaptive_avg_pool3d_backward _cdist_backward _cdist_forward _fft_c2c _fft_c2r _fft_r2c _log_softmax
_log_softmax_backward_data _native_multi_head_attention _prelu_kernel _prelu_kernel_backward
_safe_softmax _scaled_dot_product_flash_attention_for_cpu
_scaled_dot_product_flash_attention_for_cpu_backward _softmax _softmax_backward_data _to_copy
_transformer_encoder_layer_fwd _unsafe_view _upsample_bicubic2d_aa _upsample_bicubic2d_aa_backward
_upsample_bilinear2d_aa _upsample_bilinear2d_aa_backward _upsample_nearest_exact2d
_upsample_nearest_exact2d_backward abs adaptive_max_pool2d adaptive_max_pool2d_backward add add_
addcdiv addcmul addmm alias all amax amin aminmax any arange argmax argmin as_strided as_strided_
avg_pool2d avg_pool2d_backward avg_pool3d avg_pool3d_backward baddbmm bernoulli_ bitwise_and
bitwise_and_ bitwise_not bitwise_or bitwise_xor bmm cat ceil celu channel_shuffle clamp clamp_
clamp_max clamp_min clamp_min_ clone col2im constant_pad_nd convolution convolution_backward copy_
cos cumprod cumsum detach diagonal diagonal_backward div div_ dot elu elu_ elu_backward embedding
embedding_dense_backward empty empty_like eq erf exp exp_ expand eye fill_ flip floor floor_divide
full full_like gather ge gelu gelu_backward glu glu_backward grid_sampler_2d
grid_sampler_2d_backward gt hardsigmoid hardsigmoid_ hardsigmoid_backward hardswish hardswish_
hardswish_backward hardtanh hardtanh_ hardtanh_backward im2col index index_add index_put
index_select isnan le leaky_relu leaky_relu_ leaky_relu_backward lerp lift_fresh linalg_vector_norm
linspace log log_sigmoid_backward log_sigmoid_forward logical_and logical_and_ logical_not
logical_or logical_or_ logsumexp lt masked_fill masked_fill_ max max_pool2d_with_indices
max_pool2d_with_indices_backward max_pool3d_with_indices max_pool3d_with_indices_backward maximum
mean median min minimum mish mish_ mish_backward mkldnn_rnn_layer mm mul mul_ mv native_batch_norm
native_batch_norm_backward native_group_norm native_group_norm_backward native_layer_norm
native_layer_norm_backward ne neg new_empty new_empty_strided new_full new_ones new_zeros normal_
ones ones_like permute pixel_shuffle pixel_unshuffle pow prod rand rand_like randn randn_like
reciprocal reflection_pad2d reflection_pad2d_backward relu relu_ remainder repeat repeat_interleave
replication_pad2d replication_pad2d_backward roll round rsqrt rsub scalar_tensor scatter scatter_
scatter_add select select_backward sgn sigmoid sigmoid_ sigmoid_backward sign silu silu_
silu_backward sin slice slice_backward softplus softplus_backward sort split split_with_sizes sqrt
squeeze stack std sub sub_ sum t tanh tanh_ tanh_backward threshold_backward topk transpose
transpose_ tril triu unbind unfold unfold_backward uniform_ unsafe_split unsqueeze
upsample_bicubic2d upsample_bicubic2d_backward upsample_bilinear2d upsample_bilinear2d_backward
upsample_linear1d upsample_linear1d_backward upsample_nearest1d upsample_nearest1d_backward
upsample_nearest2d upsample_nearest2d_backward upsample_nearest3d upsample_nearest3d_backward
upsample_trilinear3d upsample_trilinear3d_backward var var_mean view view_as_complex view_as_real
where zero_ zeros zeros_like
"""

KNOWN = frozenset(_NAMES.split())
"""ATen functions by name that tests ran both ways."""
