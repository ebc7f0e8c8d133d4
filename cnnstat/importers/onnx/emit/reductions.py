"""Sums, means and extremes over axes, and resampling of maps."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx.emitting import Emission, Emitter

REDUCERS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "norm": "ReduceL2",
    "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
}
"""Kinds of ``Reduce`` that are one ONNX operator."""


def _reduced(
    use: Emission, op_type: str, name: str, *, suffix: str = "", keep: bool | None = None
) -> str:
    """Reduce a tensor over the operator's axes; those of a sum are an input in opset 17."""
    op: Any = use.op
    said: dict[str, Any] = {"keepdims": int(op.keepdim if keep is None else keep)}
    inputs = [name]
    if op.axes and op_type == "ReduceSum":
        inputs.append(
            use.constant(op.axes, suffix=f"{suffix}_axes" if suffix else "axes", whole=True)
        )
    elif op.axes:
        said["axes"] = op.axes
    return use.node(op_type, inputs, suffix=suffix, **said)


def _extreme(use: Emission, name: str, op_type: str, *, suffix: str = "") -> str:
    """Write the position of an extreme along one axis, or among all elements."""
    op: Any = use.op
    rank = use.facts.inputs[0].rank
    axes = {axis % rank for axis in op.axes} or set(range(rank))
    if len(axes) == 1:
        return use.node(op_type, (name,), suffix=suffix, axis=min(axes), keepdims=int(op.keepdim))
    if len(axes) < rank:
        raise use.cannot(f"there is no one position among {len(axes)} of {rank} axes")
    row = use.node(
        "Reshape", (name, use.constant([-1], suffix="row_shape", whole=True)), suffix="row"
    )
    if not op.keepdim:
        return use.node(op_type, (row,), axis=0, keepdims=0)
    found = use.node(op_type, (row,), suffix="position", axis=0, keepdims=0)
    return use.node("Reshape", (found, use.constant([1] * rank, suffix="kept", whole=True)))


def _with_indices(use: Emission) -> tuple[str, ...]:
    op: Any = use.op
    if op.kind not in ("max", "min") or len(op.axes) != 1:
        raise use.cannot("positions are those of extremes along one axis")
    kind = op.kind.capitalize()
    values = _reduced(use, f"Reduce{kind}", use.input)
    return values, _extreme(use, use.input, f"Arg{kind}", suffix="indices")


def _any_or_all(op_type: str) -> Emitter:
    """Write the largest or the least truth value, as whole numbers: ONNX compares no others."""

    def emitter(use: Emission) -> str:
        found = use.input
        if use.facts.inputs[0].dtype != "bool":
            found = use.cast(found, "bool", suffix="truth")
        whole = use.cast(found, "int32", suffix="whole")
        return use.cast(_reduced(use, op_type, whole, suffix="extreme"), "bool", suffix="")

    return emitter


def _spread(use: Emission) -> str:
    """Write a variance, or its root: the sum of (x - mean)^2 over one less than the elements."""
    op: Any = use.op
    mean = _reduced(use, "ReduceMean", use.input, suffix="mean", keep=True)
    apart = use.node("Sub", (use.input, mean), suffix="apart")
    square = use.node("Mul", (apart, apart), suffix="square")
    total = _reduced(use, "ReduceSum", square, suffix="total")
    given = use.node("Size", (use.input,), suffix="given")
    each = use.node("Div", (given, use.node("Size", (mean,), suffix="made")), suffix="each")
    one = use.constant(1, suffix="one", whole=True)
    less = use.node("Sub", (each, one), suffix="less")
    count = use.cast(less, use.dtype, suffix="count")
    if op.kind == "var":
        return use.node("Div", (total, count))
    return use.node("Sqrt", (use.node("Div", (total, count), suffix="variance"),))


def _running_sum(use: Emission) -> str:
    op: Any = use.op
    if len(op.axes) != 1 and use.facts.inputs[0].rank != 1:
        raise use.cannot("it runs along one axis, which must be named")
    axis = use.constant(op.axes[0] if op.axes else 0, suffix="axis", whole=True)
    return use.node("CumSum", (use.input, axis))


def _running_product(use: Emission) -> str:
    raise use.cannot("ONNX has no running product")


SPECIAL: dict[str, Emitter] = {
    "argmax": lambda use: _extreme(use, use.input, "ArgMax"),
    "argmin": lambda use: _extreme(use, use.input, "ArgMin"),
    "any": _any_or_all("ReduceMax"),
    "all": _any_or_all("ReduceMin"),
    "var": _spread,
    "std": _spread,
    "cumsum": _running_sum,
    "cumprod": _running_product,
}
"""Kinds of ``Reduce`` that are not."""


def reduce(use: Emission) -> str | tuple[str, ...]:
    """Write a reduction over some axes or all."""
    op: Any = use.op
    if use.facts.inputs[0].dtype == "bool" and op.kind not in ("any", "all"):
        raise use.cannot("ONNX has no arithmetic of truth values")
    if op.with_indices:
        return _with_indices(use)
    if op.kind in SPECIAL:
        return SPECIAL[op.kind](use)
    return _reduced(use, REDUCERS[op.kind], use.input)


RESIZING: dict[str, dict[str, Any]] = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "nearest-exact": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "linear": {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.75},
}
"""Modes of ``Interpolate``. ONNX's usual coordinates are those of centres of elements, as PyTorch's
are but for ``nearest``, which takes the element at or before i * h / h'."""


def interpolate(use: Emission) -> str:
    """Write a resampling; batch and channels are read off the input, so that they stay free."""
    op: Any = use.op
    if op.mode == "area":
        return _area(use)
    if op.mode == "bicubic" and len(op.output_size) != 2:
        raise use.cannot(f"bicubic has 2 axes, not {len(op.output_size)}")
    front = use.node("Shape", (use.input,), suffix="front", end=2)
    extents = use.constant(op.output_size, suffix="extents", whole=True)
    wanted = use.node("Concat", (front, extents), suffix="shape", axis=0)
    return use.node("Resize", (use.input, "", "", wanted), **RESIZING[op.mode])


def _area(use: Emission) -> str:
    """Write means over windows that share the map among them."""
    op: Any = use.op
    given = use.facts.inputs[0].shape[2:]
    if any(n % out for n, out in zip(given, op.output_size, strict=True)):
        raise use.cannot(f"{given} elements do not divide evenly by {op.output_size}")
    kernel = [n // out for n, out in zip(given, op.output_size, strict=True)]
    return use.node("AveragePool", (use.input,), kernel_shape=kernel, strides=kernel)
