"""Operator -> the kernels that PyTorch runs for it, in order: ``LOWERINGS``, one line each.

The modules are those that ``pytorch`` builds, run by generated code. An operator without a line is
unknown: its results count, what it saves does not, and figures are lower bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from math import prod

from cnnstat import ops
from cnnstat.count.placement import place
from cnnstat.ir.graph import ShapedGraph
from cnnstat.ir.op import Op
from cnnstat.memory import kernels as k
from cnnstat.memory.call import Call, Lowering, padded
from cnnstat.memory.pooling import POOLINGS
from cnnstat.memory.tape import Tape, Tensor
from cnnstat.ops.conv import CONVOLUTIONS, TRANSPOSED

OVERWRITABLE: tuple[type[Op], ...] = (
    *CONVOLUTIONS,
    *TRANSPOSED,
    *(ops.ConnectedConv2d, ops.Linear, ops.BatchNorm2d, ops.Add, ops.Concat),
)
"""Operators that make a tensor of their own which their backward pass does not read: a ReLU after
one may write over it."""


def overwriting(shaped: ShapedGraph) -> list[int]:
    """Return the nodes that write over their input: a ReLU whose input nothing else reads."""
    owns = place(shaped.graph).owns
    return [
        index
        for index, node in enumerate(shaped.nodes)
        if isinstance(node.op, ops.ReLU)
        and not owns[index]
        and isinstance(shaped.nodes[node.inputs[0].node].op, OVERWRITABLE)
    ]


def _convolution(t: Tape, call: Call) -> Tensor:
    x = padded(t, call)
    y = k.convolution(t, x, call.stored["weight"], call.stored.get("bias"), call.shape)
    t.hold((x,))
    return y


def _transposed(t: Tape, call: Call) -> Tensor:
    """Convolve, then slice along each axis that is cut differently on its two sides."""
    n, c, *extents = call.shape
    cuts = [abs(w.before - w.after) for w in call.op.windows()]
    shapes = [(n, c, *[e + cut for e, cut in zip(extents, cuts, strict=True)])]
    for axis, cut in enumerate(cuts):
        if cut:
            before = shapes[-1]
            shapes.append((*before[: axis + 2], before[axis + 2] - cut, *before[axis + 3 :]))
    weight, bias = call.stored["weight"], call.stored.get("bias")
    return k.thinned(t, k.convolution(t, call.x, weight, bias, shapes[0]), shapes[1:])


def _linear(t: Tape, call: Call) -> Tensor:
    return k.addmm(t, call.x, call.stored["weight"], call.stored.get("bias"), call.shape)


def _batch_norm(t: Tape, call: Call) -> Tensor:
    own = call.training or not call.op.tracked  # statistics of the batch
    return k.batch_norm(t, call.x, call.affine, training=own)


def _relu(t: Tape, call: Call) -> Tensor:
    return k.over(t, call.x) if call.in_place else k.unary(t, call.x, saves="output")


def _saving(saves: str, cast: str = "") -> Lowering:
    """Return a kernel on each element: what autograd saves, and autocast's name of it, if any."""

    def lower(t: Tape, call: Call) -> Tensor:
        (x,) = k.cast(t, cast, call.x) if cast else (call.x,)
        return k.unary(t, x, saves=saves)

    return lower


def _scaled_tanh(t: Tape, call: Call) -> Tensor:
    return k.scale(t, k.unary(t, k.scale(t, call.x), saves="output"))


def _local_response_norm(t: Tape, call: Call) -> Tensor:
    """Square, pad the channels, average, scale, shift, power, divide; each step replaces one."""
    x = call.x
    n, c, *extents = x.shape
    squares = k.multiply(t, x, x)
    wide = k.pad(t, squares, (n, c + call.op.size - 1, *extents))
    t.hold((squares,))
    (lower,) = k.cast(t, "avg_pool3d", wide)
    mean = k.unary(t, lower, x.shape, saves="input")
    t.hold((wide, lower))
    base = k.power(t, k.shift(t, k.scale(t, mean)))
    t.hold((mean,))
    return k.divide(t, x, base)


def _drop_path(t: Tape, call: Call) -> Tensor:
    if call.op.survival == 1:
        return call.x
    if not call.training:
        return k.scale(t, call.x)
    draw = t.run((call.x,), ((1,) * len(call.x.shape), call.x.dtype))[0]
    return k.multiply(t, call.x, draw)


def _add(t: Tape, call: Call) -> Tensor:
    return reduce(partial(k.add, t), call.inputs)


