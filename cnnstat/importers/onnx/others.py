"""ONNX operators of which only the shapes of the results are known: their work shows as ``?``.

Each entry returns the specs of all results. Operators whose results depend on the elements of their
inputs (NonZero, Unique, NonMaxSuppression, text and sequences) have none: their shape is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cnnstat.importers.onnx.call import Call, Meaning, Rule, UnknownShape, check_axis, is_weight
from cnnstat.importers.onnx.loading import DTYPES
from cnnstat.importers.onnx.windows import axes_of, pads_of
from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Window
from cnnstat.ops import Opaque
from cnnstat.ops.pointwise import broadcast

Results = Callable[[Call], Sequence[TensorSpec]]


def unknown_work(results: Results) -> Rule:
    """Return the rule of an operator whose results are known and whose work is not."""

    def rule(call: Call) -> Meaning:
        reads = tuple(each for each in call.present if each.value is None or is_weight(each))
        return Meaning(Opaque(call.op_type, tuple(results(call))), reads)

    return rule


def _like(call: Call, shape: Sequence[int], dtype: str | None = None) -> TensorSpec:
    if any(extent < 0 for extent in shape):
        raise OpError(f"the result would be {'x'.join(map(str, shape))}")
    return TensorSpec(tuple(shape), dtype or call.spec().dtype)


def _number(call: Call, number: int) -> int:
    """Return the whole number that an input is."""
    value = call.required(number).value
    if value is None:
        raise UnknownShape(call.required(number).name)
    return int(value.reshape(-1)[0])


def same(call: Call) -> list[TensorSpec]:
    """Return the first input's spec for every result."""
    return [call.spec()] * max(len(call.results), 1)


def as_bool(call: Call) -> list[TensorSpec]:
    """Return truth values in the shape of the first input."""
    return [_like(call, call.shape(), "bool")]


def mixed(call: Call) -> list[TensorSpec]:
    """Return the shape to which all inputs broadcast."""
    shapes = [call.shape(number) for number, each in enumerate(call.operands) if each is not None]
    return [_like(call, broadcast(*shapes))]


def bit_cast(call: Call) -> list[TensorSpec]:
    """Return the same shape in another element type."""
    return [_like(call, call.shape(), DTYPES.get(call.integer("to", 1), "uint8"))]


def loss(call: Call) -> list[TensorSpec]:
    """Return one number, or one an element of the target; and the probabilities by class."""
    mean = call.text("reduction", "mean") != "none"
    return [_like(call, () if mean else call.shape(1)), call.spec()]


