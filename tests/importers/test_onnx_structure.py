"""Structure of ONNX files: the order of nodes, branches, functions, declarations, bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from cnnstat import api
from cnnstat.errors import CnnstatError, ModelError
from cnnstat.importers.onnx.nodes import MAX_NODES
from tests.importers.onnx_models import X, ints, kinds, model, node, saved, weight

IMAGE = X((1, 3, 8, 8))
KERNEL = weight(3, 3, 3, 3)


def shape_of(report: Any) -> tuple[int, ...]:
    (value,) = report.shaped.graph.outputs
    shape: tuple[int, ...] = report.shaped.spec(value).shape
    return shape


# -- order ----------------------------------------------------------------------------------------


def test_nodes_are_read_in_the_order_in_which_they_can_run(tmp_path: Path) -> None:
    nodes = [node("Relu", "b", "y", "last"), node("Conv", "a,w", "b", "conv"),
             node("Sigmoid", "x", "a", "first")]  # fmt: skip
    report = api.analyze(saved(model(nodes, {"x": IMAGE}, ["y"], {"w": KERNEL}), tmp_path))
    assert [each.name for each in report.shaped.nodes] == ["x", "first", "conv", "last"]
    assert report.totals.macs == 6 * 6 * 3 * 27


def test_nodes_that_read_each_other_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", "b", "a", "first"), node("Relu", "a", "b", "second")]
    with pytest.raises(ModelError, match="a graph has no cycles"):
        api.analyze(saved(model(nodes, {"x": IMAGE}, ["b"]), tmp_path))


def test_a_tensor_that_nothing_makes_is_named(tmp_path: Path) -> None:
    proto = model([node("Relu", "gone", "y", "act")], {"x": IMAGE}, ["y"])
    with pytest.raises(ModelError, match=r"act \(Relu\) reads 'gone', which is neither an input"):
        api.analyze(saved(proto, tmp_path))


# -- branches -------------------------------------------------------------------------------------


def choice(number: int, weights: bool = False) -> Any:
    """Return an If on ``on`` from ``t0`` to ``t1``, with names that every branch uses again."""

    def branch(side: str) -> Any:
        tensors = []
        if weights:
            tensors = [helper.make_tensor("k", TensorProto.FLOAT, (3, 3, 3, 3), KERNEL.ravel())]
        nodes = [node("Conv", f"t{number},k", "a", pads=[1] * 4), node("Relu", "a", "b")]
        leaving = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        return helper.make_graph(nodes, side, [], [leaving], tensors)

    names = {"then_branch": branch("then"), "else_branch": branch("else")}
    return node("If", "on", f"t{number + 1}", f"if{number}", **names)


def test_every_known_condition_opens_its_branch(tmp_path: Path) -> None:
    stored = {"on": np.asarray(True), "k": KERNEL}
    proto = model([choice(n) for n in range(4)], {"t0": IMAGE}, ["t4"], stored)
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.macs == 4 * 8 * 8 * 3 * 27
    assert report.totals.params == 3 * 27
    assert report.status == "complete"


def test_branches_have_weights_of_their_own(tmp_path: Path) -> None:
    nodes = [choice(n, weights=True) for n in range(2)]
    stored = {"on": np.asarray(False)}
    report = api.analyze(saved(model(nodes, {"t0": IMAGE}, ["t2"], stored), tmp_path))
    assert report.totals.params == 2 * 3 * 27


def test_weights_of_branches_that_nobody_knows_are_counted(tmp_path: Path) -> None:
    nodes = [choice(0, weights=True)]
    inputs = {"t0": IMAGE, "on": X((), "bool")}
    report = api.analyze(saved(model(nodes, inputs, ["t1"]), tmp_path))
    assert report.totals.params == 2 * 3 * 27
    assert report.totals.macs == 8 * 8 * 3 * 27  # whichever is taken
    assert report.status == "complete"


def test_a_branch_that_is_not_there_is_refused(tmp_path: Path) -> None:
    body = choice(0)
    del body.attribute[1]
    proto = model([body], {"t0": IMAGE}, ["t1"], {"on": np.asarray(False), "k": KERNEL})
    with pytest.raises(ModelError, match="then_branch is missing"):
        api.analyze(saved(proto, tmp_path))


# -- functions ------------------------------------------------------------------------------------


def with_functions(folder: Path, bodies: dict[str, list[str]]) -> str:
    """Save a call of F0; each function calls others of the file, or ``Relu``, one after another."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    proto = model([helper.make_node("F0", ["x"], ["y"], domain="own")], {"x": IMAGE}, ["y"],
                  domains={"own": 1})  # fmt: skip
    for name, calls in bodies.items():
        names = ["a", *(f"t{n}" for n in range(len(calls) - 1)), "b"]
        nodes = [
            helper.make_node(call, [names[n]], [names[n + 1]],
                             domain="" if call == "Relu" else "own")
            for n, call in enumerate(calls)
        ]  # fmt: skip
        made = helper.make_function("own", name, ["a"], ["b"], nodes, imports)
        proto.functions.append(made)
    return saved(proto, folder)