def _fractal_join(t: Tape, call: Call) -> Tensor:
    columns = call.inputs
    if not call.training or not call.op.drop_path:
        total = reduce(partial(k.add, t), columns)
        mean = k.scale(t, total)
        t.hold((total,))
        return mean
    chosen, *more = _draws(t, call)
    joined = k.multiply(t, columns[0], chosen)
    for column in columns[1:]:
        part = k.multiply(t, column, chosen)
        joined = k.add(t, joined, part)
    share = t.run((chosen,), ((), chosen.dtype))[0]
    mean = k.divide(t, joined, share)
    t.hold((joined, *more))
    return mean


def _draws(t: Tape, call: Call) -> list[Tensor]:
    """Return a draw of the columns, one of them spared where none is drawn; and its temporaries."""
    each = ((len(call.inputs),), call.x.dtype)
    drawn = t.run((call.x,), each)[0]
    spared = t.run((), ((1,), "int64"))[0]
    one = t.run((drawn, spared), each)[0]
    any_drawn = t.run((drawn,), ((), "bool"))[0]
    return [*t.run((any_drawn, drawn, one), each), spared, one]


def _concat(t: Tape, call: Call) -> Tensor:
    return k.concatenate(t, call.inputs, call.shape, call.op.axis % len(call.shape))


def _view(t: Tape, call: Call) -> Tensor:
    return k.view(t, call.x, call.shape)


def _zero_pad_shortcut(t: Tape, call: Call) -> Tensor:
    n, c, _, w = call.x.shape
    _, _, high, wide = call.shape
    thin = k.thinned(t, call.x, ((n, c, high, w), (n, c, high, wide)))
    return k.pad(t, thin, call.shape)


def _unpool(t: Tape, call: Call) -> Tensor:
    (x,) = k.cast(t, "max_unpool2d", call.x)
    places = call.inputs[1]
    y = t.run((x, places), (call.shape, x.dtype))
    return t.record((x,), y, k.simple((x,), places), saves=(places,))[0]


def _subsampling(t: Tape, call: Call) -> Tensor:
    sums = k.unary(t, call.x, call.shape, saves="input")
    scaled = k.multiply(t, sums, call.stored["weight"])
    y = k.add(t, scaled, call.stored["bias"])
    t.hold((sums,))
    return y


def _rbf(t: Tape, call: Call) -> Tensor:
    n, features = call.x.shape
    codes = call.stored["codes"]
    each = (n, call.op.units, features)
    terms = k.add(t, k.view(t, call.x, (n, 1, features)), codes, each)
    return k.sum_of(t, k.power(t, terms), call.shape)


def _connected(t: Tape, call: Call) -> Tensor:
    """One grouped convolution per number of maps read, then the maps in order."""
    weight, bias = call.stored["weight"], call.stored["bias"]
    n, _, *extents = call.x.shape
    made: list[Tensor] = []
    alive: list[Tensor] = []
    for fan_in in sorted(set(map(len, call.op.connections))):
        rows = sum(1 for row in call.op.connections if len(row) == fan_in)
        taps = weight.shape[1:]
        kernels = k.select(t, weight, (rows * fan_in, *taps))
        t.hold(alive)
        gathered = k.select(t, call.x, (n, rows * fan_in, *extents))
        some = k.select(t, bias, (rows,))
        shaped = k.view(t, kernels, (rows, fan_in, *taps))
        made.append(k.convolution(t, gathered, shaped, some, (n, rows, *call.shape[2:])))
        alive = [kernels]
    y = k.concatenate(t, made, call.shape, 1)
    t.hold(made)
    y = k.select(t, y, y.shape)
    t.hold((*made, *alive))
    return y


def _layer_norm(t: Tape, call: Call) -> Tensor:
    rows = prod(call.x.shape[: -call.op.axes])
    return k.own_statistics(t, "layer_norm", call.x, call.affine, rows)


def _group_norm(t: Tape, call: Call) -> Tensor:
    return k.own_statistics(t, "group_norm", call.x, call.affine, call.shape[0] * call.op.groups)


def _arithmetic(
    with_number: Callable[[Tape, Tensor], Tensor],
    with_tensor: Callable[[Tape, Tensor, Tensor], Tensor],
) -> Lowering:
    """Return a kernel on a tensor and a number, or on two tensors, the larger first."""

    def lower(t: Tape, call: Call) -> Tensor:
        if len(call.inputs) == 1:
            return with_number(t, call.x)
        first, second = call.inputs
        alike = first.shape == call.shape
        return with_tensor(t, first, second) if alike else with_tensor(t, second, first)

    return lower