def attention(call: Call) -> list[TensorSpec]:
    """Return what attention gives, its caches, and its scores.

    [b, q heads, lq, d] x [b, kv heads, lk, d] x [b, kv heads, lk, dv] -> [b, q heads, lq, dv]; maps
    of three axes have their heads side by side in the last.
    """
    q, k, v = (call.shape(number) for number in range(3))
    flat = len(q) == 3
    heads = call.integer("q_num_heads", 1) if flat else q[1]
    shared = call.integer("kv_num_heads", heads) if flat else k[1]
    if not heads or not shared:
        raise OpError("the number of heads is 0")
    batch, queries, keys = q[0], q[-2], k[-2]
    past = call.operand(4)
    keys += past.spec.shape[-2] if past is not None and past.spec is not None else 0
    width, value_width = (k[-1] // shared, v[-1] // shared) if flat else (k[-1], v[-1])
    made = (batch, queries, heads * value_width) if flat else (batch, heads, queries, value_width)
    return [
        _like(call, made),
        _like(call, (batch, shared, keys, width)),
        _like(call, (batch, shared, keys, value_width)),
        _like(call, (batch, heads, queries, keys)),
    ]


def linear_attention(call: Call) -> list[TensorSpec]:
    """Return [b, l, q heads * dv] and the state [b, kv heads, d, dv]."""
    q, v = call.shape(), call.shape(2)
    heads, shared = call.integer("q_num_heads", 1), call.integer("kv_num_heads", 1)
    if len(q) != 3 or len(v) != 3 or not heads or not shared:
        raise OpError("it needs (batch, length, features) and heads")
    width = v[-1] // shared
    state = (q[0], shared, q[-1] // heads, width)
    return [_like(call, (*q[:2], heads * width)), _like(call, state)]


def causal_convolution(call: Call) -> list[TensorSpec]:
    """Return the same maps and the last elements that the next window reads."""
    n, c, *_ = call.shape()
    return [call.spec(), _like(call, (n, c, call.shape(1)[-1] - 1))]


def top_k(call: Call) -> list[TensorSpec]:
    """Return the k largest along one axis, and where they were."""
    shape = list(call.shape())
    k = call.integer("k", 0) or _number(call, 1)
    shape[check_axis(call.integer("axis", -1), len(shape))] = k
    return [_like(call, shape), _like(call, shape, "int64")]


def grid_sample(call: Call) -> list[TensorSpec]:
    """Return (n, c) of the maps at the positions of the grid."""
    return [_like(call, (*call.shape()[:2], *call.shape(1)[1:-1]))]


def affine_grid(call: Call) -> list[TensorSpec]:
    """Return a position for each element of maps of that size."""
    n, _, *extents = call.ints("size", 1) or ()
    return [_like(call, (n, *extents, len(extents)))]


def roi_align(call: Call) -> list[TensorSpec]:
    """Return (regions, c, height, width)."""
    height, width = call.integer("output_height", 1), call.integer("output_width", 1)
    return [_like(call, (call.shape(1)[0], call.shape()[1], height, width))]


def deformable_convolution(call: Call) -> list[TensorSpec]:
    """Return the positions of a window on the padded maps."""
    out, _, *kernel = call.shape(1)
    rank = len(kernel)
    stride, dilation = axes_of(call, "strides", rank), axes_of(call, "dilations", rank)
    axes = zip(call.shape()[2:], kernel, stride, pads_of(call, rank), dilation, strict=True)
    made = [Window(k, s, b, a, d).out(n) for n, k, s, (b, a), d in axes]
    return [_like(call, (call.shape()[0], out, *made))]


def patches(call: Call) -> list[TensorSpec]:
    """Return the maps that patches are added up to."""
    n, rows, _ = call.shape()
    image, block = call.ints("image_shape", 1) or (), call.ints("block_shape", 2) or ()
    return [_like(call, (n, rows // max(math.prod(block), 1), *image))]


def centre_cropped(call: Call) -> list[TensorSpec]:
    """Return the extents that are asked for on some axes."""
    shape, wanted = list(call.shape()), call.ints("shape", 1) or ()
    axes = call.ints("axes") or tuple(range(len(shape)))
    for axis, extent in zip(axes, wanted, strict=True):
        shape[check_axis(axis, len(shape))] = extent
    return [_like(call, shape)]


def compressed(call: Call) -> list[TensorSpec]:
    """Return the elements that a known condition keeps."""
    condition = call.required(1).value
    if condition is None:
        raise UnknownShape(call.required(1).name)
    selected, shape = int(condition.sum()), list(call.shape())
    axis = call.attributes.get("axis")
    if axis is None:
        return [_like(call, (selected,))]
    shape[check_axis(axis, len(shape))] = selected
    return [_like(call, shape)]


def window_function(call: Call) -> list[TensorSpec]:
    """Return as many elements as the input says."""
    dtype = DTYPES.get(call.integer("output_datatype", 1), "float32")
    return [_like(call, (_number(call, 0),), dtype)]


def mel_weights(call: Call) -> list[TensorSpec]:
    """Return (frequencies of the spectrum, mel bands)."""
    dtype = DTYPES.get(call.integer("output_datatype", 1), "float32")
    return [_like(call, (_number(call, 1) // 2 + 1, _number(call, 0)), dtype)]


def fourier(call: Call) -> list[TensorSpec]:
    """Return the spectrum along one axis: half of it and one where it is one-sided."""
    shape = list(call.shape())
    axis = call.integer("axis", 1) if call.opset < 20 else -2
    if call.operand(2) is not None:
        axis = _number(call, 2)
    axis = check_axis(axis, len(shape))
    onesided, inverse = call.integer("onesided", 0), call.integer("inverse", 0)
    length = 2 * (shape[axis] - 1) if onesided and inverse else shape[axis]
    if call.operand(1) is not None:
        length = _number(call, 1)
    shape[axis] = length // 2 + 1 if onesided and not inverse else length
    shape[-1] = 1 if onesided and inverse else 2
    return [_like(call, shape)]


def short_fourier(call: Call) -> list[TensorSpec]:
    """Return (n, frames, frequencies, 2)."""
    n, length = call.shape()[:2]
    step = _number(call, 1)
    window = call.operand(2)
    frame = _number(call, 3) if window is None or window.spec is None else window.spec.numel
    bins = frame // 2 + 1 if call.integer("onesided", 1) else frame
    return [_like(call, (n, (length - frame) // step + 1, bins, 2))]


def determinant(call: Call) -> list[TensorSpec]:
    """Return one number a matrix."""
    return [_like(call, call.shape()[:-2])]


def swiglu(call: Call) -> list[TensorSpec]:
    """Return what a gate and a value give."""
    return [_like(call, broadcast(call.shape(), call.shape(1)))]


def counted_words(call: Call) -> list[TensorSpec]:
    """Return one count a word group in place of the last axis."""
    width = max(call.ints("ngram_indexes") or (0,)) + 1
    return [_like(call, (*call.shape()[:-1], width), "float32")]


def optimizer_step(call: Call) -> list[TensorSpec]:
    """Return parameters and their states in the shapes in which they enter."""
    states = {"Adagrad": 2, "Momentum": 2, "Adam": 3}[call.op_type]
    tensors = (len(call.operands) - 2) // (states + 1)
    places = [2 + k * tensors + i for k in (0, *range(2, states + 1)) for i in range(tensors)]
    return [call.spec(number) for number in places]


def features(call: Call) -> list[TensorSpec]:
    """Return the columns of some indices."""
    return [_like(call, (*(call.shape()[:-1] or (1,)), call.spec(1).numel))]


def trees(call: Call) -> list[TensorSpec]:
    """Return one number a target."""
    return [_like(call, (call.shape()[0], call.integer("n_targets", 1)))]


def recurrent(call: Call) -> list[TensorSpec]:
    """Return the outputs of all steps and the last states, of a layer with peepholes."""
    directions, _, hidden = call.shape(2)
    first = call.integer("layout", 0) == 1
    length, n = call.shape()[:2][:: -1 if first else 1]
    states = (n, directions, hidden) if first else (directions, n, hidden)
    steps = (n, length, directions, hidden) if first else (length, directions, n, hidden)
    return [_like(call, steps), *[_like(call, states)] * (len(call.results) - 1)]


def unpooled(call: Call) -> list[TensorSpec]:
    """Return maps of any rank as large as they were before a max-pooling."""
    wanted, kernel = call.ints("output_shape", 2), call.ints("kernel_shape") or ()
    if wanted is not None:
        return [_like(call, wanted)]
    axes = zip(
        call.shape()[2:],
        kernel,
        axes_of(call, "strides", len(kernel)),
        pads_of(call, len(kernel)),
        strict=True,
    )
    return [
        _like(call, (*call.shape()[:2], *[(n - 1) * s + k - b - a for n, k, s, (b, a) in axes]))
    ]


OTHERS: dict[str, Results] = {
    "LSTM": recurrent,
    "MaxUnpool": unpooled,
    "Hardmax": same,
    "RegexFullMatch": as_bool,
    "StringConcat": mixed,
    "FlexAttention": attention,
    "LinearAttention": linear_attention,
    "GridSample": grid_sample,
    "DeformConv": deformable_convolution,
    "TfIdfVectorizer": counted_words,
    "TreeEnsemble": trees,
}
"""Operators by name, in ONNX's own domains; ``defined`` has those whose work is known."""
