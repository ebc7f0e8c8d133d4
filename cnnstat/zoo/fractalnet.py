"""FractalNet: self-similar columns of every depth between shallow and deep, and no shortcuts.

Gustav Larsson, Michael Maire and Gregory Shakhnarovich, "FractalNet: Ultra-Deep Neural Networks
without Residuals", ICLR 2017, https://arxiv.org/abs/1605.07648. The expansion rule is that of its
section 2 and figure 1: f_1(z) = conv(z), f_{C+1}(z) = mean of f_C(f_C(z)) and conv(z); five blocks,
a 2x2 max-pooling after each. Widths: 64, 128, 256, 512, 512 (table 1) or, with ``-16`` in the
name, 16, 32, 64, 128, 128 (table 3). A layer is convolution, dropout, batch norm, ReLU, as in the
authors' code. Differences: convolutions have no bias, the batch norm after them has one; a block
is joined and then pooled, as figure 1 draws it (the authors pooled each column before the join).
"""

from __future__ import annotations

import re
from functools import lru_cache, partial

from cnnstat.errors import UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ops import Dropout, FractalJoin, Input
from cnnstat.zoo.blocks import BATCH_NORM, RELU, classifier, conv_op, max_pool
from cnnstat.zoo.card import ModelCard, card_of
from cnnstat.zoo.rule import check_factor

INPUT = (3, 32, 32)
WIDTH_FACTORS = (1, 2, 4, 8, 8)
"""Width of each block as a multiple of the first block's."""

DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4)
"""Dropout of each block (section 4.1)."""

DROP_PATH = 0.15
"""Probability that a join drops one of its columns (local drop-path, section 4.1)."""

FIRST_WIDTH = 64
MAX_COLUMNS = 12
"""The most columns that a name may ask for: 5 * 2**11 = 10,240 layers deep, 20,475 convolutions."""


join_op = lru_cache(maxsize=64)(FractalJoin)
dropout_op = lru_cache(maxsize=16)(Dropout)
# one instance for all nodes where they are equal


def fractal_block(
    b: Builder, x: Value, columns: int, width: int, *, dropout: float = 0.0, drop_path: float = 0.0
) -> Value:
    """Add a block of ``columns`` columns and return its last join.

    Column 1 is a single convolution, column c has 2^(c-1). After convolution l of the deepest
    column all columns that end a convolution there are joined, and go on from the join. Names:
    ``conv<column>_<its convolution>``, ``join<l>``.
    """
    deepest = 1 << (columns - 1)
    join = join_op(drop_path)
    ends = [x] * (columns + 1)
    for level in range(1, deepest + 1):
        meeting = [c for c in range(1, columns + 1) if level % (deepest >> (c - 1)) == 0]
        for c in meeting:
            name = f"conv{c}_{level * (1 << (c - 1)) // deepest}"
            ends[c] = _layer(b, name, ends[c], width, dropout)
        if len(meeting) > 1:
            joined = b.add(f"join{level}", join, *[ends[c] for c in meeting])
            for c in meeting:
                ends[c] = joined
    return ends[columns]


def _layer(b: Builder, name: str, x: Value, width: int, dropout: float) -> Value:
    x = b.add(name, conv_op(width, 3, bias=False), x)
    if dropout:
        x = b.add(f"{name}/dropout", dropout_op(dropout), x)
    return b.add(f"{name}/relu", RELU, b.add(f"{name}/bn", BATCH_NORM, x))


def build(name: str, columns: int, first_width: int, classes: int) -> Graph:
    """Return the graph of five blocks with ``columns`` columns on 32x32 maps."""
    b = Builder(name)
    x = b.add("input", Input(INPUT))
    for block, (factor, dropout) in enumerate(zip(WIDTH_FACTORS, DROPOUTS, strict=True), 1):
        with b.scope(f"block{block}"):
            x = fractal_block(
                b, x, columns, factor * first_width, dropout=dropout, drop_path=DROP_PATH
            )
        x = max_pool(b, f"pool{block}", x, 2, 2)
    return b.graph(classifier(b, "fc", x, classes))


def _columns(name: str, depth: int, suffix: str) -> int:
    """Return C where depth = 5 * 2^(C-1)."""
    legal = [len(WIDTH_FACTORS) << c for c in range(MAX_COLUMNS)]
    if depth in legal:
        return legal.index(depth) + 1
    near = sorted(legal, key=lambda one: abs(one - depth))[:2]
    names = ", ".join(f"fractalnet{one}{suffix}-cifar" for one in sorted(near))
    raise UsageError(
        f"{name}: the depth of a FractalNet of C columns is 5*2^(C-1), C at most {MAX_COLUMNS}; "
        f"nearest are {names}"
    )


def card(name: str) -> ModelCard:
    """Return the card of ``fractalnet<depth>[-<width of the first block>]-cifar``.

    Raises ``UsageError`` with the rule and the nearest legal names for another depth or form.
    """
    match = re.fullmatch(r"fractalnet(\d{1,6})(?:-(\d{1,6}))?-cifar", name)
    if match is None:
        raise UsageError(
            f"{name}: a FractalNet is named fractalnet<depth>-cifar or fractalnet<depth>-<width of "
            "the first block>-cifar, such as fractalnet20-cifar, fractalnet40-16-cifar"
        )
    width = FIRST_WIDTH if match[2] is None else check_factor(name, "first width", int(match[2]))
    depth = int(match[1])
    columns = _columns(name, depth, "" if match[2] is None else f"-{width}")
    convolutions = len(WIDTH_FACTORS) * ((1 << columns) - 1)
    classes = 100 if width == 16 else 10
    return card_of(
        "fractalnet",
        name,
        title=f"FractalNet of {columns} columns, {depth} layers, for CIFAR-{classes}",
        build=partial(build, name, columns, width),
        input_shape=INPUT,
        classes=classes,
        facts=(
            f"{convolutions} convolutions; the deepest path runs through {depth} of them, the "
            f"shallowest through {len(WIDTH_FACTORS)}.",
        ),
    )