NONLINEARITIES: dict[str, Lowering] = {
    **dict.fromkeys(
        (
            *("SiLU", "GELU", "Hardswish", "Hardsigmoid", "Hardtanh", "ReLU6", "ELU"),
            *("LeakyReLU", "Mish"),
        ),
        _saving("input"),
    ),
    "Softplus": _saving("input", "softplus"),
}
"""Kind of ``Nonlinearity`` -> its kernels."""

POINTWISE: dict[str, Lowering] = {
    "mul": _arithmetic(k.scale, k.multiply),
    "add": _arithmetic(k.shift, k.add),
}
"""Kind of ``Pointwise`` -> its kernels, where one tensor has the shape of the result."""

LOWERINGS: dict[type[Op], Lowering] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    **dict.fromkeys(TRANSPOSED, _transposed),
    ops.ConnectedConv2d: _connected,
    ops.Linear: _linear,
    ops.RBF: _rbf,
    **POOLINGS,
    ops.Subsampling: _subsampling,
    ops.MaxUnpool2d: _unpool,
    ops.BatchNorm2d: _batch_norm,
    ops.LocalResponseNorm: _local_response_norm,
    ops.ReLU: _relu,
    ops.Tanh: _saving("output"),
    ops.ScaledTanh: _scaled_tanh,
    ops.Sigmoid: _saving("output"),
    ops.Softmax: _saving("output", "softmax"),
    ops.Dropout: lambda t, call: k.dropout(t, call.x) if call.training and call.op.p else call.x,
    ops.DropPath: _drop_path,
    ops.Add: _add,
    ops.FractalJoin: _fractal_join,
    ops.Concat: _concat,
    ops.Flatten: _view,
    ops.ZeroPadShortcut: _zero_pad_shortcut,
    ops.LayerNorm: _layer_norm,
    ops.GroupNorm: _group_norm,
    ops.Interpolate: lambda t, call: k.unary(t, call.x, call.shape),
}
"""Operator's class -> its kernels; an operator that is not here is unknown, never free."""


def lowering(shaped: ShapedGraph, index: int) -> Lowering | None:
    """Return the kernels of a node, or None where they are not known.

    They are not where weights are computed, nor of a slow transposed convolution, whose result may
    take more memory than its elements.
    """
    node, facts = shaped.nodes[index], shaped.facts[index]
    op = node.op
    owner = facts if node.tied_to is None else shaped.facts[node.tied_to]
    if {weight.name for weight in facts.weights} - {weight.name for weight in owner.weights}:
        return None
    if isinstance(op, ops.ConvTranspose3d) and facts.inputs[0].numel > facts.outputs[0].numel:
        return None
    if isinstance(op, ops.Nonlinearity):
        return NONLINEARITIES.get(op.kind)
    if isinstance(op, ops.Pointwise):
        alike = facts.outputs[0] in facts.inputs and len(facts.inputs) < 3
        return POINTWISE.get(op.kind) if alike else None
    if isinstance(op, ops.Parameter) and len(facts.weights) == 1:
        return lambda t, call: next(iter(call.stored.values()))
    if isinstance(op, ops.View) and len(facts.outputs) == 1 and node.inputs:
        return _view
    return LOWERINGS.get(type(op))


def unknown_call(t: Tape, call: Call) -> list[Tensor]:
    """Return the results of an unknown operator; those of an opaque one and views take no memory.

    Gradients pass through it without memory of their own, so that the layers before it count.
    """
    if call.op.storage == "view" and call.inputs:
        return [call.x._replace(shape=spec.shape) for spec in call.facts.outputs]
    opaque = isinstance(call.op, ops.Opaque)
    makes = [((0,) if opaque else spec.shape, spec.dtype) for spec in call.facts.outputs]
    reads = (*call.inputs, *call.stored.values())
    pairs = zip(t.run(reads, *makes), call.facts.outputs, strict=True)
    made = [tensor._replace(shape=spec.shape) for tensor, spec in pairs]
    if not all("float" in spec.dtype for spec in call.facts.outputs):
        return made  # whole numbers have no gradient
    return t.record(reads, made, k.without_memory(reads))


def lower(t: Tape, call: Call, kernels: Lowering | None) -> list[Tensor]:
    """Write the kernels of one node and return its results.

    Its inputs are held until then, but those of a sum: it is written as a sum of two after another.
    """
    made = (kernels or unknown_call)(t, call)
    if not isinstance(call.op, ops.Add):
        t.hold(call.inputs)
    return made if isinstance(made, list) else [made]
