"""Attention of Keras, over any axes, and products of two tensors."""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.keras.activations import normalized_exponentials
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.importers.keras.shapes import permuted

Results = tuple[Tensor, ...]


def multi_head_attention(call: Call) -> Results | None:
    """``MultiHeadAttention`` over ``attention_axes``, by default all but the batch and the last.

    query (n, ..., c), value (n, ..., c'), key (n, ..., c'') -> (n, ..., output_shape or c).
    """
    query, value = call.argument(0, "query"), call.argument(1, "value")
    if query is None or value is None:
        return None
    key = call.argument(2, "key") or value
    query, key, value = (call.as_keras(x) for x in (query, key, value))
    rank = query.spec.rank
    over = call.option("attention_axes", list(range(1, rank - 1)))
    over = tuple(axis % rank for axis in ([over] if type(over) is int else over))
    heads, width = call.integer("num_heads"), call.integer("key_dim")
    value_width = call.integer("value_dim", width)
    bias = call.flag("use_bias", default=True)

    def projected(x: Tensor, size: int, name: str) -> Tensor:
        made = call.add(ops.Linear(heads * size, bias), x, suffix=name)
        made = call.viewed((*x.spec.shape[:-1], heads, size), made, suffix=f"{name}/split")
        return _heads_first(call, made, over, name)

    q, k = projected(query, width, "query"), projected(key, width, "key")
    mask = call.argument(6, "attention_mask")
    masks = [] if mask is None else [_mask(call, call.as_keras(mask), q.spec.rank)]
    wanted = bool(call.named.get("return_attention_scores"))
    v = projected(value, value_width, "value")
    if wanted:
        if masks:
            return None
        mixed, scores = _explicit(call, q, k, v)
    else:
        mixed, scores = call.add(ops.Attention(), q, k, v, *masks), None
    joined = _heads_last(call, mixed, query.spec.shape[:-1], over)
    shape = call.option("output_shape")
    out = prod(shape) if isinstance(shape, list) else shape or query.spec.shape[-1]
    result = call.add(ops.Linear(out, bias), joined, suffix="attention_output")
    if isinstance(shape, list) and len(shape) > 1:
        result = call.viewed((*query.spec.shape[:-1], *shape), result)
    if scores is None:
        return (result,)
    others = [query.spec.shape[a] for a in range(1, rank - 1) if a not in over]
    there, here = ([x.spec.shape[a] for a in over] for x in (query, key))
    full = (query.spec.shape[0], *others, heads, *there, *here)
    return result, call.viewed(full, scores, suffix="scores")


def _heads_first(call: Call, x: Tensor, over: tuple[int, ...], name: str) -> Tensor:
    """(n, axes ..., heads, size) -> (n, other axes ..., heads, product of the axes, size)."""
    rank = x.spec.rank
    others = [axis for axis in range(1, rank - 2) if axis not in over]
    made = permuted(call, x, (0, *others, rank - 2, *over, rank - 1), f"{name}/permute")
    if len(over) == 1:
        return made
    front = made.spec.shape[: len(others) + 2]
    length = prod(x.spec.shape[axis] for axis in over)
    return call.viewed((*front, length, x.spec.shape[-1]), made, suffix=f"{name}/join")


def _heads_last(call: Call, x: Tensor, shape: tuple[int, ...], over: tuple[int, ...]) -> Tensor:
    """Undo ``_heads_first``, the heads and their features as one axis; ``shape`` is before it."""
    rank = len(shape) + 2
    others = [axis for axis in range(1, len(shape)) if axis not in over]
    heads, size = x.spec.shape[len(others) + 1], x.spec.shape[-1]
    if len(over) > 1:
        split = (*x.spec.shape[: len(others) + 2], *(shape[axis] for axis in over), size)
        x = call.viewed(split, x, suffix="split")
    order = (0, *others, rank - 2, *over, rank - 1)
    back = tuple(order.index(axis) for axis in range(rank))
    return call.viewed((*shape, heads * size), permuted(call, x, back, "permute"), suffix="merge")


def _mask(call: Call, mask: Tensor, rank: int) -> Tensor:
    """(n, ..., queries, keys) -> the same with an axis for the heads, where it has none."""
    if mask.spec.rank != 3 or rank != 4:
        return mask
    n, queries, keys = mask.spec.shape
    arguments = (("dim", 1),)
    return call.viewed((n, 1, queries, keys), mask, "unsqueeze", arguments, suffix="mask")


def _explicit(call: Call, q: Tensor, k: Tensor, v: Tensor) -> Results:
    """Return what attention makes, and its scores, by its parts."""
    scaled = call.add(ops.Pointwise("mul"), q, suffix="scale")
    weights = normalized_exponentials(
        call,
        call.add(ops.MatMul(), scaled, _turned(call, k, "key"), suffix="product"),
        -1,
        suffix="softmax",
    )
    return call.add(ops.MatMul(), weights, v), weights


def _turned(call: Call, x: Tensor, name: str) -> Tensor:
    """Return a tensor with its last two axes exchanged."""
    rank = x.spec.rank
    return permuted(call, x, (*range(rank - 2), rank - 1, rank - 2), f"{name}/transpose")


