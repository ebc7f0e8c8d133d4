"""Keras layers against Keras itself: parameters, buffers, shapes of every row, MACs.

MACs are compared with FlopCounterMode over the same model on the PyTorch backend. What that counts
otherwise is stated where it happens.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import cnnstat

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
L: Any = keras.layers


def chain(shape: tuple[int, ...], *layers: Any, dtype: str = "float32") -> Any:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def two_inputs() -> Any:
    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    encoder = chain((8, 8, 3), L.Conv2D(4, 3), L.BatchNormalization(scale=False))
    y = L.Concatenate()([encoder(left), encoder(right)])
    y = L.Average()([y, y])
    y = L.Multiply()([y, y])
    y = L.Maximum()([y, y])
    y = L.GlobalAveragePooling2D()(L.Subtract()([y, y]))
    hidden = L.Dense(4, activation="relu")(y)
    return keras.Model([left, right], [hidden, L.Dense(1)(hidden)])


def functions() -> Any:
    x = keras.Input((8, 8, 4))
    y = keras.ops.relu(x * 2.0 + 1.0)
    return keras.Model(x, L.Conv2D(4, 1)(y))


def adapted() -> Any:
    normalization = L.Normalization()
    normalization.adapt(torch.rand(4, 8, 8, 3).numpy())
    return chain((8, 8, 3), L.Rescaling(1 / 255), normalization, L.GroupNormalization(3))


MODELS: dict[str, Callable[[], Any]] = {
    "one axis": lambda: chain(
        (20, 3),
        L.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu"),
        L.MaxPooling1D(2),
        L.Conv1D(4, 5, strides=2, padding="same"),
        L.GlobalAveragePooling1D(),
        L.Dense(3, activation="softmax"),
    ),
    "three axes": lambda: chain(
        (8, 9, 10, 2),
        L.Conv3D(4, 3, padding="same", strides=2),
        L.BatchNormalization(),
        L.ReLU(),
        L.Conv3DTranspose(3, 3, strides=2, padding="same"),
        L.ZeroPadding3D(1),
        L.AveragePooling3D(2),
        L.GlobalMaxPooling3D(),
    ),
    "transposed": lambda: chain(
        (7, 9, 5),
        L.Conv2DTranspose(6, 4, strides=2, padding="same"),
        L.Conv2DTranspose(3, 3, strides=3),
        L.Conv2DTranspose(2, 2, strides=3, padding="same"),
        L.Conv2DTranspose(4, 5, padding="same"),
        L.Conv2DTranspose(4, 4, padding="same"),
        L.Conv2DTranspose(2, 3, strides=2, output_padding=1),
        L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1),
    ),
    "maps": lambda: chain(
        (16, 16, 4),
        L.SeparableConv2D(8, 3, depth_multiplier=2, padding="same"),
        L.DepthwiseConv2D(3, depth_multiplier=3, strides=2),
        L.Cropping2D(((1, 0), (0, 2))),
        L.ZeroPadding2D((1, 2)),
        L.UpSampling2D(2, interpolation="bilinear"),
        L.AveragePooling2D(3, padding="same", strides=2),
        L.LayerNormalization(),
        L.SpatialDropout2D(0.2),
        L.PReLU(shared_axes=[1, 2]),
        L.LeakyReLU(),
        L.ELU(),
        L.Softmax(),
        L.Resizing(9, 7),
        L.Flatten(),
        L.Dense(4, activation="gelu"),
    ),
    "sequences of features": lambda: chain(
        (32, 4),
        L.SeparableConv1D(8, 3, padding="same"),
        L.DepthwiseConv1D(3),
        L.Permute((2, 1)),
        L.Reshape((-1, 8)),
        L.Dense(5),
    ),
    "LSTM": lambda: chain(
        (12, 6),
        L.LSTM(5, return_sequences=True),
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.LSTM(4),
        L.Dense(2),
    ),
    "embedding": lambda: chain(
        (10,), L.Embedding(50, 8), L.GlobalAveragePooling1D(), L.Dense(3), dtype="int32"
    ),
    "time distributed": lambda: chain(
        (5, 8, 8, 3), L.TimeDistributed(L.Conv2D(4, 3)), L.TimeDistributed(L.Flatten()), L.LSTM(6)
    ),
    "repeated": lambda: chain(
        (6,), L.RepeatVector(3), L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(2))
    ),
    "channels first": lambda: chain(
        (3, 8, 8),
        L.Conv2D(4, 3, data_format="channels_first"),
        L.BatchNormalization(axis=1),
        L.MaxPooling2D(2, data_format="channels_first"),
        L.Flatten(),
        L.Dense(2),
    ),
    "shared and nested": two_inputs,
    "functions": functions,
    "adapted": adapted,
}


def analysis(model: Any) -> Any:
    names = [each.name for each in model.layers if type(each).__name__ == "InputLayer"]
    shapes = [tuple(each.shape[1:]) for each in model.inputs]
    if len(shapes) == 1:
        return cnnstat.analyze(model, input=shapes[0])
    return cnnstat.analyze(model, input=dict(zip(names, shapes, strict=True)))


def trainable(model: Any) -> int:
    return sum(prod(variable.shape) for variable in model.trainable_variables)


def counted_macs(model: Any) -> int:
    tensors = [torch.zeros(1, *each.shape[1:]) for each in model.inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(tensors if len(tensors) > 1 else tensors[0], training=False)
    return int(counter.get_total_flops()) // 2


def check_totals(model: Any) -> None:
    """Check parameters, buffers and MACs of a model against Keras and FlopCounterMode."""
    report = analysis(model)
    totals = report.totals
    assert report.status == "complete"
    assert totals.params == trainable(model)
    assert totals.params + totals.buffers == model.count_params()
    with sdpa_kernel(SDPBackend.MATH):  # FlopCounterMode does not see the fused product
        assert totals.macs == counted_macs(model)


def check_rows(model: Any) -> None:
    """Check the output shapes of the layers that are rows of their own against Keras."""
    rows = {row.name: row for row in analysis(model).layers}
    plain = [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.Model) and not isinstance(layer.output, list | tuple)
    ]
    assert plain
    for layer in plain:
        pairs = zip(rows[layer.name].output.shape, layer.output.shape, strict=True)
        assert all(ours == theirs for ours, theirs in pairs if theirs is not None), layer.name


@pytest.mark.parametrize("name", MODELS)
def test_equals_keras(name: str) -> None:
    check_totals(MODELS[name]())


@pytest.mark.parametrize("name", MODELS)
def test_a_row_for_each_layer_with_its_shape(name: str) -> None:
    check_rows(MODELS[name]())


def test_bias_vectors_of_recurrent_layers() -> None:
    model = chain(
        (12, 6),
        L.GRU(4, return_sequences=True),
        L.GRU(4, reset_after=False, return_sequences=True),
        L.SimpleRNN(3),
    )
    totals = analysis(model).totals
    assert totals.params == 3 * (6 * 4 + 4 * 4 + 2 * 4) + 3 * (4 * 4 + 4 * 4 + 4) + (
        4 * 3 + 3 * 3 + 3
    )
    assert totals.params == trainable(model)
    # Keras' PyTorch backend runs the first step of a GRU a second time to learn its shape
    assert totals.macs == 12 * (3 * (6 * 4 + 4 * 4) + 3 * (4 * 4 + 4 * 4) + 4 * 3 + 3 * 3)


def test_attention() -> None:
    query, value = keras.Input((10, 16)), keras.Input((7, 12))
    model = keras.Model([query, value], L.MultiHeadAttention(4, 8)(query, value))
    totals = analysis(model).totals
    assert totals.params == trainable(model)
    projections = 10 * 16 * 32 + 2 * 7 * 12 * 32 + 10 * 32 * 16
    # FlopCounterMode does not see the fused product on a processor
    assert totals.macs == projections + 4 * 10 * 7 * (8 + 8)


def test_frozen_layers_are_not_trained() -> None:
    model = chain((8, 8, 3), L.Conv2D(4, 3), L.Flatten(), L.Dense(3))
    model.layers[0].trainable = False
    totals = analysis(model).totals
    assert totals.params == model.count_params()
    assert totals.trainable_params == trainable(model) == 6 * 6 * 4 * 3 + 3


def test_a_class_that_keras_does_not_define_is_a_row_of_unknown_work() -> None:
    class Doubled(L.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    model = chain((8, 8, 3), L.Conv2D(4, 3), Doubled(name="doubled"), L.Conv2D(2, 1))
    report = analysis(model)
    row = report.layer("doubled")
    assert report.status == "partial"
    assert (row.type, row.macs, row.output.shape) == ("Doubled", None, (1, 6, 6, 4))
    assert report.layer(model.layers[-1].name).macs == 6 * 6 * 4 * 2
    assert any("Doubled" in note.message for note in report.notes)


def test_a_registered_class_is_not_the_layer_of_that_name() -> None:
    @keras.saving.register_keras_serializable("mine")
    class Dense(L.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    class Conv2D(L.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    model = chain((8, 8, 3), Dense(name="a"), Conv2D(name="b"), L.Conv2D(2, 1, name="c"))
    rows = {row.name: row.macs for row in analysis(model).layers}
    assert (rows["a"], rows["b"], rows["c"]) == (None, None, 8 * 8 * 3 * 2)


def test_named_inputs_keep_their_dtype_and_share_the_batch() -> None:
    ids, picture = keras.Input((10,), dtype="int32", name="ids"), keras.Input((8, 8, 3), name="x")
    words = L.GlobalAveragePooling1D()(L.Embedding(50, 8)(ids))
    model = keras.Model([ids, picture], L.Concatenate()([words, L.GlobalMaxPooling2D()(picture)]))
    report = cnnstat.analyze(model, input={"ids": (7,)}, batch=4)
    assert report.inputs["ids"] == ((4, 7), "int32")
    assert report.inputs["x"] == ((4, 8, 8, 3), "float32")
    assert report.layers[-1].output.shape == (4, 8 + 3)


def test_a_batch_that_the_model_fixes_stays() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(8, 4, 4, 3)), L.Conv2D(2, 1)])
    assert cnnstat.analyze(model).input.shape == (8, 4, 4, 3)
    assert cnnstat.analyze(model, batch=2).input.shape == (2, 4, 4, 3)


def test_receptive_field_follows_padding_cropping_and_permutations() -> None:
    model = chain(
        (12, 10, 4),
        L.Conv2D(4, (3, 1), activation="log_softmax"),
        L.ZeroPadding2D(1),
        L.Cropping2D(1),
        L.Permute((2, 1, 3)),
        L.Conv2D(2, (1, 3)),
    )
    row = analysis(model).layers[-1]
    assert row.receptive_field.size == (3 + 2, 1)


def test_operations_keep_their_numbers() -> None:
    x = keras.Input((4,))
    graph = cnnstat.analyze(keras.Model(x, x * 2.0 + 1.0)).shaped.graph
    assert [getattr(node.op, "arguments", ()) for node in graph.nodes[1:]] == [
        (("other", 2.0),),
        (("other", 1.0),),
    ]