def test_functions_are_written_out(tmp_path: Path) -> None:
    path = with_functions(tmp_path, {"F0": ["F1", "F1"], "F1": ["Relu", "Relu", "Relu"]})
    assert kinds(api.analyze(path).report) == ["Input", *["ReLU"] * 6]


@pytest.mark.parametrize("bodies", [{"F0": ["F0"]}, {"F0": ["F1"], "F1": ["Relu", "F0"]}])
def test_functions_that_call_themselves_are_refused(
    bodies: dict[str, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="calls itself"):
        api.analyze(with_functions(tmp_path, bodies))


def test_functions_that_unfold_into_millions_are_refused(tmp_path: Path) -> None:
    bodies = {f"F{n}": [f"F{n + 1}"] * 2 for n in range(25)} | {"F25": ["Relu"]}
    assert MAX_NODES < 2**25
    with pytest.raises(ModelError, match="33,554,432 operators when expanded"):
        api.analyze(with_functions(tmp_path, bodies))


# -- declarations ---------------------------------------------------------------------------------


def behind_a_foreign_operator(declared: tuple[int | str, ...], batch: int | str) -> Any:
    nodes = [helper.make_node("Magic", ["x"], ["m"], "magic", domain="own"),
             node("Conv", "m,w", "y", "conv")]  # fmt: skip
    proto = model(nodes, {"x": X((batch, 3, 8, 8))}, ["y"], {"w": KERNEL}, domains={"own": 1})
    info = helper.make_tensor_value_info("m", TensorProto.FLOAT, declared)
    proto.graph.value_info.append(info)
    return proto


def test_a_declared_shape_is_taken_behind_an_unknown_operator(tmp_path: Path) -> None:
    report = api.analyze(saved(behind_a_foreign_operator((1, 3, 4, 4), 1), tmp_path))
    assert report.status == "partial"
    assert report.totals.macs == 2 * 2 * 3 * 27


def test_a_declared_name_is_the_extent_of_the_input(tmp_path: Path) -> None:
    proto = behind_a_foreign_operator(("n", 3, 4, 4), "n")
    report = api.analyze(saved(proto, tmp_path), batch=6)
    assert report.totals.macs == 6 * 2 * 2 * 3 * 27


def test_declared_shapes_of_another_batch_are_not_taken(tmp_path: Path) -> None:
    proto = behind_a_foreign_operator((1, 3, 4, 4), 1)
    report = api.analyze(saved(proto, tmp_path), batch=2)
    assert [note.code for note in report.report.notes].count("unknown_shape") == 2


def test_what_a_file_declares_does_not_overrule_a_rule(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], {"x": IMAGE}, ["y"])
    shape = proto.graph.output[0].type.tensor_type.shape
    shape.dim.add().dim_value = 7
    assert shape_of(api.analyze(saved(proto, tmp_path))) == (1, 3, 8, 8)


# -- bounds ---------------------------------------------------------------------------------------

HUGE = 2**62


def scalars(**values: int) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("op_type", "names", "stored"),
    [
        ("Range", "a,b,c", scalars(a=0, b=HUGE, c=1)),
        ("ConstantOfShape", "s", {"s": ints(2**31, 2**31)}),
        ("Expand", "x,s", {"s": ints(HUGE, 4)}),
        ("Tile", "x,s", {"s": ints(2**40, 2**40)}),
        ("OneHot", "i,d,v", {"i": ints(0, 1), "d": np.asarray(HUGE), "v": weight(2)}),
        ("Pad", "x,s", {"s": ints(0, 0, HUGE, HUGE)}),
        ("Resize", "x,,,s", {"s": ints(HUGE, HUGE)}),
    ],
)
def test_declared_extents_cost_nothing(
    op_type: str, names: str, stored: dict[str, Any], tmp_path: Path
) -> None:
    nodes = [node(op_type, names, "m"), node("Shape", "m", "s2"), node("Neg", "m", "y")]
    report = api.analyze(saved(model(nodes, {"x": X((1, 4))}, ["y", "s2"], stored), tmp_path))
    assert report.status in ("complete", "partial")