def grouped_query_attention(call: Call) -> Results | None:
    """``GroupQueryAttention``: keys and values have fewer heads than queries."""
    query, value = call.argument(0, "query"), call.argument(1, "value")
    if query is None or value is None or call.named.get("return_attention_scores"):
        return None
    key = call.argument(2, "key") or value
    if call.argument(6, "attention_mask") is not None or query.spec.rank != 3:
        return None
    width, heads = call.integer("head_dim"), call.integer("num_query_heads")
    fewer, bias = call.integer("num_key_value_heads"), call.flag("use_bias", default=True)

    def projected(x: Tensor, count: int, name: str) -> Tensor:
        made = call.add(ops.Linear(count * width, bias), x, suffix=name)
        made = call.viewed((*x.spec.shape[:-1], count, width), made, suffix=f"{name}/split")
        return _heads_first(call, made, (1,), name)

    q, k = projected(query, heads, "query"), projected(key, fewer, "key")
    mixed = call.add(ops.Attention(), q, k, projected(value, fewer, "value"))
    joined = _heads_last(call, mixed, query.spec.shape[:-1], (1,))
    return (call.add(ops.Linear(query.spec.shape[-1], bias), joined, suffix="attention_output"),)


def dot_attention(call: Call) -> Results | None:
    """``Attention`` of [query, value, key]: softmax(scale q k^T) v, the scale a parameter."""
    if len(call.tensors) < 2 or call.option("score_mode", "dot") != "dot":
        return None
    query, value, *more = (call.as_keras(x) for x in call.tensors[:3])
    key = more[0] if more else value
    scores = call.add(ops.MatMul(), query, _turned(call, key, "key"), suffix="product")
    if call.flag("use_scale", default=False):
        scale = call.computed(call.parameter((), "scale"), "scale/to")
        scores = call.add(ops.Pointwise("mul"), scores, scale, suffix="mul")
    return _mixed(call, scores, value)


def additive_attention(call: Call) -> Results | None:
    """``AdditiveAttention`` of [query, value, key]: softmax(sum of scale tanh(q + k)) v."""
    if len(call.tensors) < 2:
        return None
    query, value, *more = (call.as_keras(x) for x in call.tensors[:3])
    key = more[0] if more else value
    if query.spec.rank != 3:
        return None
    n, queries, width = query.spec.shape
    keys = key.spec.shape[1]
    q = call.viewed((n, queries, 1, width), query, "unsqueeze", (("dim", 2),), suffix="query")
    k = call.viewed((n, 1, keys, width), key, "unsqueeze", (("dim", 1),), suffix="key")
    summed = call.add(ops.Tanh(), call.add(ops.Pointwise("add"), q, k, suffix="add"), suffix="tanh")
    if call.flag("use_scale", default=True):
        scale = call.computed(call.parameter((width,), "scale"), "scale/to")
        summed = call.add(ops.Pointwise("mul"), summed, scale, suffix="mul")
    return _mixed(call, call.add(ops.Reduce("sum", (-1,)), summed, suffix="sum"), value)


def _mixed(call: Call, scores: Tensor, value: Tensor) -> Results:
    weights = normalized_exponentials(call, scores, -1, suffix="softmax")
    mixed = call.add(ops.MatMul(), weights, value)
    wanted = bool(call.named.get("return_attention_scores"))
    return (mixed, weights) if wanted else (mixed,)


def dot(call: Call) -> Tensor | None:
    """``Dot``: the products of two tensors along one axis of each, summed; the batch is shared."""
    if len(call.tensors) != 2:
        return None
    left, right = (call.as_keras(x) for x in call.tensors)
    axes = call.option("axes", -1)
    axes = [axes, axes] if type(axes) is int else axes
    a, b = axes[0] % left.spec.rank, axes[1] % right.spec.rank
    if 0 in (a, b):
        return None
    if call.flag("normalize", default=False):
        left, right = (_unit(call, *pair) for pair in ((left, a, "left"), (right, b, "right")))
    n, k = left.spec.shape[0], left.spec.shape[a]
    rows = [axis for axis in range(1, left.spec.rank) if axis != a]
    columns = [axis for axis in range(1, right.spec.rank) if axis != b]
    m, p = ([x.spec.shape[i] for i in axes] for x, axes in ((left, rows), (right, columns)))
    first = permuted(call, left, (0, *rows, a), "left/permute")
    second = permuted(call, right, (0, b, *columns), "right/permute")
    first = call.viewed((n, prod(m), k), first, suffix="left/view")
    second = call.viewed((n, k, prod(p)), second, suffix="right/view")
    product = call.add(ops.MatMul(), first, second)
    return call.viewed((n, *m, *p) if m or p else (n, 1), product, suffix="view")


def _unit(call: Call, x: Tensor, axis: int, name: str) -> Tensor:
    arguments = (("dim", axis), ("p", 2))
    return call.add(
        ops.Function("lp_normalization", (x.spec,), arguments), x, suffix=f"{name}/unit"
    )
