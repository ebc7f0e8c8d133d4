"""Rules of Keras' layers by class; a class that is not here is a row whose work is unknown.

Tables of functions of ``keras.ops``, some of which have the names of layers, and of layers of
sequences are imported where a model has one: start-up time is a feature.
"""

from __future__ import annotations

from cnnstat.importers.keras import (
    activations,
    convolutions,
    maps,
    normalization,
    shapes,
)
from cnnstat.importers.keras.call import Rule
from cnnstat.importers.keras.structure import LayerConfig

AUGMENTATIONS = (
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear"),
    *("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation", "RandomGrayscale"),
    *("RandomColorJitter", "RandomColorDegeneration", "RandomPosterization", "RandomSharpness"),
    *("RandomErasing", "RandomGaussianBlur", "RandomInvert", "RandomPerspective"),
    *("RandomElasticTransform", "RandAugment", "AugMix", "CutMix", "MixUp"),
)
"""Layers that change images at random in training, and pass them on when the model is used."""

RULES: dict[str, Rule] = {
    "Activation": activations.activation,
    "ReLU": activations.relu,
    "LeakyReLU": activations.leaky_relu,
    "ELU": activations.elu,
    "PReLU": activations.prelu,
    "Softmax": activations.softmax,
    "Dense": convolutions.dense,
    "BatchNormalization": normalization.batch_norm,
    "SyncBatchNormalization": normalization.batch_norm,
    "LayerNormalization": normalization.layer_norm,
    "GroupNormalization": normalization.group_norm,
    "Rescaling": normalization.rescaling,
    "Normalization": normalization.normalization,
    "Resizing": maps.resizing,
    "LayerScale": maps.layer_scale,
    "StochasticDepth": maps.stochastic_depth,
    "CustomScaleLayer": maps.custom_scale,
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
    "Masking": maps.masking,
    "CenterCrop": maps.center_crop,
    "CategoryEncoding": maps.category_encoding,
    "RMSNormalization": normalization.rms_norm,
    "UnitNormalization": normalization.unit_norm,
    **dict.fromkeys(AUGMENTATIONS, activations.identity),
    **{f"Conv{n}D": convolutions.convolution(n) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": convolutions.transposed(n) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": convolutions.depthwise(n) for n in (1, 2)},
    **{f"SeparableConv{n}D": convolutions.separable(n) for n in (1, 2)},
    **{f"MaxPooling{n}D": maps.pooling("max", n) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": maps.pooling("mean", n) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": maps.global_pooling("max", n) for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": maps.global_pooling("mean", n) for n in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{n}D": maps.adaptive_pooling("max", n) for n in (1, 2, 3)},
    **{f"AdaptiveAveragePooling{n}D": maps.adaptive_pooling("mean", n) for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": maps.zero_padding(n) for n in (1, 2, 3)},
    **{f"Cropping{n}D": maps.cropping(n) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": maps.up_sampling(n) for n in (1, 2, 3)},
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
    if is_function(layer):
        from cnnstat.importers.keras.functions import FUNCTIONS

        return FUNCTIONS.get(layer.kind)
    if layer.kind in RULES:
        return RULES[layer.kind]
    from cnnstat.importers.keras.sequencetable import RULES as MORE

    return MORE.get(layer.kind)


def is_function(layer: LayerConfig) -> bool:
    """Return whether a layer is a call of a function of ``keras.ops``."""
    return ".ops." in layer.module or layer.module.endswith(".ops")
