"""Models of odd layers against Keras and FlopCounterMode, and against products by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import cnnstat
from cnnstat.importers.keras.objects import _built

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
from tests.importers.test_keras_layers import (  # noqa: E402
    analysis,
    chain,
    check_rows,
    check_totals,
    trainable,
)

L: Any = keras.layers
K: Any = keras.ops


def branches(shape: tuple[int, ...], *layers: Any) -> Any:
    """Return a model of layers that all read one input."""
    x = keras.Input(shape)
    return keras.Model(x, [layer(x) for layer in layers])


def attention_over_axes() -> Any:
    x = keras.Input((5, 6, 8))
    both = L.MultiHeadAttention(2, 4, attention_axes=(1, 2))(x, x)
    rows = L.MultiHeadAttention(2, 4, attention_axes=(2,), value_dim=3)(x, x)
    return keras.Model(x, [both, rows, L.MultiHeadAttention(2, 4)(x, x)])


def attention_scores() -> Any:
    query, value = keras.Input((6, 8)), keras.Input((9, 10))
    out = L.MultiHeadAttention(2, 3)(query, value, return_attention_scores=True)
    return keras.Model([query, value], list(out))


def attention_layers() -> Any:
    query, value = keras.Input((6, 8)), keras.Input((9, 8))
    layers = (L.Attention(), L.Attention(use_scale=True), L.AdditiveAttention())
    grouped = L.GroupQueryAttention(4, 6, 2)(query, value)
    return keras.Model([query, value], [*(each([query, value]) for each in layers), grouped])


def dots() -> Any:
    left, right = keras.Input((4, 5)), keras.Input((6, 5))
    plain, unit = L.Dot(axes=2), L.Dot(axes=(2, 2), normalize=True)
    return keras.Model([left, right], [plain([left, right]), unit([left, right])])


def two_ways() -> Any:
    x = keras.Input((7, 5))
    results: list[Any] = []
    for mode in ("concat", "sum", "mul", "ave", None):
        out = L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode=mode)(x)
        results += out if isinstance(out, list | tuple) else [out]
    other = L.LSTM(4, use_bias=False, go_backwards=True)
    results.append(L.Bidirectional(L.LSTM(4), backward_layer=other)(x))
    results += L.Bidirectional(L.GRU(3, return_state=True, return_sequences=True))(x)
    return keras.Model(x, results)


def states_in() -> Any:
    source, target = keras.Input((7, 5)), keras.Input((6, 5))
    _, h, c = L.LSTM(4, return_state=True)(source)
    return keras.Model(
        [source, target], L.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    )


def functions() -> Any:
    x = keras.Input((6, 8))
    turned = K.transpose(x, (0, 2, 1))
    y = K.softmax(K.matmul(x, turned), axis=-1)
    z = K.reshape(K.concatenate([y, y], axis=1), (-1, 2 * 6 * 6))
    parts = K.split(x, 2, axis=-1)
    several = [
        *(K.squeeze(K.expand_dims(z, -1), -1), parts[1], x[:, 1:3], x[:, -1], x[..., ::2]),
        *(K.swapaxes(x, 1, 2), K.stack([x, x], 1), K.where(x > 0, x, -x), K.clip(x, 0, 1)),
        *(K.einsum("abc,abd->acd", x, x), K.repeat(x, 2, axis=1), K.tile(x, (1, 2, 1))),
        *(K.pad(x, ((0, 0), (1, 1), (0, 2))), K.cumsum(x, axis=1), K.var(x, axis=-1)),
        *(K.flip(x, 1), K.roll(x, 1, 1), 1 / (x + 2), x**3, K.sin(x), K.log1p(x)),
        *(K.one_hot(K.cast(x, "int32"), 5), K.norm(x, axis=-1), K.normalize(x)),
        *(K.top_k(x, 2)[0], K.logsumexp(x, axis=1), K.max(x, axis=-1, keepdims=True)),
    ]
    return keras.Model(x, several)


MODELS: dict[str, Callable[[], Any]] = {
    "odd convolutions": lambda: chain(
        (17, 23, 3),
        L.Conv2D(5, 3, strides=2, padding="same"),
        L.Conv2D(6, (2, 4), strides=(3, 2), padding="same", activation="relu"),
        L.Conv2D(4, 4, padding="same", dilation_rate=2),
    ),
    "attention over axes": attention_over_axes,
    "attention scores": attention_scores,
    "attention layers": attention_layers,
    "dots": dots,
    "two ways": two_ways,
    "states in": states_in,
    "functions": functions,
    "a model on each step": lambda: chain(
        (5, 8, 8, 3),
        L.TimeDistributed(chain((8, 8, 3), L.Conv2D(4, 3), L.GlobalAveragePooling2D())),
        L.TimeDistributed(L.Dense(3)),
    ),
    "equations": lambda: branches(
        (5, 6),
        L.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d"),
        L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 7)),
        L.EinsumDense("...x,xy->...y", output_shape=4, bias_axes="y", activation="relu"),
        L.EinsumDense("abc,bd->acd", output_shape=(6, 3)),
    ),
    "normalisations": lambda: branches(
        (6, 6, 8),
        *(L.LayerNormalization(axis=[1, 2, 3]), L.LayerNormalization(scale=False)),
        *(L.LayerNormalization(center=False), L.UnitNormalization(), L.RMSNormalization()),
        *(L.BatchNormalization(center=False), L.BatchNormalization(axis=2)),
        *(L.GroupNormalization(-1), L.GroupNormalization(2, scale=False)),
        *(L.GroupNormalization(2, center=False), L.GroupNormalization(2, axis=1)),
        *(L.Normalization(axis=None), L.Normalization(axis=1), L.Normalization(axis=(1, 3))),
    ),
    "averages that broadcast": lambda: keras.Model(
        pair := [keras.Input((4, 5)), keras.Input((1, 5))], [L.Average()(pair), L.Add()(pair)]
    ),
    "adaptive pools": lambda: branches(
        (13, 17, 3), L.AdaptiveAveragePooling2D((4, 5)), L.AdaptiveMaxPooling2D(3)
    ),
    "activations": lambda: branches(
        (6,),
        *(L.Activation(each) for each in ("hard_tanh", "soft_shrink", "tanh_shrink")),
        *(L.ReLU(threshold=0.5), L.ReLU(max_value=3, negative_slope=0.1)),
    ),
    "images": lambda: chain(
        (17, 19, 3),
        *(L.Rescaling([1.0, 2.0, 3.0]), L.RandomFlip(), L.RandomContrast(0.1)),
        *(L.CenterCrop(9, 8), L.SpectralNormalization(L.Conv2D(4, 3))),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_equals_keras(name: str) -> None:
    check_totals(MODELS[name]())


@pytest.mark.parametrize("name", MODELS)
def test_a_row_for_each_layer_with_its_shape(name: str) -> None:
    check_rows(MODELS[name]())


def test_a_cell_is_as_the_layer_of_its_name() -> None:
    model = chain((7, 5), L.RNN([L.LSTMCell(4), L.GRUCell(3)]))
    totals = analysis(model).totals
    matrices = 4 * (5 * 4 + 4 * 4) + 3 * (4 * 3 + 3 * 3)
    assert totals.params == trainable(model) == matrices + 4 * 4 + 2 * 3 * 3
    assert totals.macs == 7 * matrices


def test_states_reach_the_layer_that_takes_them() -> None:
    report = analysis(states_in())
    assert report.layers[-1].receptive_field.everywhere


class Projection(L.Layer):  # type: ignore[misc]
    """A layer of the user's own with 5 x 5 weights."""

    def build(self, shape: Any) -> None:
        """Make the weights."""
        self.w = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, x: Any) -> Any:
        """Return the product."""
        return K.matmul(x, self.w)


