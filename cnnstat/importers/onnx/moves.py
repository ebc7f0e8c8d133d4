"""ONNX operators that only move elements: reshape, transpose, slice, pad, expand ..."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning, Rule, UnknownShape, check_axis
from cnnstat.importers.onnx.constants import slices
from cnnstat.importers.onnx.loading import DTYPES
from cnnstat.importers.onnx.shapes import inferred
from cnnstat.importers.onnx.tensors import spec_of
from cnnstat.ir.op import Arguments, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.pointwise import broadcast

Shapes = list[tuple[int, ...]]
Made = Callable[[Call], Shapes]
"""The shapes of the results."""


Keeps = Callable[[Call], Arguments]
"""The arguments of a movement by PyTorch's names."""


def no_arguments(call: Call) -> Arguments:
    """Return none: the shapes say it all."""
    return ()


def view(
    kind: str,
    made: Made,
    keeps: Keeps = no_arguments,
    op: type[ops.View | ops.Rearrange] = ops.View,
) -> Rule:
    """Return the rule of another view of the same memory."""

    def rule(call: Call) -> Meaning:
        dtype = call.spec().dtype
        results = tuple(TensorSpec(shape, dtype) for shape in made(call))
        return Meaning(op(kind, results, keeps(call)), (call.required(0),))

    return rule


def move(kind: str, made: Made, keeps: Keeps = no_arguments) -> Rule:
    """Return the rule of elements copied to memory of their own."""
    return view(kind, made, keeps, ops.Rearrange)


def inferred_move(kind: str, keeps: Keeps = no_arguments) -> Rule:
    """Return the rule of copied elements whose shape onnx tells."""

    def rule(call: Call) -> Meaning:
        return Meaning(ops.Rearrange(kind, inferred(call), keeps(call)), (call.required(0),))

    return rule


def gathered(made: Made) -> Rule:
    """Return the rule of elements picked by indices."""

    def rule(call: Call) -> Meaning:
        spec = tuple(TensorSpec(shape, call.spec().dtype) for shape in made(call))
        moved = tuple(o for o in call.present[:2] if o.value is None or o.stored)
        return Meaning(ops.Rearrange("gather", spec), moved)

    return rule


def like_indices(call: Call) -> Shapes:
    """Return the shape of the indices."""
    return [call.shape(1)]


def gather_nd(call: Call) -> Shapes:
    """Return the indices' shape but its last axis, and the axes that no index picks from."""
    shape, indices = call.shape(), call.shape(1)
    picked = call.integer("batch_dims", 0) + indices[-1]
    if picked > len(shape):
        raise OpError(f"indices of {indices[-1]} extents pick from {len(shape)} axes")
    return [(*indices[:-1], *shape[picked:])]


def eye(call: Call) -> Meaning:
    """Read ones on a diagonal, in the shape of another tensor, whose elements are not read."""
    dtype = DTYPES.get(call.integer("dtype", 0), call.spec().dtype)
    made = TensorSpec(call.shape(), dtype)
    return Meaning(ops.Rearrange("eye", (made,)), ())


