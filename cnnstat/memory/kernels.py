"""PyTorch's kernels on a tape: storages that each makes, tensors that autograd saves, gradients.

Read off PyTorch 2.13 (derivatives.yaml, the Python functions that are composed of others, the lists
of autocast); tests compare them with its dispatcher. A backward pass is written kernel by kernel,
with the temporary tensors that it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnnstat.ir.tensor import DTYPE_BYTES
from cnnstat.memory.tape import Backward, Gradient, Shape, Tape, Tensor

LOWERED = frozenset({"convolution", "addmm", "matmul"})
"""Kernels that autocast runs in the lower dtype, on every device."""

RAISED: dict[str, frozenset[str]] = {
    "cpu": frozenset(
        {"avg_pool3d", "max_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d", "max_unpool2d"}
    ),
    "cuda": frozenset({"softmax", "softplus", "pow", "sum", "layer_norm", "group_norm"}),
}
"""Kernels that autocast runs in float32, by device; what is in no list takes what it is inputs."""


def cast(tape: Tape, kernel: str, *tensors: Tensor) -> list[Tensor]:
    """Return the inputs of a kernel in the dtype in which autocast runs it, the last cast first.

    A parameter's copy is made once and kept to the end of the forward pass.
    """
    if tape.autocast is None:
        return list(tensors)
    if kernel in LOWERED:
        dtype = tape.autocast
    elif kernel in RAISED[tape.device]:
        dtype = "float32"
    else:
        return list(tensors)
    return [_to(tape, tensor, dtype) for tensor in reversed(tensors)][::-1]


def _to(tape: Tape, tensor: Tensor, dtype: str) -> Tensor:
    if tensor.dtype == dtype or DTYPE_BYTES[tensor.dtype] > 4 or "float" not in tensor.dtype:
        return tensor
    lowered = tape.lowered.get(tensor.storage) if tensor.parameter else None
    if lowered is None:
        making, tape.making = tape.making, "weight_copy" if tensor.parameter else tape.making
        made = tape.run((tensor,), (tensor.shape, dtype))
        tape.making = making
        lowered = tape.record((tensor,), made, simple((tensor,)))[0]
        if tensor.parameter and "float32" not in dtype:
            tape.lowered[tensor.storage] = lowered
    return lowered


def simple(inputs: Sequence[Tensor], *reads: Tensor) -> Backward:
    """Return the backward pass that makes all gradients at once, each like its input."""

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        wanted = [(t.shape, t.dtype) for t, need in zip(inputs, needed, strict=True) if need]
        made = iter(tape.run((*gradients, *reads), *wanted))
        return [next(made) if need else None for need in needed]

    return back


def without_memory(inputs: Sequence[Tensor]) -> Backward:
    """Return the backward pass of an unknown kernel: no gradient is sure to take memory."""

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        empty = tape.run(gradients, *[((0,), t.dtype) for t in inputs])
        pairs = zip(empty, inputs, needed, strict=True)
        return [made._replace(shape=t.shape) if need else None for made, t, need in pairs]

    return back


def passing(inputs: Sequence[Tensor]) -> Backward:
    """Return the backward pass that hands the gradient on as it is, seen in the input's shape."""

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        return [
            gradients[0]._replace(shape=t.shape, source=None) if need else None
            for t, need in zip(inputs, needed, strict=True)
        ]

    return back


def unary(tape: Tape, x: Tensor, shape: Shape | None = None, *, saves: str = "") -> Tensor:
    """Return the result of a kernel with one input and one result; it saves ``input``, ``output``.

    Its backward pass makes one gradient like the input.
    """
    y = tape.run((x,), (x.shape if shape is None else shape, x.dtype))[0]
    saved = {"input": (x,), "output": (y,), "": ()}[saves]
    return tape.record((x,), (y,), simple((x,), *saved), saves=saved)[0]


def over(tape: Tape, x: Tensor) -> Tensor:
    """Return a result written over the input (an in-place ReLU), which is saved."""
    tape.hold((x,))
    return tape.record((x,), (x,), simple((x,), x), saves=(x,))[0]


def view(tape: Tape, x: Tensor, shape: Shape) -> Tensor:
    """Return the same memory in another shape."""
    return tape.record((x,), (x._replace(shape=shape),), passing((x,)))[0]


