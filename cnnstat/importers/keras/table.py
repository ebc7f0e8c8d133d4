"""Rules of Keras' layers by class; a class that is not here is a row whose work is unknown.

``FUNCTIONS`` are elementwise functions of ``keras.ops``, which become layers where a model is built
with them (``x + 3.0``); some have the names of layers.
"""

from __future__ import annotations

from functools import partial

from cnnstat.importers.keras import activations, convolutions, maps, sequences, shapes
from cnnstat.importers.keras.call import Rule
from cnnstat.importers.keras.structure import LayerConfig

RULES: dict[str, Rule] = {
    "Activation": activations.activation,
    "ReLU": activations.relu,
    "LeakyReLU": activations.leaky_relu,
    "ELU": activations.elu,
    "PReLU": activations.prelu,
    "Softmax": activations.softmax,
    "Dense": convolutions.dense,
    "BatchNormalization": maps.batch_norm,
    "SyncBatchNormalization": maps.batch_norm,
    "LayerNormalization": maps.layer_norm,
    "GroupNormalization": maps.group_norm,
    "Rescaling": maps.rescaling,
    "Normalization": maps.normalization,
    "Resizing": maps.resizing,
    "LayerScale": maps.layer_scale,
    "StochasticDepth": maps.stochastic_depth,
    "Dropout": maps.dropout,
    "SpatialDropout1D": maps.dropout,
    "SpatialDropout2D": maps.dropout,
    "SpatialDropout3D": maps.dropout,
    "AlphaDropout": maps.dropout,
    "GaussianDropout": maps.dropout,
    "GaussianNoise": activations.identity,
    "ActivityRegularization": activations.identity,
    "Identity": activations.identity,
    "Add": shapes.merging("add"),
    "Subtract": shapes.merging("sub"),
    "Multiply": shapes.merging("mul"),
    "Maximum": shapes.merging("maximum"),
    "Minimum": shapes.merging("minimum"),
    "Average": shapes.average,
    "Concatenate": shapes.concatenate,
    "Flatten": shapes.flatten,
    "Reshape": shapes.reshape,
    "Permute": shapes.permute,
    "RepeatVector": shapes.repeat_vector,
    "Embedding": shapes.embedding,
    "LSTM": sequences.recurrent("LSTM"),
    "GRU": sequences.recurrent("GRU"),
    "SimpleRNN": sequences.recurrent("RNN"),
    "MultiHeadAttention": sequences.multi_head_attention,
    **{f"Conv{n}D": convolutions.convolution(n) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": convolutions.transposed(n) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": convolutions.depthwise(n) for n in (1, 2)},
    **{f"SeparableConv{n}D": convolutions.separable(n) for n in (1, 2)},
    **{f"MaxPooling{n}D": maps.pooling("max", n) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": maps.pooling("mean", n) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": maps.global_pooling("max", n) for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": maps.global_pooling("mean", n) for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": maps.zero_padding(n) for n in (1, 2, 3)},
    **{f"Cropping{n}D": maps.cropping(n) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": maps.up_sampling(n) for n in (1, 2, 3)},
}
RULES["TimeDistributed"] = partial(sequences.time_distributed, rules=RULES)
RULES["Bidirectional"] = partial(sequences.bidirectional, rules=RULES)

FUNCTIONS: dict[str, Rule] = {
    "Add": shapes.merging("add"),
    "Subtract": shapes.merging("sub"),
    "Multiply": shapes.merging("mul"),
    "Divide": shapes.merging("div"),
    "TrueDivide": shapes.merging("div"),
    "Power": shapes.merging("pow"),
    "Maximum": shapes.merging("maximum"),
    "Minimum": shapes.merging("minimum"),
    **{
        name.title().replace("_", ""): partial(activations.function, name=name)
        for name in (*activations.ACTIVATIONS, "softmax", "log_softmax")
    },
    "Sqrt": shapes.pointwise("sqrt"),
    "Square": shapes.pointwise("pow"),
    "Exp": shapes.pointwise("exp"),
    "Log": shapes.pointwise("log"),
    "Absolute": shapes.pointwise("abs"),
    "Negative": shapes.pointwise("neg"),
    "Mean": shapes.reduction("mean"),
    "Sum": shapes.reduction("sum"),
    "Max": shapes.reduction("max"),
}

PACKAGES = ("", "keras", "tf_keras")
"""Packages whose classes the names in ``RULES`` mean; a file of Keras 2 names none."""


def rule_of(layer: LayerConfig) -> Rule | None:
    """Return the rule of a layer; None for a class that Keras does not define, and an unknown one.

    A registered class of the user's own may have the name of a layer of Keras.
    """
    package = layer.module.removeprefix("tensorflow.").partition(".")[0]
    if package not in PACKAGES:
        return None
    if ".ops." in layer.module or layer.module.endswith(".ops"):
        return FUNCTIONS.get(layer.kind)
    return RULES.get(layer.kind)
