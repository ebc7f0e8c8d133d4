"""Attention of Keras, over any axes."""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.keras.activations import normalized_exponentials
from cnnstat.importers.keras.call import Call, Results, Tensor


def multi_head_attention(call: Call) -> Results | None:
    """``MultiHeadAttention`` over ``attention_axes``, by default all but the batch and the last.

    query (n, ..., c), value (n, ..., c'), key (n, ..., c'') -> (n, ..., output_shape or c).
    ``GroupedQueryAttention`` has fewer heads of keys and values than of queries.
    """
    query, value = call.argument(0, "query"), call.argument(1, "value")
    if query is None or value is None:
        return None
    key = call.argument(2, "key") or value
    query, key, value = (call.as_keras(x) for x in (query, key, value))
    rank = query.spec.rank
    over = call.option("attention_axes", list(range(1, rank - 1)))
    over = tuple(axis % rank for axis in ([over] if type(over) is int else over))
    heads = call.integer("num_heads", call.option("num_query_heads"))
    fewer = call.integer("num_key_value_heads", heads)
    width = call.integer("key_dim", call.option("head_dim"))
    mask, wanted = call.argument(6, "attention_mask"), bool(call.stated(7, SCORES))
    if sum((mask is not None, wanted, fewer != heads)) > 1:
        return None
    q = _projected(call, query, (heads, width), over, "query")
    k = _projected(call, key, (fewer, width), over, "key")
    masks = [] if mask is None else [_mask(call, call.as_keras(mask), q.spec.rank)]
    v = _projected(call, value, (fewer, call.integer("value_dim", width)), over, "value")
    if wanted:
        scaled = call.add(ops.Pointwise("mul"), q, suffix="scale")
        mixed, *scores = _mixed(call, _product(call, scaled, k), v)
    else:
        mixed, scores = call.add(ops.Attention(), q, k, v, *masks), []
    result = _joined(call, query, _heads_last(call, mixed, query.spec.shape[:-1], over))
    others = [query.spec.shape[a] for a in range(1, rank - 1) if a not in over]
    there, here = ([x.spec.shape[a] for a in over] for x in (query, key))
    full = (query.spec.shape[0], *others, heads, *there, *here)
    return (result, *(call.viewed(full, each, suffix="scores") for each in scores))


SCORES = "return_attention_scores"


def _projected(
    call: Call, x: Tensor, heads: tuple[int, int], over: tuple[int, ...], name: str
) -> Tensor:
    """Return features of some heads, each of some size, with the heads first."""
    made = call.add(ops.Linear(prod(heads), call.has_bias), x, suffix=name)
    made = call.viewed((*x.spec.shape[:-1], *heads), made, suffix=f"{name}/split")
    return _heads_first(call, made, over, name)


def _joined(call: Call, query: Tensor, heads: Tensor) -> Tensor:
    """Return what the heads make together, each feature times its gate where there are gates."""
    if call.option("use_gate"):
        gate = call.add(ops.Linear(heads.spec.shape[-1], call.has_bias), query, suffix="gate")
        gate = call.add(ops.Sigmoid(), gate, suffix="gate/sigmoid")
        heads = call.add(ops.Pointwise("mul"), heads, gate, suffix="gate/mul")
    shape = call.option("output_shape")
    out = prod(shape) if isinstance(shape, list) else shape or query.spec.shape[-1]
    result = call.add(ops.Linear(out, call.has_bias), heads, suffix="attention_output")
    if isinstance(shape, list) and len(shape) > 1:
        result = call.viewed((*query.spec.shape[:-1], *shape), result)
    return result


def _heads_first(call: Call, x: Tensor, over: tuple[int, ...], name: str) -> Tensor:
    """(n, axes ..., heads, size) -> (n, other axes ..., heads, product of the axes, size)."""
    rank = x.spec.rank
    others = [axis for axis in range(1, rank - 2) if axis not in over]
    made = call.permuted(x, (0, *others, rank - 2, *over, rank - 1), f"{name}/permute")
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
    return call.viewed((*shape, heads * size), call.permuted(x, back), suffix="merge")


def _mask(call: Call, mask: Tensor, rank: int) -> Tensor:
    """(n, ..., queries, keys) -> the same with an axis for the heads, where it has none."""
    if mask.spec.rank != 3 or rank != 4:
        return mask
    n, queries, keys = mask.spec.shape
    return call.viewed((n, 1, queries, keys), mask, "unsqueeze", suffix="mask", dim=1)


def _product(call: Call, q: Tensor, k: Tensor) -> Tensor:
    """(..., queries, size) (..., keys, size) -> (..., queries, keys)."""
    rank = k.spec.rank
    turned = call.permuted(k, (*range(rank - 2), rank - 1, rank - 2), "key/transpose")
    return call.add(ops.MatMul(), q, turned, suffix="product")


def dot_attention(call: Call) -> Results | None:
    """``Attention`` of [query, value, key]: softmax(scale q k^T) v, the scale a parameter."""
    if len(call.tensors) < 2 or call.option("score_mode", "dot") != "dot":
        return None
    query, value, *more = (call.as_keras(x) for x in call.tensors[:3])
    key = more[0] if more else value
    scores = _product(call, query, key)
    if call.option("use_scale"):
        scores = call.add(ops.Pointwise("mul"), scores, call.weight((), "scale"), suffix="mul")
    return _mixed(call, scores, value, wanted=bool(call.stated(2, SCORES)))


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
    q = call.viewed((n, queries, 1, width), query, "unsqueeze", suffix="query", dim=2)
    k = call.viewed((n, 1, keys, width), key, "unsqueeze", suffix="key", dim=1)
    summed = call.add(ops.Tanh(), call.add(ops.Pointwise("add"), q, k, suffix="add"), suffix="tanh")
    if call.option("use_scale", default=True):
        scale = call.weight((width,), "scale")
        summed = call.add(ops.Pointwise("mul"), summed, scale, suffix="mul")
    scores = call.add(ops.Reduce("sum", (-1,)), summed, suffix="sum")
    return _mixed(call, scores, value, wanted=bool(call.stated(2, SCORES)))


def _mixed(call: Call, scores: Tensor, value: Tensor, *, wanted: bool = True) -> Results:
    """Return the values weighted by the softmax of the scores, and these weights where wanted."""
    weights = normalized_exponentials(call, scores, -1, suffix="softmax")
    mixed = call.add(ops.MatMul(), weights, value)
    return (mixed, weights) if wanted else (mixed,)