def convolution(tape: Tape, x: Tensor, weight: Tensor, bias: Tensor | None, shape: Shape) -> Tensor:
    """Return a convolution's result; input and weight are saved."""
    arguments = (x, weight) if bias is None else (x, weight, bias)
    x, weight, *_ = inputs = tuple(cast(tape, "convolution", *arguments))
    y = tape.run((*inputs, *arguments), (shape, x.dtype))
    return tape.record(inputs, y, simple(inputs, x, weight), saves=(x, weight))[0]


def addmm(tape: Tape, x: Tensor, weight: Tensor, bias: Tensor | None, shape: Shape) -> Tensor:
    """Return x @ weight.T + bias; each factor is saved for the other's gradient."""
    arguments = (x, weight) if bias is None else (x, weight, bias)
    x, weight, *rest = inputs = tuple(cast(tape, "addmm", *arguments))
    y = tape.run(inputs, (shape, x.dtype))
    saves = (x if tape.needs(weight) else None, weight if tape.needs(x) else None)

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        made: list[Gradient] = [
            tape.like(each, *gradients, by) if need else None
            for each, by, need in zip((x, weight), (weight, x), needed, strict=False)
        ]
        if rest:  # the sum over the rows comes last, when the products are there
            made.append(tape.like(rest[0], *gradients) if needed[2] else None)
        return made

    return tape.record(inputs, y, back, saves=saves)[0]


def pad(tape: Tape, x: Tensor, shape: Shape) -> Tensor:
    """Return a padded copy."""
    return unary(tape, x, shape)


def max_pool(tape: Tape, x: Tensor, shape: Shape) -> list[Tensor]:
    """Return maxima and their int64 places, made in any case; input and places are saved."""
    y, at = tape.run((x,), (shape, x.dtype), (shape, "int64"))
    return [*tape.record((x,), (y,), simple((x,), x, at), saves=(x, at)), at]


def batch_norm(tape: Tape, x: Tensor, affine: Sequence[Tensor], *, training: bool) -> Tensor:
    """Return the normalised input; training saves it with mean and inverse deviation per channel.

    The statistics have the dtype of the parameters.
    """
    dtype = affine[0].dtype if affine else x.dtype
    statistics = [((x.shape[1],), dtype)] * 2 if training else []
    y, *more = tape.run((x, *affine), (x.shape, x.dtype), *statistics)
    inputs = (x, *affine)
    return tape.record(inputs, (y,), simple(inputs, x, *more), saves=(*inputs, *more))[0]


def own_statistics(
    tape: Tape, kernel: str, x: Tensor, affine: Sequence[Tensor], rows: int
) -> Tensor:
    """Return the input normalised by itself; it is saved with a mean and a deviation per row.

    The statistics have the dtype of the parameters.
    """
    x, *scales = inputs = cast(tape, kernel, x, *affine)
    statistics = [((rows,), scales[0].dtype if scales else x.dtype)] * 2
    y, *more = tape.run(inputs, (x.shape, x.dtype), *statistics)
    return tape.record(inputs, (y,), simple(inputs, x, *more), saves=(*inputs, *more))[0]


def multiply(tape: Tape, x: Tensor, other: Tensor) -> Tensor:
    """Return x * other with ``other`` spread over x; each is saved for the other's gradient."""
    y = tape.run((x, other), (x.shape, _widest((x, other))))
    saves = (other if tape.needs(x) else None, x if tape.needs(other) else None)

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        g = gradients[0]
        made = [
            tape.like(g, g, by) if n else None for by, n in zip((other, x), needed, strict=True)
        ]
        pairs = zip(made, (x, other), strict=True)
        summed = [_summed(tape, m, t) if m else None for m, t in pairs]
        tape.hold(gradients)  # autograd sums and casts before it frees its inputs
        return summed

    return tape.record((x, other), y, back, saves=saves)[0]


def add(tape: Tape, x: Tensor, other: Tensor, shape: Shape | None = None) -> Tensor:
    """Return x + other or x - other with ``other`` spread over x, or both spread to ``shape``.

    The gradient of both is the sum's own, summed for what was spread.
    """
    y = tape.run((x, other), (shape or x.shape, _widest((x, other))))

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        pairs = zip((x, other), needed, strict=True)
        return [_summed(tape, gradients[0], each) if need else None for each, need in pairs]

    return tape.record((x, other), y, back)[0]


