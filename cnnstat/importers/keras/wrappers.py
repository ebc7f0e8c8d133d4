"""Layers of Keras that wrap another layer."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.keras.call import Call, Tensor
from cnnstat.ir.tensor import TensorSpec

Results = tuple[Tensor, ...]

MERGED = {"sum": "add", "mul": "mul", "ave": "add"}
"""How ``Bidirectional`` joins its two ways, other than by concatenation."""


def bidirectional(call: Call) -> Results | None:
    """``Bidirectional``: a recurrent layer along the sequence and another against it."""
    backward_key = "layer" if call.option("backward_layer") is None else "backward_layer"
    layers = (call.inner_layer("layer", "forward"), call.inner_layer(backward_key, "backward"))
    x, *given = call.tensors
    half = len(given) // 2
    states_in = (given[:half], given[half:])
    ways: list[Results] = []
    for layer, part, entering in zip(layers, ("forward", "backward"), states_in, strict=True):
        made = call.inside(layer, part, [x, *entering])
        if made is None:
            return None
        ways.append(made)
    heads = [way[0] for way in ways]
    states = [state for way in ways for state in way[1:]]
    mode = call.layer.options.get("merge_mode", "concat")
    if mode is None:
        return (*heads, *states)
    if mode == "concat":
        return (call.add(ops.Concat(heads[0].spec.rank - 1), *heads, suffix="concat"), *states)
    if mode not in MERGED:
        return None
    merged = call.add(ops.Pointwise(MERGED[mode]), *heads, suffix=MERGED[mode])
    if mode == "ave":
        halved = ops.Pointwise("div", None, (("other", 2),))
        merged = call.add(halved, merged, suffix="div")
    return (merged, *states)


def time_distributed(call: Call) -> Tensor | None:
    """``TimeDistributed``: a layer or a model on each step of a sequence, with the same weights."""
    inner = call.inner_layer("layer")
    x = call.as_keras(call.x)
    n, steps, *rest = x.spec.shape
    folded = TensorSpec((n * steps, *rest), x.dtype)
    flat = call.add(ops.View("reshape", (folded,)), x, suffix="fold", channels_first=False)
    results = call.inside(inner, "", [flat])
    if results is None or len(results) != 1 or not results[0].is_known:
        return None
    made = call.as_keras(results[0])
    shape = (n, steps, *made.spec.shape[1:])
    return call.viewed(shape, made, suffix="unfold")


def spectral_normalization(call: Call) -> Tensor | None:
    """``SpectralNormalization``: a layer whose kernel is divided by its norm in training alone.

    The vector that estimates the norm has an element for each value of the kernel's last axis.
    """
    inner = call.inner_layer("layer")
    lasts = {"Dense": "units", "Embedding": "output_dim"}
    key = lasts.get(inner.kind, "filters" if inner.kind in CONVOLUTIONS else "")
    if not isinstance(width := inner.options.get(key), int):
        return None
    call.parameter((1, width), "vector_u", "buffer")
    results = call.inside(inner, "", call.tensors)
    return None if results is None else results[0]


CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
"""Layers whose kernel ends with the axis of the filters."""
