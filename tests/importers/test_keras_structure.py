"""How Keras numbers calls and orders dicts; frozen layers, policies of types, and YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnstat import api
from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.errors import ModelError
from cnnstat.importers.spec.writing import write_shaped


def tensor(layer: str, call: int = 0, result: int = 0, *shape: int | None) -> dict[str, Any]:
    """Return a tensor among the arguments of a call, as Keras 3 writes it."""
    config: dict[str, Any] = {"keras_history": [layer, call, result]}
    if shape:
        config["shape"] = list(shape)
    return {"class_name": "__keras_tensor__", "config": config}


def layer(kind: str, name: str, *calls: Any, **options: Any) -> dict[str, Any]:
    """Return a layer as Keras 3 writes it; a call is its positional arguments."""
    nodes = [{"args": list(call), "kwargs": {}} for call in calls]
    config = {"name": name, **options}
    return {
        "module": "keras.layers",
        "class_name": kind,
        "name": name,
        "config": config,
        "inbound_nodes": nodes,
    }


def entry(name: str, *shape: int, dtype: str = "float32") -> dict[str, Any]:
    return layer("InputLayer", name, batch_shape=[None, *shape], dtype=dtype)


def network(name: str, *layers: Any, inputs: Any, outputs: Any, **options: Any) -> dict[str, Any]:
    """Return a functional model, alone or as a layer of another."""
    config = {"name": name, "layers": list(layers), **options}
    config |= {"input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "name": name, "config": config}


def read(folder: Path, config: Any, **options: Any) -> Report:
    path = folder / "net.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return api.analyze(str(path), **options).report


def row(report: Report, name: str) -> Layer:
    shown = report.layer(name)
    assert shown is not None, name
    return shown


def dense(name: str, source: dict[str, Any], units: int, **options: Any) -> dict[str, Any]:
    return layer("Dense", name, (source,), units=units, **options)


def test_a_dict_binds_by_its_sorted_keys(tmp_path: Path) -> None:
    inner = network(
        "inner",
        *(entry("second", 4), entry("first", 5)),
        *(dense("of_b", tensor("second"), 3), dense("of_a", tensor("first"), 7)),
        inputs={"b": ["second", 0, 0], "a": ["first", 0, 0]},
        outputs={"y": ["of_b", 0, 0], "x": ["of_a", 0, 0]},
    )
    inner["inbound_nodes"] = [{"args": [{"a": tensor("A"), "b": tensor("B")}], "kwargs": {}}]
    config = network(
        "outer",
        *(entry("A", 5), entry("B", 4), inner),
        *(dense("of_y", tensor("inner", 0, 1), 2), dense("of_x", tensor("inner", 0, 0), 3)),
        inputs=[["A", 0, 0], ["B", 0, 0]],
        outputs=[["of_y", 0, 0], ["of_x", 0, 0]],
    )
    report = read(tmp_path, config)
    assert row(report, "inner/of_b").figures.weights == 4 * 3
    assert row(report, "inner/of_a").figures.weights == 5 * 7
    assert row(report, "of_y").figures.weights == 3 * 2  # x, y: the second in order is y
    assert row(report, "of_x").figures.weights == 7 * 3


def test_results_of_a_network_are_counted_from_one_where_they_leave(tmp_path: Path) -> None:
    inner = network(
        "inner", entry("x", 4), dense("d", tensor("x"), 4),
        inputs=[["x", 0, 0]], outputs=[["d", 0, 0]],
    )  # fmt: skip
    calls = [tensor("a"), tensor("inner", 0)]
    inner["inbound_nodes"] = [{"args": [each], "kwargs": {}} for each in calls]
    outer = network(
        "outer", entry("a", 4), inner, inputs=[["a", 0, 0]],
        outputs=[["inner", 1, 0], ["inner", 2, 0]],
    )  # fmt: skip
    report = read(tmp_path, outer)
    assert report.totals.params == 4 * 4 + 4
    assert report.totals.macs == 2 * 4 * 4
    assert len(report.shaped.graph.outputs) == 2


def test_keras_2_counts_calls_of_a_network_from_one_everywhere(tmp_path: Path) -> None:
    def old(kind: str, name: str, source: Any, **options: Any) -> dict[str, Any]:
        nodes = [[[*source, {}]]] if source else []
        return {"class_name": kind, "name": name, "config": {"name": name, **options},
                "inbound_nodes": nodes}  # fmt: skip

    x = old("InputLayer", "x", (), batch_input_shape=[None, 4])
    inner = old("Sequential", "inner", ("a", 0, 0), layers=[
        {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4]}}
    ])  # fmt: skip
    a = {**x, "name": "a", "config": {**x["config"], "name": "a"}}
    config = {"name": "outer", "layers": [a, inner, old("Dense", "e", ("inner", 1, 0), units=2)],
              "input_layers": [["a", 0, 0]], "output_layers": [["e", 0, 0]]}  # fmt: skip
    report = read(tmp_path, {"class_name": "Functional", "config": config})
    assert report.totals.macs == 4 * 3 + 3 * 2


def convolution(name: str, source: str, filters: int, **options: Any) -> dict[str, Any]:
    return layer("Conv2D", name, (tensor(source),), filters=filters, kernel_size=[3, 3], **options)


def frozen_net(**options: Any) -> dict[str, Any]:
    """Return two convolutions of 8x8 images and a classifier; ``options`` go to the first ones."""
    return network(
        "net",
        *(entry("image", 8, 8, 3), convolution("one", "image", 4, **options)),
        *(convolution("two", "one", 5, **options), layer("Flatten", "flat", (tensor("two"),))),
        dense("head", tensor("flat"), 2),
        inputs=[["image", 0, 0]],
        outputs=[["head", 0, 0]],
    )


ONE, TWO, HEAD = 6 * 6 * 4 * 3 * 9, 4 * 4 * 5 * 4 * 9, 4 * 4 * 5 * 2
"""Multiply-accumulates of the layers of ``frozen_net``."""


def test_frozen_layers_are_parameters_that_training_leaves_alone(tmp_path: Path) -> None:
    report = read(tmp_path, frozen_net(trainable=False), mode="training")
    totals = report.totals
    assert totals.params == (4 * 3 * 9 + 4) + (5 * 4 * 9 + 5) + (80 * 2 + 2)
    assert totals.trainable_params == 80 * 2 + 2
    assert report.training is not None
    step = report.training.total
    assert (step.input_gradient_macs, step.weight_gradient_macs) == (0, HEAD)
    free = read(tmp_path, frozen_net(), mode="training").training
    assert free is not None
    assert free.total.input_gradient_macs == TWO + HEAD
    assert free.total.weight_gradient_macs == ONE + TWO + HEAD


def test_frozen_layers_take_no_memory_of_gradients(tmp_path: Path) -> None:
    from cnnstat.memory.memory import plan
    from cnnstat.memory.passes import Settings

    report = read(tmp_path, frozen_net(trainable=False))
    memory = plan(report, Settings("training"))
    assert memory.gradient_bytes == 4 * (80 * 2 + 2)
    free = plan(read(tmp_path, frozen_net()), Settings("training"))
    assert free.gradient_bytes == free.param_bytes == memory.param_bytes


def test_a_frozen_model_freezes_the_layers_in_it(tmp_path: Path) -> None:
    inner = frozen_net()
    inner["config"]["trainable"] = False
    assert read(tmp_path, inner).totals.trainable_params == 0


def test_the_built_module_has_frozen_weights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from cnnstat.pytorch.build import build_module

    report = read(tmp_path, frozen_net(trainable=False))
    module = build_module(report.shaped.graph, {"image": report.shaped.facts[0].outputs[0]})
    trained = sum(each.numel() for each in module.parameters() if each.requires_grad)
    assert trained == report.totals.trainable_params == 80 * 2 + 2


POLICY = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}


def test_mixed_precision_stores_float32_and_computes_in_float16(tmp_path: Path) -> None:
    report = read(tmp_path, frozen_net(dtype=POLICY))
    one = row(report, "one")
    assert one.output.dtype == "float16"
    assert one.figures.param_bytes == 4 * (4 * 3 * 9 + 4)
    assert one.figures.activation_bytes >= 2 * 6 * 6 * 4
    assert row(report, "head").output.dtype == "float32"  # its own policy
    half = row(read(tmp_path, frozen_net(dtype="float16")), "one")
    assert half.figures.param_bytes == 2 * (4 * 3 * 9 + 4)


def test_a_lora_adds_two_small_factors_to_a_frozen_kernel(tmp_path: Path) -> None:
    config = network(
        "net", entry("x", 5), dense("d", tensor("x"), 6, lora_rank=2, lora_alpha=2),
        inputs=["x", 0, 0], outputs=["d", 0, 0],
    )  # fmt: skip
    totals = read(tmp_path, config).totals
    assert totals.params == (5 * 6 + 6) + (5 * 2 + 2 * 6)
    assert totals.trainable_params == 6 + (5 * 2 + 2 * 6)
    assert totals.macs == 5 * 2 * 6 + 5 * 6  # the factors' product, then the layer's own


def test_an_int8_kernel_takes_a_byte_and_its_scale_four(tmp_path: Path) -> None:
    policy = {
        "class_name": "QuantizedDTypePolicy",
        "config": {"mode": "int8", "source_name": "float32"},
    }
    config = network(
        "net", entry("x", 5), dense("d", tensor("x"), 6, dtype=policy),
        inputs=["x", 0, 0], outputs=["d", 0, 0],
    )  # fmt: skip
    totals = read(tmp_path, config).totals
    assert totals.params == 5 * 6 + 6 + 6
    assert totals.param_bytes == 5 * 6 + 4 * (6 + 6)
    assert (totals.trainable_params, totals.macs) == (6, 5 * 6)


@pytest.mark.parametrize("options", [{}, {"trainable": False}, {"dtype": POLICY}])
def test_a_spec_reads_back_as_the_same_table(tmp_path: Path, options: dict[str, Any]) -> None:
    report = read(tmp_path, frozen_net(**options))
    path = tmp_path / "net.yaml"
    path.write_text(write_shaped(report.shaped), encoding="utf-8")
    again = api.analyze(str(path)).report
    for before, after in zip(report.layers, again.layers, strict=True):
        assert (before.name, before.type, before.class_name) == (
            after.name, after.type, after.class_name
        )  # fmt: skip
        assert (before.output, before.figures) == (after.output, after.figures)
    assert again.totals == report.totals
    assert row(again, "one").output.shape == (1, 6, 6, 4)


@pytest.mark.parametrize(
    ("layer_keys", "message"),
    [
        ("axes: [0, 2, 2, 1]", "axes (=[0, 2, 2, 1]) must have each of 0 to 3 once"),
        ("axes: 3", "axes (=3) must be a list of numbers"),
        ("row: 3", "row (=3) must be the name of a layer"),
        ("frozen: 1", "frozen (=1) must be true or false"),
    ],
)
def test_a_bad_mark_names_its_line(tmp_path: Path, layer_keys: str, message: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"input: 3x8x8\nlayers:\n  - {{ReLU: {{}}, {layer_keys}}}\n")
    with pytest.raises(ModelError) as caught:
        api.analyze(str(path))
    assert f"{path}:3: {message}" in str(caught.value)


def one_layer(kind: str, *arguments: Any, module: str = "keras.layers", **options: Any) -> Any:
    """Return a model of one layer, or of one function of ``keras.ops``, on an 8x8 image."""
    made = layer(kind, "c", (tensor("image"), *arguments), **options) | {"module": module}
    return network(
        "net", entry("image", 8, 8, 3), made, inputs=["image", 0, 0], outputs=["c", 0, 0]
    )


def test_a_layer_without_a_rule_reads_back_from_a_spec(tmp_path: Path) -> None:
    report = read(tmp_path, one_layer("Mystery"))
    path = tmp_path / "net.yaml"
    path.write_text(write_shaped(report.shaped), encoding="utf-8")
    again = api.analyze(str(path)).report
    assert again.status == again.shapes_status == "partial"
    assert row(again, "c").type == "Mystery"


@pytest.mark.parametrize("number", [-1, 1000, 10**9])
def test_results_are_numbered_within_bounds(tmp_path: Path, number: int) -> None:
    config = one_layer("Mystery")
    config["config"]["output_layers"] = ["c", 0, number]
    with pytest.raises(ModelError) as caught:
        read(tmp_path, config)
    assert f"result {number} of 'c' is read" in str(caught.value)


def test_an_extent_beyond_every_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, one_layer("ZeroPadding2D", padding=10**10))
    assert "c (ZeroPadding2D): it makes a tensor of more than" in str(caught.value)


def test_a_receptive_field_of_a_million_phases_is_unknown(tmp_path: Path) -> None:
    report = read(tmp_path, one_layer("UpSampling2D", size=10**6))
    assert row(report, "c").output.shape == (1, 8 * 10**6, 8 * 10**6, 3)
    assert row(report, "c").receptive_field is None
    near = read(tmp_path, one_layer("UpSampling2D", size=3))
    assert row(near, "c").receptive_field is not None


def test_an_array_that_nests_without_end_has_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    constant = {"class_name": "__tensor__", "config": {"value": 1}}
    text = json.dumps(one_layer("Add", constant, module="keras.src.ops.numpy"))
    path.write_text(text.replace('"value": 1', f'"value": {"[" * 300}1{"]" * 300}'))
    assert row(api.analyze(str(path)).report, "c").output.rank == 300
    path.write_text(text.replace('"value": 1', f'"value": {"[" * 700}1{"]" * 700}'))
    with pytest.raises(ModelError) as caught:
        api.analyze(str(path))
    assert "its configuration is nested too deeply" in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (one_layer("Dense", units=3, lora_rank=0.5), "lora_rank (=0.5) must be a whole number"),
        (one_layer("AdaptiveMaxPooling2D", output_size=0), "must be at least 1"),
        (one_layer("BatchNormalization", axis=9), "axis (=9) must be one of 4 axes"),
        (one_layer("LayerNormalization", axis=[]), "axis (=[]) must be one of 4 axes"),
        (one_layer("TimeDistributed", layer=3), "layer must be a layer"),
        (one_layer("Split", 5, 1, module="keras.src.ops.numpy"), "cannot be split into 5 parts"),
    ],
)
def test_a_bad_option_names_the_layer(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scaled_sum_of_keras_applications(tmp_path: Path) -> None:
    module = "keras.src.applications.inception_resnet_v2"
    scaled = layer("CustomScaleLayer", "c", ([tensor("image"), tensor("image")],), scale=0.17)
    config = network(
        "net", entry("image", 8, 8, 3), scaled | {"module": module},
        inputs=["image", 0, 0], outputs=["c", 0, 0],
    )  # fmt: skip
    work = row(read(tmp_path, config), "c").figures.work
    assert (work.multiplications, work.additions) == (8 * 8 * 3, 8 * 8 * 3)
    own = layer("CustomScaleLayer", "c", ([tensor("image"), tensor("image")],), scale=0.17)
    config["config"]["layers"][1] = own | {"module": "mine"}
    assert read(tmp_path, config).status == "partial"