def _summed(tape: Tape, gradient: Tensor, like: Tensor) -> Tensor:
    """Return a gradient summed over the axes along which its tensor was spread, in its dtype."""
    if prod(gradient.shape) != prod(like.shape):
        gradient = tape.run((gradient,), (like.shape, gradient.dtype))[0]
    return gradient if gradient.dtype == like.dtype else tape.like(like, gradient)


def _widest(tensors: Sequence[Tensor]) -> str:
    return max((tensor.dtype for tensor in tensors), key=DTYPE_BYTES.__getitem__)


def scale(tape: Tape, x: Tensor) -> Tensor:
    """Return x times a number."""
    return unary(tape, x)


def shift(tape: Tape, x: Tensor) -> Tensor:
    """Return x plus a number: the gradient passes."""
    return tape.record((x,), (tape.like(x, x),), passing((x,)))[0]


def power(tape: Tape, x: Tensor) -> Tensor:
    """Return x to the power of a number; going back makes x^(p-1), p times it, and the product."""
    (x,) = cast(tape, "pow", x)
    y = tape.like(x, x)

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        once = tape.like(x, x)
        twice = tape.like(x, once)
        made = tape.like(x, *gradients, twice)
        tape.hold((once, twice))
        return [made]

    return tape.record((x,), (y,), back, saves=(x,))[0]


def divide(tape: Tape, x: Tensor, other: Tensor) -> Tensor:
    """Return x / other of one shape, both saved.

    The gradient of ``other`` is -g * ((x / other) / other): four tensors; then that of x.
    """
    y = tape.run((x, other), (x.shape, _widest((x, other))))
    saves = (other, x if tape.needs(other) else None)

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        g = gradients[0]
        second = first = None
        if needed[1]:
            quotients = [tape.like(g, x, other)]
            quotients.append(tape.like(g, quotients[0], other))
            quotients.append(tape.like(g, g))
            second = tape.like(other, quotients[1], quotients[2])
            tape.hold(quotients)
        if needed[0]:
            first = _summed(tape, tape.like(g, g, other), x)
        return [first, second]

    return tape.record((x, other), y, back, saves=saves)[0]


def concatenate(tape: Tape, parts: Sequence[Tensor], shape: Shape, axis: int) -> Tensor:
    """Return parts side by side; each gradient is a part of the whole one, in its memory.

    Autocast brings parts to one dtype first on the CPU; on CUDA the kernel does it on the way.
    """
    widest = _widest(parts)
    cast_first = tape.autocast is not None and tape.device == "cpu"
    raised = [_to(tape, part, widest) for part in parts] if cast_first else list(parts)
    y = tape.run(raised, (shape, widest))
    outer = prod(shape[:axis])

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        g = gradients[0]
        return [
            Tensor(g.storage, part.shape, part.dtype, whole=g.whole and outer == 1)
            if need
            else None
            for part, need in zip(raised, needed, strict=True)
        ]

    return tape.record(raised, y, back)[0]


def dropout(tape: Tape, x: Tensor) -> Tensor:
    """Return x without what is dropped: times a mask of x's dtype; on CUDA the mask is bool."""
    if tape.device == "cuda":
        y, mask = tape.run((x,), (x.shape, x.dtype), (x.shape, "bool"))
        return tape.record((x,), (y,), simple((x,), mask), saves=(mask,))[0]
    return multiply(tape, x, tape.like(x))


def thinned(tape: Tape, x: Tensor, shapes: Sequence[Shape]) -> Tensor:
    """Return slices along one axis after the other; each gradient is written into zeros."""
    for shape in shapes:
        y = x._replace(shape=shape, whole=False)
        x = tape.record((x,), (y,), simple((x,)))[0]
    return x


def select(tape: Tape, x: Tensor, shape: Shape) -> Tensor:
    """Return a copy of some rows; the gradient is added to zeros in a second tensor."""
    y = tape.run((x,), (shape, x.dtype))

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        zeros = tape.like(x)
        return [tape.like(x, zeros, *gradients)]

    return tape.record((x,), y, back)[0]


def sum_of(tape: Tape, x: Tensor, shape: Shape) -> Tensor:
    """Return sums along an axis; the gradient is spread without a copy."""
    (x,) = cast(tape, "sum", x)
    y = tape.run((x,), (shape, x.dtype))

    def back(tape: Tape, gradients: Sequence[Tensor], needed: Sequence[bool]) -> list[Gradient]:
        return [gradients[0]._replace(shape=x.shape, source=None, whole=False)]

    return tape.record((x,), y, back)[0]
