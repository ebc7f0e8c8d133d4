"""Views, captured moves, stored tensors and ties written to ONNX: what the shapes tell, no more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from torch import from_numpy
from torch.nn.functional import interpolate, scaled_dot_product_attention

from cnnstat import api, ops
from cnnstat.errors import ModelError
from cnnstat.importers.onnx.writing import onnx_blocks
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import ShapedGraph, Value
from cnnstat.ir.op import Op, Role, Weight
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from tests.importers.onnx_running import drawn, entering, written

Shape = tuple[int, ...]


def moving(kind: type[ops.View] | type[ops.Rearrange], name: str, *results: Any) -> Op:
    specs = [r if isinstance(r, TensorSpec) else TensorSpec(r) for r in results]
    return kind(name, tuple(specs))


def view(name: str, *results: Shape) -> Op:
    return moving(ops.View, name, *results)


def move(name: str, *results: Any) -> Op:
    return moving(ops.Rearrange, name, *results)


def alone(op: Op, *inputs: Shape | TensorSpec) -> ShapedGraph:
    """Return the graph of one operator, every result leaving."""
    b = Builder("net")
    specs = [each if isinstance(each, TensorSpec) else TensorSpec(each) for each in inputs]
    values = [b.add(f"x{i}", ops.Input(s.shape[1:], s.dtype)) for i, s in enumerate(specs)]
    first = b.add("op", op, *values)
    graph = b.graph(*[b.result(first, i) for i in range(len(op.infer(tuple(specs))))])
    return infer_shapes(graph, {f"x{i}": spec for i, spec in enumerate(specs)})


def ran(shaped: ShapedGraph, path: Path, weights: Any = "random") -> tuple[list[Any], list[Any]]:
    """Return what enters and what leaves."""
    file = written(shaped, path / "net.onnx", weights=weights)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = drawn(entering(shaped))
    return list(given.values()), session.run(None, given)


# -- moves ----------------------------------------------------------------------------------------

X234 = (2, 3, 4)
MOVES: tuple[tuple[Op, tuple[Any, ...], Callable[..., Any]], ...] = (
    (view("view", (6, 4)), (X234,), lambda x: x.reshape(6, 4)),
    (view("squeeze", (2, 4)), ((2, 1, 4),), lambda x: x.reshape(2, 4)),
    (view("permute", (4, 2, 3)), (X234,), lambda x: x.transpose(2, 0, 1)),
    (view("permute", (2, 1, 4, 3)), ((2, 3, 1, 4),), lambda x: x.transpose(0, 2, 3, 1)),
    (view("transpose", (2, 5, 3, 7, 7)), ((2, 3, 5, 7, 7),), lambda x: x.swapaxes(1, 2)),
    (view("transpose", (2, 5, 5)), ((2, 5, 5),), lambda x: x.swapaxes(1, 2)),
    (view("t", (5, 5)), ((5, 5),), lambda x: x.T),
    (view("mT", (2, 2, 2)), ((2, 2, 2),), lambda x: x.swapaxes(1, 2)),
    (view("expand", (5, 2, 3, 4)), ((2, 1, 4),), lambda x: np.broadcast_to(x, (5, 2, 3, 4))),
    (view("slice", X234), (X234,), lambda x: x),
    (view("split", (2, 1, 4), (2, 2, 4)), (X234,), lambda x: [x[:, :1], x[:, 1:]]),
    (view("chunk", X234), (X234,), lambda x: x),
    (view("unbind", (2, 4), (2, 4), (2, 4)), (X234,), lambda x: [x[:, 0], x[:, 1], x[:, 2]]),
    (move("clone", X234), (X234,), lambda x: x),
    (move("cast", TensorSpec(X234, "int64")), (X234,), lambda x: x.astype(np.int64)),
    (move("type_as", X234), (TensorSpec(X234, "int64"), (5,)), lambda x, _: x.astype(np.float32)),
    (move("stack", (2, 3, 2, 4)), (X234, X234), lambda x, y: np.stack([x, y], 2)),
    (move("repeat", (2, 2, 6, 4)), (X234,), lambda x: np.tile(x, (2, 1, 2, 1))),
    (move("zeros_like", X234), (X234,), lambda x: 0 * x),
    (move("ones", TensorSpec((2, 3), "int64")), (), lambda: np.ones((2, 3), np.int64)),
    (move("copy", X234), (X234, TensorSpec((3, 1), "int64")),
     lambda x, y: np.broadcast_to(y.astype(np.float32), X234)),
    (move("space_to_depth", (1, 8, 2, 3)), ((1, 2, 4, 6),),
     lambda x: x.reshape(1, 2, 2, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(1, 8, 2, 3)),
    (move("pixel_unshuffle", (1, 8, 2, 3)), ((1, 2, 4, 6),),
     lambda x: x.reshape(1, 2, 2, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(1, 8, 2, 3)),
    (move("pixel_shuffle", (1, 2, 4, 6)), ((1, 8, 2, 3),),
     lambda x: x.reshape(1, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 4, 6)),
)  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "expected"), MOVES, ids=[str(m[0]) for m in MOVES])
def test_move_that_its_shapes_tell(
    op: Op, inputs: tuple[Any, ...], expected: Callable[..., Any], tmp_path: Path
) -> None:
    given, found = ran(alone(op, *inputs), tmp_path)
    wanted = expected(*given)
    for one, other in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


@pytest.mark.parametrize(
    ("op", "inputs", "why"),
    [
        (view("permute", (2, 4, 4)), ((2, 4, 4),), "two axes have 4 elements"),
        (view("permute", (6, 4)), (X234,), "does more than give the axes another order"),
        (view("transpose", (4, 2, 3)), (X234,), "does more than swap two axes"),
        (view("transpose", (1, 1, 5, 5)), ((1, 1, 5, 5),), "more than one pair of axes"),
        (view("t", X234), (X234,), "does more than turn a matrix"),
        (view("slice", (2, 2, 4)), (X234,), "not which elements it takes"),
        (view("select", (2, 4)), (X234,), "not what it moves where"),
        (view("flip", X234), (X234,), "not what it moves where"),
        (view("expand", (2, 3, 5)), (X234,), "do not spread to"),
        (view("split", (2, 1, 4)), (X234,), "do not add up along one axis"),
        (view("unbind", (3, 4), (3, 4), (3, 4)), ((3, 3, 4),), "which axis goes"),
        (view("view", (2, 3)), (TensorSpec((2, 3), "int32"),), "turns int32 into float32"),
        (move("stack", (2, 2, 2)), ((2, 2), (2, 2)), "which axis is new"),
        (move("repeat", (2, 5)), ((2, 3),), "repeated do not make"),
        (move("pixel_shuffle", (1, 2, 5, 6)), ((1, 8, 2, 3),), "do not lie in squares"),
        (move("pad", (2, 3, 6)), (X234,), "not what it moves where"),
        (move("depth_to_space", (1, 2, 4, 6)), ((1, 8, 2, 3),), "not what it moves where"),
        (move("constant", (2, 3)), (), "not what it moves where"),
        (move("copy", X234), (X234,), "what is copied over it"),
        (move("cast", TensorSpec(X234, "complex64")), (X234,), "take no complex64"),
        (ops.Opaque("fft", (TensorSpec(X234),)), (X234,), "only the name is known"),
        (ops.Pointwise("mul"), (X234,), "the number that its tensor is combined with is not kept"),
        (ops.Pointwise("clamp"), (X234,), "between which numbers it clips is not kept"),
        (ops.Pointwise("div"), (TensorSpec((2,), "int64"),) * 2, "how a quotient of whole numbers"),
        (ops.Pointwise("mul"), (TensorSpec((2,), "bool"),) * 2, "no arithmetic of truth values"),
        (ops.Reduce("sum"), (TensorSpec((2,), "bool"),), "no arithmetic of truth values"),
        (ops.Reduce("argmax", (0, 1)), (X234,), "no one position among 2 of 3 axes"),
        (ops.Reduce("max", (0, 1), False, True), (X234,), "extremes along one axis"),
        (ops.Reduce("cumsum"), (X234,), "runs along one axis, which must be named"),
        (ops.Interpolate((5,), "bicubic"), (X234,), "bicubic has 2 axes, not 1"),
        (ops.Interpolate((3,), "area"), (X234,), "do not divide evenly"),
        (ops.Recurrent("GRU", 3), (X234, (1, 2, 3)), "a weight or a state that the model computes"),
    ],
)  # fmt: skip
def test_refuses_in_one_line(op: Op, inputs: tuple[Any, ...], why: str) -> None:
    with pytest.raises(ModelError, match=why) as raised:
        onnx_blocks(alone(op, *inputs))
    said = str(raised.value)
    assert said.startswith(f"net: op: the operator {op.type_name} cannot be written to ONNX: ")
    assert "\n" not in said


# -- arithmetic beyond the cases ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "inputs", "expected"),
    [
        (ops.Pointwise("remainder"), ("int64", "int64"), lambda a, b: a % (b + 1)),
        (ops.Pointwise("floor_divide"), ("int64", "int64"), lambda a, b: a // (b + 1)),
        (ops.Pointwise("div", "float32"), ("int64", "int64"), lambda a, b: a / (b + 1)),
        (ops.Pointwise("add"), ("float32", "int64"), lambda a, b: a + (b + 1)),
        (ops.Pointwise("sqrt", "float32"), ("int64",), lambda a: a**0.5),
    ],
)
def test_whole_numbers(
    op: Op, inputs: tuple[str, ...], expected: Callable[..., Any], tmp_path: Path
) -> None:
    """The second tensor is one larger than it is drawn, so that nothing is divided by zero."""
    specs = [TensorSpec((4, 5), dtype) for dtype in inputs]
    file = written(alone(op, *specs), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = drawn({f"x{i}": spec for i, spec in enumerate(specs)})
    first = given["x0"] * -3 + 2 if op.type_name != "Sqrt" else given["x0"]
    fed = {name: value + 1 if name == "x1" else first for name, value in given.items()}
    wanted = expected(first, *[given[name] for name in given if name != "x0"])
    np.testing.assert_allclose(session.run(None, fed)[0], wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", ["nearest-exact", "area"])
def test_other_ways_to_resample(mode: str, tmp_path: Path) -> None:
    size = (3, 2) if mode == "area" else (4, 9)
    (x,), (found,) = ran(alone(ops.Interpolate(size, mode), (2, 3, 6, 4)), tmp_path)
    np.testing.assert_allclose(
        found, interpolate(from_numpy(x), size, mode=mode).numpy(), rtol=1e-5
    )


def test_positions_among_all(tmp_path: Path) -> None:
    for op in (ops.Reduce("argmax"), ops.Reduce("argmin", keepdim=True)):
        (x,), (found,) = ran(alone(op, X234), tmp_path)
        extreme = x.argmax() if op.kind == "argmax" else x.argmin()
        assert found.reshape(-1).tolist() == [extreme]
        assert found.shape == ((1, 1, 1) if op.keepdim else ())


def test_attention_with_fewer_heads_and_a_mask_of_truth_values(tmp_path: Path) -> None:
    specs = ((2, 6, 7, 4), (2, 3, 5, 4), (2, 3, 5, 8), TensorSpec((7, 5), "bool"))
    shaped = alone(ops.Attention(), *specs)
    given, (found,) = ran(shaped, tmp_path)
    given[3][:, 0] = True  # a row that sees nothing has no answer
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {f"x{i}": each for i, each in enumerate(given)})
    q, k, v, mask = map(from_numpy, given)
    expected = scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-5)
    report = api.analyze(str(tmp_path / "net.onnx"), batch=2)
    assert report.totals.macs == 2 * 6 * 7 * 5 * (4 + 8)


# -- stored tensors and ties ----------------------------------------------------------------------


def token_net(name: str = "token", role: Role = "weight") -> ShapedGraph:
    """Return (n, 5, 4) behind a stored token of 4, which is seen and repeated for the batch."""
    b = Builder("net")
    x = b.add("x", ops.Input((5, 4)))
    token = b.add(name, ops.Parameter((4,), role))
    seen = b.add("seen", view("view", (1, 1, 4)), token)
    many = b.add("many", view("expand", (2, 1, 4)), seen)
    graph = b.graph(b.add("both", ops.Concat(1), many, x))
    return infer_shapes(graph, {"x": TensorSpec((2, 5, 4))})


@pytest.mark.parametrize(("name", "role"), [("token", "weight"), ("token/bias", "bias")])
def test_stored_tensor_that_is_data(name: str, role: Role, tmp_path: Path) -> None:
    stored = np.arange(4, dtype=np.float32)
    shaped = token_net(name, role)
    (x,), (found,) = ran(shaped, tmp_path, weights=lambda node, weight: stored)
    np.testing.assert_array_equal(found[:, 1:], x)
    np.testing.assert_array_equal(found[:, 0], [stored, stored])
    report = api.analyze(str(tmp_path / "net.onnx"), batch=2)
    assert (report.totals.weights, report.totals.biases) == ((4, 0), (0, 4))[role == "bias"]
    assert [node.op for node in report.shaped.nodes][1] == ops.Parameter((4,), role)


def test_stored_tensor_that_is_not_trained(tmp_path: Path) -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((4,)))
    table = b.add("table", ops.Parameter((4,), "buffer"))
    shaped = infer_shapes(b.graph(b.add("sum", ops.Pointwise("add"), x, table)), {})
    stored = np.arange(4, dtype=np.float32)
    (x_,), (found,) = ran(shaped, tmp_path, weights=lambda node, weight: stored)
    np.testing.assert_array_equal(found, x_ + stored)
    totals = api.analyze(str(tmp_path / "net.onnx")).totals
    assert (totals.params, totals.buffers) == (0, 4)


def test_batch_is_fixed_where_shapes_were_captured(tmp_path: Path) -> None:
    for shaped, first in ((token_net(), 2), (alone(ops.ReLU(), (2, 3)), "batch")):
        graph = onnx.load(written(shaped, tmp_path / "net.onnx")).graph
        dim = graph.input[0].type.tensor_type.shape.dim[0]
        assert (dim.dim_param or dim.dim_value) == first


def test_stored_tensor_that_nobody_reads_is_kept_and_one_that_leaves_leaves(tmp_path: Path) -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((4,)))
    b.add("spare", ops.Parameter((3, 5)))
    table = b.add("table", ops.Parameter((2, 7)))
    shaped = infer_shapes(b.graph(b.add("act", ops.ReLU(), x), table), {})
    _, found = ran(shaped, tmp_path)
    assert [each.shape for each in found] == [(1, 4), (2, 7)]
    report = api.analyze(str(tmp_path / "net.onnx"))
    assert report.totals.params == 3 * 5 + 2 * 7
    assert [note.path for note in report.notes] == ["spare"]


def test_stored_tensor_that_may_be_turned_is_refused() -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((5,)))
    turned = b.add("turned", view("view", (5, 3)), b.add("w", ops.Parameter((3, 5))))
    shaped = infer_shapes(b.graph(b.add("fc", ops.MatMul(), x, turned)), {})
    with pytest.raises(ModelError, match=r"net: turned: .* may also be turned"):
        onnx_blocks(shaped)


def tied(*, to: Value | None, b: Builder, x: Value, op: Op) -> ShapedGraph:
    return infer_shapes(b.graph(b.add("second", op, x, tied_to=to)), {})


def test_table_that_is_also_a_layer(tmp_path: Path) -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((5,), "int64"))
    rows = b.add("table", ops.Embedding(7, 4), x)
    shaped = tied(to=rows, b=b, x=rows, op=ops.Linear(7, False))
    table = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)
    (x,), (found,) = ran(shaped, tmp_path, weights=lambda node, weight: table)
    np.testing.assert_allclose(found, table[x] @ table.T, rtol=1e-5)
    assert api.analyze(str(tmp_path / "net.onnx")).totals.params == 7 * 4


def test_layer_whose_weight_is_also_data(tmp_path: Path) -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((4,)))
    w = b.add("w", ops.Parameter((4, 4)))
    mixed = b.add("mix", ops.MatMul(), x, w)
    shaped = tied(to=w, b=b, x=mixed, op=ops.Linear(4, False))
    matrix = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    (x,), (found,) = ran(shaped, tmp_path, weights=lambda node, weight: matrix)
    np.testing.assert_allclose(found, x @ matrix @ matrix.T, rtol=1e-4)
    assert api.analyze(str(tmp_path / "net.onnx")).totals.params == 4 * 4


def test_computed_weight_is_refused() -> None:
    b = Builder("net")
    x = b.add("x", ops.Input((4,)))
    half = b.add("half", ops.Tanh(), b.add("w", ops.Parameter((3, 4))))
    graph = b.graph(b.add("fc", ops.Linear(3, False), x, half, tied_to=half))
    with pytest.raises(ModelError, match=r"net: fc: .* half, whose weights it shares, has no"):
        onnx_blocks(infer_shapes(graph, {}))


def test_weights_of_a_recurrent_layer_in_onnx_s_order(tmp_path: Path) -> None:
    """ONNX's gates are input, output, forget, cell; PyTorch's input, forget, cell, output."""

    def weights(node: str, weight: Weight) -> Any:
        return np.repeat(np.arange(4, dtype=np.float32), 2 * weight.numel // 8).reshape(
            weight.shape
        )

    file = written(alone(ops.Recurrent("LSTM", 2), (1, 3, 5)), tmp_path / "n.onnx", weights=weights)
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer}
    assert tensors["op.weight_ih_l0"][0, :, 0].tolist() == [0, 0, 3, 3, 1, 1, 2, 2]
    assert tensors["op.bias_ih_l0"].tolist() == [[0, 0, 3, 3, 1, 1, 2, 2] * 2]
