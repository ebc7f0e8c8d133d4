"""Files of Keras: the book's network, both generations of configurations, and bad files."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cnnstat import api
from cnnstat.errors import ModelError, UsageError
from cnnstat.render.formats import render

SAMPLE = "samples/handson.keras"


def layer(kind: str, name: str, calls: Any = (), **options: Any) -> dict[str, Any]:
    """Return a layer as Keras 2 writes it."""
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **options},
        "inbound_nodes": [[[source, number, 0, {}] for source, number in call] for call in calls],
    }


def functional(*layers: dict[str, Any], inputs: Any, outputs: Any) -> dict[str, Any]:
    return {
        "class_name": "Functional",
        "config": {
            "name": "net",
            "layers": list(layers),
            "input_layers": inputs,
            "output_layers": outputs,
        },
    }


def image(name: str = "image") -> dict[str, Any]:
    return layer("InputLayer", name, batch_input_shape=[None, 8, 8, 3], dtype="float32")


def conv(name: str, *calls: Any, filters: int = 4) -> dict[str, Any]:
    return layer("Conv2D", name, calls, filters=filters, kernel_size=[3, 3])


def written(folder: Path, config: Any, name: str = "net.json") -> str:
    path = folder / name
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def archived(folder: Path, config: str, name: str = "config.json") -> str:
    path = folder / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, config)
    return str(path)


def test_the_books_network_is_that_of_the_zoo() -> None:
    file, zoo = api.analyze(SAMPLE).totals, api.analyze("handson-cnn").totals
    assert (file.weights, file.biases, file.buffers) == (zoo.weights, zoo.biases, zoo.buffers)
    assert (file.macs, file.flops, file.depth) == (zoo.macs, zoo.flops, zoo.depth)
    assert file.activation_bytes == zoo.activation_bytes
    assert file.peak_activation_bytes == zoo.peak_activation_bytes


def test_rows_are_keras_layers_with_their_shapes() -> None:
    report = api.analyze(SAMPLE)
    assert report.input.shape == (1, 28, 28, 1)
    shapes = {row.name: row.output.shape[1:] for row in report.layers}
    assert shapes["conv2d"] == (28, 28, 64)
    assert shapes["max_pooling2d_2"] == (3, 3, 256)
    assert shapes["flatten"] == (3 * 3 * 256,)
    assert list(shapes)[-1] == "dense_2"
    last = report.layer("dense_2")
    assert last is not None
    assert last.detail == "Softmax"
    row = report.layer("max_pooling2d_2")
    field = None if row is None else row.receptive_field
    assert field is not None
    assert field.size == (38, 38)  # 7 + 2*((2-1) + 2*2) + ... as the zoo has it


@pytest.mark.parametrize("shape", [(32,), (32, 32), (32, 32, 1)])
def test_another_size_keeps_the_channels(shape: tuple[int, ...]) -> None:
    report = api.analyze(SAMPLE, input=shape, batch=2)
    assert report.input.shape == (2, 32, 32, 1)
    first = report.layer("conv2d")
    assert first is not None
    assert first.macs == 2 * 32 * 32 * (7 * 7 * 1) * 64


def test_nothing_but_the_standard_library_is_needed() -> None:
    code = (
        "import sys; "
        "sys.modules.update(dict.fromkeys(['keras', 'torch', 'tensorflow', 'numpy', 'h5py'])); "
        f"from cnnstat import api; print(api.analyze({SAMPLE!r}).totals.params)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    weights = 49 * 64 + 9 * (64 * 128 + 128 * 128 + 128 * 256 + 256 * 256)
    weights += 2304 * 128 + 128 * 64 + 64 * 10
    assert int(done.stdout) == weights + 64 + 2 * 128 + 2 * 256 + 128 + 64 + 10


def test_a_layer_that_is_shared_is_counted_once(tmp_path: Path) -> None:
    config = functional(
        conv("conv", [("b", 0)], [("a", 0)]),
        image("a"),
        image("b"),
        layer("Add", "sum", [[("conv", 0), ("conv", 1)]]),
        inputs=[["a", 0, 0], ["b", 0, 0]],
        outputs=[["sum", 0, 0]],
    )
    report = api.analyze(written(tmp_path, config))
    assert report.totals.params == 3 * 3 * 3 * 4 + 4
    assert report.totals.macs == 2 * 6 * 6 * (3 * 3 * 3) * 4
    assert [row.name for row in report.layers] == ["a", "b", "conv", "conv_2", "sum"]


def test_nested_models_have_paths(tmp_path: Path) -> None:
    inner = functional(
        image("inside"),
        conv("conv", [("inside", 0)]),
        inputs=[["inside", 0, 0]],
        outputs=[["conv", 0, 0]],
    )
    outer = functional(
        image(),
        {**inner, "name": "body", "inbound_nodes": [[["image", 0, 0, {}]]]},
        layer("GlobalAveragePooling2D", "pool", [[("body", 0)]]),
        inputs=[["image", 0, 0]],
        outputs=[["pool", 0, 0]],
    )
    report = api.analyze(written(tmp_path, outer))
    assert [row.name for row in report.layers] == ["image", "body/conv", "pool"]
    assert [row.name for row in report.view(depth=1)] == ["image", "body", "pool"]


def test_an_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.h5"
    config = functional(
        image(), conv("conv", [("image", 0)]), inputs=[["image", 0, 0]], outputs=[["conv", 0, 0]]
    )
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
    assert api.analyze(str(path)).totals.params == 3 * 3 * 3 * 4 + 4
    with h5py.File(path, "w") as file:
        file.attrs["other"] = 1
    with pytest.raises(ModelError, match="no model"):
        api.load(str(path))
    path.write_bytes(b"not HDF5")
    with pytest.raises(ModelError, match="not an HDF5 file"):
        api.load(str(path))


def test_a_lambda_is_never_run(tmp_path: Path) -> None:
    code = ["4wEAAAAAAAAA", None, None]
    config = functional(
        image(),
        layer("Lambda", "twice", [[("image", 0)]], function=code, function_type="lambda"),
        conv("conv", [("twice", 0)]),
        inputs=[["image", 0, 0]],
        outputs=[["conv", 0, 0]],
    )
    report = api.analyze(written(tmp_path, config))
    assert report.status == "partial"
    row = report.layer("twice")
    assert row is not None
    assert (row.type, row.macs) == ("Lambda", None)
    assert any("shape" in note.message for note in report.notes)


def test_another_package_s_class_of_the_same_name_is_not_keras_own(tmp_path: Path) -> None:
    foreign = {**conv("conv", [("image", 0)]), "module": "mine.layers"}
    config = functional(image(), foreign, inputs=[["image", 0, 0]], outputs=[["conv", 0, 0]])
    row = api.analyze(written(tmp_path, config)).layer("conv")
    assert row is not None
    assert (row.type, row.macs) == ("Conv2D", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "not a Keras model"),
        ('{"class_name": "Functional", "config": {}}', "no layers"),
        ('{"class_name": "Mine", "config": {"units": 3}}', "Python code"),
        ('{"class_name": "Sequential", "config": {"layers": [3]}}', "a layer without class"),
        (
            '{"class_name": "Sequential", "config": {"layers": '
            '[{"class_name": "Dense", "config": {"units": 3}}]}}',
            "saved before its input was known",
        ),
    ],
)
def test_a_bad_configuration(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        api.analyze(archived(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_bad_archive(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        api.load(archived(tmp_path, "{}", "weights.json"))
    path = tmp_path / "text.keras"
    path.write_text("not a zip", encoding="utf-8")
    with pytest.raises(ModelError, match=r"not a \.keras archive"):
        api.load(str(path))
    with pytest.raises(UsageError, match="cannot read"):
        api.load(str(tmp_path / "missing.keras"))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = Path(archived(tmp_path, str(list(range(1000)))))
    stored = bytearray(path.read_bytes())
    stored[60:80] = b"\xff" * 20  # inside the compressed configuration
    path.write_bytes(stored)
    with pytest.raises(ModelError, match=r"not a \.keras archive"):
        api.load(str(path))


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = archived(tmp_path, " " * (65 * 2**20))
    assert Path(path).stat().st_size < 2**20
    with pytest.raises(ModelError, match="at most 67,108,864 are read"):
        api.load(path)


def test_nested_models_that_multiply_are_refused(tmp_path: Path) -> None:
    model = functional(
        image("x"), conv("conv", [("x", 0)]), inputs=[["x", 0, 0]], outputs=[["x", 0, 0]]
    )
    for depth in range(20):
        twice = [[["x", 0, 0, {}]], [["x", 0, 0, {}]]]
        inner = {**model, "name": f"body{depth}", "inbound_nodes": twice}
        model = functional(image("x"), inner, inputs=[["x", 0, 0]], outputs=[["x", 0, 0]])
    with pytest.raises(ModelError, match="more than 100,000 calls"):
        api.analyze(written(tmp_path, model))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"filters": "many"}, r"filters \(='many'\) must be a whole number"),
        ({"filters": 0}, r"out_channels \(=0\)"),
        ({"kernel_size": [3]}, "must be 2 whole numbers"),
        ({"kernel_size": [9, 9]}, "a window of 9 does not fit on 8"),
        ({"padding": "circular"}, r"padding \(='circular'\)"),
        ({"groups": 2}, r"in_channels \(=3\) must be divisible by groups"),
    ],
)
def test_a_bad_option(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    bad = conv("conv", [("image", 0)])
    bad["config"].update(changed)
    config = functional(image(), bad, inputs=[["image", 0, 0]], outputs=[["conv", 0, 0]])
    with pytest.raises(ModelError, match=said):
        api.analyze(written(tmp_path, config))


def test_calls_that_wait_for_each_other(tmp_path: Path) -> None:
    config = functional(
        image(),
        conv("a", [("b", 0)]),
        conv("b", [("a", 0)]),
        inputs=[["image", 0, 0]],
        outputs=[["a", 0, 0]],
    )
    with pytest.raises(ModelError, match="a, b read tensors that no layer produces"):
        api.analyze(written(tmp_path, config))


def test_unknown_parameters_make_the_total_a_lower_bound(tmp_path: Path) -> None:
    config = functional(
        image(),
        conv("conv", [("image", 0)]),
        layer("Mine", "mine", [[("conv", 0)]]),
        inputs=[["image", 0, 0]],
        outputs=[["mine", 0, 0]],
    )
    analysis = api.analyze(written(tmp_path, config))
    assert analysis.totals.params == 3 * 3 * 3 * 4 + 4
    shown = analysis.to_dict()
    assert shown["params_status"] == "partial"
    row = shown["layers"][-1]
    assert (row["name"], row["params"], row["output_shape"]) == ("mine", None, None)
    text = render(analysis.document(), "table")
    assert ">= 112" in text
