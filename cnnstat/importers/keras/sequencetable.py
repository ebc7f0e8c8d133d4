"""Rules of layers of sequences, attention and products, and of layers around others, by class."""

from __future__ import annotations

from cnnstat.importers.keras import attention, contraction, sequences, wrappers
from cnnstat.importers.keras.call import Rule

RULES: dict[str, Rule] = {
    "LSTM": sequences.recurrent("LSTM"),
    "GRU": sequences.recurrent("GRU"),
    "SimpleRNN": sequences.recurrent("RNN"),
    "RNN": sequences.cells,
    "TimeDistributed": wrappers.time_distributed,
    "Bidirectional": wrappers.bidirectional,
    "SpectralNormalization": wrappers.spectral_normalization,
    "MultiHeadAttention": attention.multi_head_attention,
    "GroupQueryAttention": attention.grouped_query_attention,
    "GroupedQueryAttention": attention.grouped_query_attention,
    "Attention": attention.dot_attention,
    "AdditiveAttention": attention.additive_attention,
    "Dot": attention.dot,
    "EinsumDense": contraction.einsum_dense,
}