def range_(call: Call) -> Meaning | None:
    """Read numbers a step apart: ceil((limit - start) / step) of them."""
    values = [call.required(number).value for number in range(3)]
    if any(value is None for value in values):
        raise UnknownShape(call.name)
    start, stop, step = (value.reshape(-1)[0].item() for value in values)
    if not step:
        raise OpError("the step is 0")
    count = max(math.ceil((stop - start) / step), 0) if isinstance(step, float) else (
        max(-((start - stop) // step), 0)
    )  # fmt: skip
    made = TensorSpec((count,), call.spec().dtype)
    return Meaning(ops.Rearrange("range", (made,)), ())


def filled(call: Call) -> Meaning:
    """Read a tensor of one number, in a shape that is known."""
    shape = call.required(0).value
    if shape is None:
        raise UnknownShape(call.required(0).name)
    value = call.attributes.get("value")
    dtype = "float32" if value is None else spec_of(value).dtype
    made = TensorSpec(extents([int(n) for n in shape.reshape(-1)]), dtype)
    return Meaning(ops.Rearrange("fill", (made,)), ())


def extents(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape; raise ``OpError`` for an extent that none can have."""
    if any(n < 0 for n in shape):
        raise OpError(f"the shape {'x'.join(map(str, shape))} has an extent below 0")
    return tuple(shape)


def cast(call: Call) -> Meaning:
    """Read a change of element type."""
    dtype = DTYPES.get(call.integer("to", 1), "uint8")
    made = (TensorSpec(call.shape(), dtype),)
    return Meaning(ops.Rearrange("cast", made), (call.required(0),))


def cast_like(call: Call) -> Meaning:
    """Read a change to the element type of another tensor."""
    made = (TensorSpec(call.shape(), call.spec(1).dtype),)
    return Meaning(ops.Rearrange("cast", made), (call.required(0),))


def flatten(call: Call) -> Meaning:
    """Read a flattening to two axes."""
    shape = call.shape()
    axis = call.integer("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    made = (math.prod(shape[:axis]), math.prod(shape[axis:]))
    return _flat(call, made, "flatten")


def reshape(call: Call) -> Meaning:
    """Read a reshaping; one to (batch, the rest) is a flattening."""
    shape = call.shape()
    wanted = list(call.ints("shape", 1) or ())
    if not call.integer("allowzero", 0):
        wanted = [n or shape[i] for i, n in enumerate(wanted)]
    total, rest = math.prod(shape), math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) > 1 or (-1 in wanted and (not rest or total % rest)):
        raise OpError(f"{total} elements cannot be viewed as {wanted}")
    made = tuple(total // rest if n == -1 else n for n in wanted)
    if math.prod(made) != total:
        raise OpError(f"{total} elements cannot be viewed as {'x'.join(map(str, made))}")
    return _flat(call, made, "reshape")


def _flat(call: Call, made: tuple[int, ...], kind: str) -> Meaning:
    spec = call.spec()
    if len(made) == 2 and spec.rank > 2 and made[0] == spec.shape[0]:
        return Meaning(ops.Flatten(), (call.required(0),))
    return Meaning(ops.View(kind, (TensorSpec(made, spec.dtype),)), (call.required(0),))


def transpose(call: Call) -> Meaning:
    """Read axes in a new order: a transposition where two change places, as in PyTorch."""
    shape = call.shape()
    order = call.ints("perm") or tuple(reversed(range(len(shape))))
    if sorted(order) != list(range(len(shape))):
        raise OpError(f"perm (={order}) must name each of {len(shape)} axes once")
    moved = sum(axis != place for place, axis in enumerate(order))
    made = TensorSpec(tuple(shape[axis] for axis in order), call.spec().dtype)
    kind = "transpose" if moved == 2 else "permute"
    return Meaning(ops.View(kind, (made,), (("dims", order),)), (call.required(0),))


def squeeze(call: Call) -> Shapes:
    """Return the shape without axes of one element."""
    shape = call.shape()
    axes = call.ints("axes", 1)
    if axes is None:
        return [tuple(n for n in shape if n != 1)]
    gone = {check_axis(axis, len(shape)) for axis in axes}
    return [tuple(n for axis, n in enumerate(shape) if axis not in gone)]


def unsqueeze(call: Call) -> Shapes:
    """Return the shape with new axes of one element."""
    shape = list(call.shape())
    axes = call.ints("axes", 1) or ()
    rank = len(shape) + len(axes)
    for axis in sorted(check_axis(axis, rank) for axis in axes):
        shape.insert(axis, 1)
    return [tuple(shape)]


def slice_(call: Call) -> Meaning:
    """Read a part of each axis; one that is walked backwards is a flip."""
    shape = call.shape()
    region = slices(call, len(shape))
    made = tuple(len(range(*k.indices(n))) for k, n in zip(region, shape, strict=True))
    kind = "flip" if any(k.step is not None and k.step < 0 for k in region) else "slice"
    walked = [k.indices(n) for k, n in zip(region, shape, strict=True)]
    starts = ("starts", tuple(start for start, _, _ in walked))
    steps = ("steps", tuple(step for _, _, step in walked))
    result = TensorSpec(made, call.spec().dtype)
    return Meaning(ops.View(kind, (result,), (starts, steps)), (call.required(0),))


def split_axis(call: Call) -> Arguments:
    """Return the axis that is split."""
    return (("dim", call.integer("axis", 0)),)


def split(call: Call) -> Shapes:
    """Return the parts along one axis."""
    shape = call.shape()
    axis = check_axis(call.integer("axis", 0), len(shape))
    parts = call.ints("split", 1)
    if parts is None:
        size = -(-shape[axis] // len(call.results))
        starts = range(0, size * len(call.results), size)
        parts = tuple(max(min(size, shape[axis] - start), 0) for start in starts)
    return [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]


def pad(call: Call) -> Shapes:
    """Return the extents with what is put before and after."""
    shape = list(call.shape())
    pads = call.ints("pads", 1) or ()
    axes = call.ints("axes", 3) or tuple(range(len(shape)))
    half = len(pads) // 2
    for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True):
        shape[check_axis(axis, len(shape))] += before + after
    return [extents(shape)]


def sides(call: Call) -> Arguments:
    """Return what is put before and after each axis, and what it is."""
    before, after = [0] * len(call.shape()), [0] * len(call.shape())
    pads = call.ints("pads", 1) or ()
    axes = call.ints("axes", 3) or tuple(range(len(before)))
    half = len(pads) // 2
    for axis, front, back in zip(axes, pads[:half], pads[half:], strict=True):
        before[axis], after[axis] = front, back
    pairs = ("before", tuple(before)), ("after", tuple(after))
    return (*pairs, ("mode", call.text("mode", "constant")))


def block(call: Call) -> Arguments:
    """Return the extent of the blocks that channels are spread over."""
    return (("blocksize", call.integer("blocksize", 1)), ("mode", call.text("mode", "DCR")))


def expand(call: Call) -> Shapes:
    """Return the broadcast shape."""
    return [broadcast(call.shape(), extents(call.ints("shape", 1) or ()))]


def depth_to_space(call: Call) -> Shapes:
    """Return the maps that channels were spread over."""
    n, c, h, w = call.shape()
    block = call.integer("blocksize", 1)
    return [(n, c // block**2, h * block, w * block)]


def same(call: Call) -> Shapes:
    """Return the input's shape."""
    return [call.shape()]


def drawn(call: Call) -> Meaning:
    """Read random numbers, in the shape of an attribute or of another tensor."""
    like = call.operand(0)
    if like is not None and like.spec is None:
        raise UnknownShape(like.name)
    own = "float32" if like is None or like.spec is None else like.spec.dtype
    shape = extents(call.ints("shape") or ()) if like is None else call.shape()
    spec = TensorSpec(shape, DTYPES.get(call.integer("dtype", 0), own))
    return Meaning(ops.Rearrange("random", (spec,)), ())
