"""Rules of Keras' layers by class; a class that is not here is a row whose work is unknown.

Functions of ``keras.ops``, some of which have the names of layers, and layers of sequences are
imported where a model has one: start-up time is a feature.
"""

from __future__ import annotations

from cnnstat.importers.keras import activations, convolutions, maps, normalization, shapes
from cnnstat.importers.keras.call import Rule
from cnnstat.importers.keras.structure import LayerConfig

IDENTITIES = (
    *("Identity", "GaussianNoise", "ActivityRegularization"),
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear"),
    *("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation", "RandomGrayscale"),
    *("RandomColorJitter", "RandomColorDegeneration", "RandomPosterization", "RandomSharpness"),
    *("RandomErasing", "RandomGaussianBlur", "RandomInvert", "RandomPerspective"),
    *("RandomElasticTransform", "RandAugment", "AugMix", "CutMix", "MixUp"),
)
"""Layers that pass their input on when the model is used, but most change it in training."""

BY_RANK: dict[str, Rule] = {
    "Conv{}D": convolutions.convolution,
    "Conv{}DTranspose": convolutions.transposed,
    "DepthwiseConv{}D": convolutions.depthwise,
    "SeparableConv{}D": convolutions.separable,
    **dict.fromkeys(("MaxPooling{}D", "AveragePooling{}D"), maps.pooling),
    **dict.fromkeys(("GlobalMaxPooling{}D", "GlobalAveragePooling{}D"), maps.global_pooling),
    **dict.fromkeys(("AdaptiveMaxPooling{}D", "AdaptiveAveragePooling{}D"), maps.adaptive_pooling),
    "ZeroPadding{}D": maps.zero_padding,
    "Cropping{}D": maps.cropping,
    "UpSampling{}D": maps.up_sampling,
    "SpatialDropout{}D": maps.dropout,
}
"""Rules of layers whose class names the number of spatial axes, 1 to 3."""

RULES: dict[str, Rule] = {
    "Activation": activations.activation,
    "ReLU": activations.relu,
    "LeakyReLU": activations.leaky_relu,
    "ELU": activations.elu,
    "PReLU": activations.prelu,
    "Softmax": activations.softmax,
    "Dense": convolutions.dense,
    **dict.fromkeys(("BatchNormalization", "SyncBatchNormalization"), normalization.batch_norm),
    "LayerNormalization": normalization.layer_norm,
    "GroupNormalization": normalization.group_norm,
    "Rescaling": normalization.rescaling,
    "Normalization": normalization.normalization,
    "Resizing": maps.resizing,
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout"), maps.dropout),
    **dict.fromkeys(IDENTITIES, activations.identity),
    **dict.fromkeys(shapes.MERGED, shapes.merging),
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
    **{name.format(rank): rule for name, rule in BY_RANK.items() for rank in (1, 2, 3)},
}

APPLICATIONS: dict[str, Rule] = {
    "LayerScale": maps.layer_scale,
    "StochasticDepth": maps.stochastic_depth,
    "CustomScaleLayer": maps.custom_scale,
}
"""Layers that files of keras.applications define."""

PACKAGES = ("", "keras", "tf_keras")
"""Packages whose classes the names in ``RULES`` mean; a file of Keras 2 names none."""


def _sequence_rules() -> dict[str, Rule]:
    from cnnstat.importers.keras import attention, contraction, sequences

    return {
        **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN"), sequences.recurrent),
        "TimeDistributed": sequences.time_distributed,
        "Bidirectional": sequences.bidirectional,
        "SpectralNormalization": sequences.spectral_normalization,
        "MultiHeadAttention": attention.multi_head_attention,
        "GroupQueryAttention": attention.multi_head_attention,
        "GroupedQueryAttention": attention.multi_head_attention,
        "Attention": attention.dot_attention,
        "AdditiveAttention": attention.additive_attention,
        "Dot": contraction.dot,
        "EinsumDense": contraction.einsum_dense,
    }


def rule_of(layer: LayerConfig) -> Rule | None:
    """Return the rule of a layer; None for a class that Keras does not define, and an unknown one.

    A registered class of the user's own may have the name of a layer of Keras.
    """
    if layer.module.removeprefix("tensorflow.").partition(".")[0] not in PACKAGES:
        return None
    if is_function(layer):
        from cnnstat.importers.keras.functions import FUNCTIONS

        return FUNCTIONS.get(layer.kind)
    if "applications" in layer.module:
        return APPLICATIONS.get(layer.kind)
    return RULES.get(layer.kind) or _sequence_rules().get(layer.kind)


def is_function(layer: LayerConfig) -> bool:
    """Return whether a layer is a call of a function of ``keras.ops``."""
    return ".ops." in layer.module or layer.module.endswith(".ops")