def test_a_live_model_tells_the_parameters_of_a_layer_without_a_rule() -> None:
    x = keras.Input((5,))
    own = Projection()
    report = analysis(keras.Model(x, own(own(x))))
    row = report.layer(own.name)
    assert (row.figures.params, row.macs, row.output.shape) == (5 * 5, None, (1, 5))
    assert report.totals.params == 5 * 5  # the second call has the same weights
    assert not any(note.code == "uncounted_weights" for note in report.notes)


@pytest.mark.filterwarnings("ignore")  # what Keras warns of while it quantises
def test_a_quantised_layer_without_a_rule_has_frozen_parameters() -> None:
    model = chain((8,), L.Dense(6), L.Dense(3))
    model.quantize("int4")
    totals = analysis(model).totals
    assert totals.params == model.count_params()
    assert totals.trainable_params == trainable(model) == 6 + 3


@pytest.mark.parametrize(
    ("model", "macs"),
    [
        (lambda: dots(), 4 * 6 * 5),
        (lambda: branches((5, 6), L.EinsumDense("abc,bd->acd", output_shape=(6, 3))), 6 * 5 * 3),
        (lambda: branches((5, 6), lambda x: keras.ops.einsum("abc,adc->adb", x, x)), 5 * 5 * 6),
    ],
)
def test_a_contraction_is_a_matrix_product(model: Callable[[], Any], macs: int) -> None:
    rows = [row for row in analysis(model()).layers if row.macs]
    assert rows
    for row in rows:
        assert (row.type, row.macs, row.formulas["macs"]) == ("MatMul", macs, str(macs))


