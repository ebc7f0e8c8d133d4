"""The assembly that all readers share, fed by hand as a reader would."""

from __future__ import annotations

from cnnstat.importers.assembly import Assembly, Layer, StoredTensor, role_of
from cnnstat.importers.naming import Names
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops import Linear, Parameter, ReLU, View

ROW = TensorSpec((2, 8))


def with_stored(*shapes: tuple[int, ...]) -> Assembly:
    """Return an assembly with one input ``x`` and stored tensors 0, 1, ... of these shapes."""
    assembly = Assembly(Names())
    assembly.enter("x", "x", ROW)
    for key, shape in enumerate(shapes):
        name = f"layer/{'weight' if len(shape) > 1 else 'bias'}"
        role = role_of(name, trained=True)
        assembly.store(key, StoredTensor(key, name, TensorSpec(shape), role, trained=True))
    return assembly


def params(graph: Graph) -> int:
    """Return the parameters of a graph, tied ones left out."""
    shaped = infer_shapes(graph, {"x": ROW})
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    return sum(w.numel for node, facts in pairs if node.tied_to is None for w in facts.weights)


def test_a_weight_used_twice_is_counted_once() -> None:
    assembly = with_stored((8, 8), (8,))
    for name, x, y in (("first", "x", "a"), ("second", "a", "b")):
        assembly.apply(name, Layer(Linear(8), (x,), (0, 1)), [y])
    graph = assembly.graph("net", ["b"])
    assert [node.tied_to for node in graph.nodes] == [None, None, 1]
    assert params(graph) == 8 * 8 + 8


def test_a_weight_used_as_data_first_is_a_row_of_its_own() -> None:
    assembly = with_stored((8, 8), (8,))
    assembly.value(1)
    assembly.apply("layer", Layer(Linear(8), ("x",), (0, 1)), ["y"])
    graph = assembly.graph("net", ["y"])
    stored = [node.op for node in graph.nodes if isinstance(node.op, Parameter)]
    assert [op.role for op in stored] == ["bias", "weight"]
    assert params(graph) == 8 + 8 * 8


def test_weights_that_do_not_match_their_operator_are_rows_of_their_own() -> None:
    assembly = with_stored((8, 4))
    assembly.apply("layer", Layer(Linear(8, bias=False), ("x",), (0,)), ["y"])
    graph = assembly.graph("net", ["y"])
    assert [node.name for node in graph.nodes] == ["x", "layer/weight", "layer"]
    assert params(graph) == 8 * 4


def test_a_computed_weight_is_read() -> None:
    assembly = with_stored((8, 8))
    assembly.apply("half", Layer(ReLU(), (0,)), ["w"])
    assembly.apply("layer", Layer(Linear(8, bias=False), ("x",), ("w",)), ["y"])
    graph = assembly.graph("net", ["y"])
    assert [node.name for node in graph.nodes] == ["x", "layer/weight", "half", "layer"]
    assert [value.node for value in graph.nodes[3].inputs] == [0, 2]
    assert params(graph) == 8 * 8


def test_a_view_of_a_stored_tensor_is_that_tensor() -> None:
    assembly = with_stored((8, 8))
    tensor = assembly.stored(0)
    assert tensor is not None
    assembly.store("turned", tensor, seen=TensorSpec((4, 16)))
    value = assembly.value("turned")
    assert assembly.spec(value).shape == (4, 16)
    assert [node.name for node in assembly.nodes] == ["x", "layer/weight", "layer/weight/view"]


def test_views_that_nobody_reads_are_left_out_and_inputs_stay() -> None:
    assembly = Assembly(Names())
    assembly.enter("x", "x", ROW)
    assembly.enter("k", "k", TensorSpec((3, 1)))
    assembly.apply("unread", Layer(View("view", (TensorSpec((16,)),)), ("x",)), ["v"])
    assembly.apply("relu", Layer(ReLU(), ("x",)), ["y"])
    assert [node.name for node in assembly.graph("net", ["y"]).nodes] == ["x", "k", "relu"]


def test_what_goes_before_and_behind_a_layer_has_its_name() -> None:
    assembly = with_stored((8, 2))
    turned = View("transpose", (TensorSpec((8, 2)),))
    flat = View("reshape", (TensorSpec((64,)),))
    layer = Layer(Linear(8, bias=False), ("x",), (0,), ((0, "turn", turned),), ((0, "flat", flat),))
    assert [spec.shape for spec in layer.infer([ROW])] == [(64,)]
    assembly.apply("fc", layer, ["y"])
    nodes = assembly.graph("net", ["y"]).nodes
    assert [node.name for node in nodes] == ["x", "fc/turn", "fc", "fc/flat"]


def test_unused_tensors_are_counted_and_noted() -> None:
    assembly = with_stored((8, 8), (8,))
    assembly.apply("layer", Layer(Linear(8, bias=False), ("x",), (0,)), ["y"])
    tensors = {f"own name {key}": assembly.stored(key) for key in (0, 1)}
    assembly.unused({k: t for k, t in tensors.items() if t is not None}, "never used")
    assert [note.path for note in assembly.notes] == ["own name 1"]
    assert params(assembly.graph("net", ["y"])) == 8 * 8 + 8


def test_names_are_paths_of_modules_with_functions_where_there_are_several() -> None:
    names = Names([("block/conv", "conv2d"), ("block", "add"), ("block", "relu")])
    assert names.of("block/conv", "conv2d") == "block/conv"
    assert names.of("block", "add") == "block/add"
    assert names.of("block", "add", covers=3) == "block"
    assert names.of("block", "relu", main=True) == "block"
    assert names.of("", "add") == "add"
    assert [names.unique(name) for name in ("a", "a", "a_2", "a")] == ["a", "a_2", "a_2_2", "a_3"]