@pytest.mark.parametrize(
    ("op_type", "names", "stored"),
    [
        ("Range", "a,b,c", scalars(a=0, b=5, c=0)),
        ("ConstantOfShape", "s", {"s": ints(2, -1)}),
        ("Expand", "x,s", {"s": ints(-3, 4)}),
        ("Tile", "x,s", {"s": ints(1, -1)}),
        ("Tile", "x,s", {"s": ints(1, 1, 1)}),
        ("Pad", "x,s", {"s": ints(0, 0, 0, -9)}),
        ("Reshape", "x,s", {"s": ints(-1, -1)}),
        ("Split", "x", {}),
    ],
)
def test_extents_that_cannot_be_are_one_line(
    op_type: str, names: str, stored: dict[str, Any], tmp_path: Path
) -> None:
    extra: dict[str, Any] = {"axis": 7} if op_type == "Split" else {}
    nodes = [node(op_type, names, "m", **extra), node("Neg", "m", "y")]
    path = saved(model(nodes, {"x": X((1, 4))}, ["y"], stored), tmp_path)
    with pytest.raises(CnnstatError) as error:
        api.analyze(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("op_type", ["Relu", "Max", "Transpose", "LabelEncoder", "Cast"])
def test_an_input_that_must_be_there_is_named(op_type: str, tmp_path: Path) -> None:
    domain = "ai.onnx.ml" if op_type == "LabelEncoder" else ""
    attributes: dict[str, Any] = {"to": 1} if op_type == "Cast" else {}
    bad = helper.make_node(op_type, [""], ["y"], "bad", domain=domain, **attributes)
    proto = model([bad], {"x": X((1, 4))}, ["y"], domains={"ai.onnx.ml": 4})
    with pytest.raises(ModelError, match=r"bad \(\w+\) is malformed: input 0 \(\w+\) is missing"):
        api.analyze(saved(proto, tmp_path))


def test_a_stored_extent_below_0_is_refused(tmp_path: Path) -> None:
    proto = model([node("Gemm", "x,w", "y")], {"x": X((1, 4))}, ["y"], {"w": weight(4, 2)})
    proto.graph.initializer[0].dims[0] = -(2**63)
    with pytest.raises(ModelError, match=r"the stored tensor 'w' is -9223372036854775808x2"):
        api.analyze(saved(proto, tmp_path))


def test_a_sparse_constant_is_as_large_as_what_it_stands_for(tmp_path: Path) -> None:
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("p", TensorProto.INT64, [1], [3])
    sparse = helper.make_sparse_tensor(values, places, [4, 5])
    nodes = [node("Constant", "", "k", sparse_value=sparse), node("MatMul", "x,k", "y")]
    report = api.analyze(saved(model(nodes, {"x": X((2, 4))}, ["y"]), tmp_path)).report
    assert report.status == "complete", report.notes
    assert (report.totals.params, report.totals.macs) == (4 * 5, 2 * 4 * 5)


@pytest.mark.parametrize(
    ("attribute", "shape"), [({"value_string": "a"}, ()), ({"value_strings": ["a", "b"]}, (2,))]
)
def test_constants_of_text_have_a_shape(
    attribute: dict[str, Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    nodes = [node("Constant", "", "k", **attribute), node("StringConcat", "k,k", "y")]
    report = api.analyze(saved(model(nodes, {"x": X((1,))}, ["y"], opset=20), tmp_path)).report
    assert report.shaped.spec(report.shaped.graph.outputs[0]).shape == shape
    assert report.totals.params == 0


def test_a_sparse_tensor_is_as_large_as_what_it_stands_for(tmp_path: Path) -> None:
    proto = model([node("MatMul", "x,w", "y")], {"x": X((2, 4))}, ["y"])
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [0, 9])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 5]))
    report = api.analyze(saved(proto, tmp_path))
    assert report.totals.macs == 2 * 4 * 5


def test_operators_without_inputs(tmp_path: Path) -> None:
    noise = helper.make_node("RandomNormal", [], ["r"], "noise", shape=[1, 3, 8, 8])
    proto = model([noise, node("Add", "x,r", "y")], {"x": IMAGE}, ["y"])
    assert shape_of(api.analyze(saved(proto, tmp_path))) == (1, 3, 8, 8)