def test_glu_halves_the_features() -> None:
    model = chain((6,), L.Activation("glu"), L.Dense(2))
    report = analysis(model)  # Keras itself states the shape of the input, and returns 3 features
    assert report.layers[1].output.shape == (1, 6 // 2)
    assert report.totals.macs == 3 * 2


def test_gated_attention_has_a_gate_for_each_feature() -> None:
    x = keras.Input((6, 8))
    try:
        gated = L.MultiHeadAttention(2, 4, value_dim=3, use_gate=True)(x, x)
        grouped = L.GroupQueryAttention(4, 6, 2, use_gate=True)(x, x)
    except (TypeError, ValueError):
        pytest.skip("a Keras without gates")
    model = keras.Model(x, [gated, grouped])
    check_totals(model)


def test_a_rule_that_gives_up_leaves_no_weights_behind() -> None:
    class Cell(L.Layer):  # type: ignore[misc]
        """A cell of the user's own."""

        state_size = 4

        def call(self, x: Any, states: Any) -> Any:
            """Return the state."""
            return states[0], states

    both = L.Bidirectional(L.LSTM(4), backward_layer=L.RNN(Cell(), go_backwards=True))
    model = chain((7, 5), both)
    assert analysis(model).totals.params == 4 * (5 * 4 + 4 * 4 + 4)


def test_mixed_precision_of_keras_itself() -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = chain((8, 8, 3), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(), L.Flatten())
    finally:
        keras.mixed_precision.set_global_policy("float32")
    report = cnnstat.analyze(model)
    assert {row.output.dtype for row in report.layers[1:]} == {"float16"}
    assert report.totals.param_bytes == 4 * trainable(model)


def test_buffers_are_all_that_is_left() -> None:
    model = MODELS["normalisations"]()
    stored = sum(prod(each.shape) for each in model.weights)
    assert analysis(model).totals.buffers == stored - trainable(model)


def test_tensors_are_of_torch() -> None:
    assert isinstance(K.ones(1), torch.Tensor), "FlopCounterMode counts the PyTorch backend"


backend = SimpleNamespace(backend=lambda: "torch")


def refuses(**options: Any) -> str:
    """Refuse PyTorch by its name, as the NASNets of Keras do."""
    if backend.backend() == "torch":
        raise ValueError("Net is not available with the torch backend")
    return str(backend.backend())


def test_a_model_that_keras_refuses_by_the_backends_name_is_built() -> None:
    real = backend
    assert _built(refuses, {}) == "jax"
    assert backend is real
    assert backend.backend() == "torch"


def test_nasnet_is_built_without_weights() -> None:
    report = cnnstat.analyze("keras:NASNetMobile")
    # Keras on JAX: count_params() is 5,326,716, of which 5,289,978 are trainable
    assert report.totals.params == 5_289_978
    assert report.totals.buffers == 5_326_716 - 5_289_978
    assert report.status == "complete"
