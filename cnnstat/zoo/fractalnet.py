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
from cnnstat.zoo.card import Accuracy, ModelCard, Paper, Training
from cnnstat.zoo.rule import check_factor

PAPER = Paper(
    "Larsson, Maire, Shakhnarovich",
    "FractalNet: Ultra-Deep Neural Networks without Residuals",
    "ICLR 2017",
    2016,
    "https://arxiv.org/abs/1605.07648",
)

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

TRAINING = Training(
    optimizer="SGD, momentum 0.9",
    batch="100",
    learning_rate="0.02, divided by 10 whenever the number of remaining epochs halves; 400 epochs",
    decay="none stated",
    regularization="dropout of 0, 10, 20, 30, 40% by block; drop-path: half the mini-batches local "
    "(each join drops each column with 15%, one always survives), half global (one column is kept "
    "in the whole network); batch norm",
    initialization="Xavier (Glorot and Bengio 2010)",
)

IDEAS = (
    "a fractal: every expansion doubles the deepest path and adds one plain layer parallel to it",
    "no signal passes through untouched; short paths, not identities, make deep training possible",
    "drop-path trains each column to do without the others, so one can be cut out and used alone",
)

TABLE_1 = {
    ("CIFAR-10", "no augmentation"): (10.18, 7.33, 7.27),
    ("CIFAR-10", "flips and shifts"): (5.22, 4.60, 4.68),
    ("CIFAR-100", "no augmentation"): (35.34, 28.20, 29.05),
    ("CIFAR-100", "flips and shifts"): (23.30, 23.73, 24.32),
}
"""Error in percent of 20 layers: plain; with dropout and drop-path; then its deepest column."""

TABLE_3 = {5: 37.32, 10: 30.71, 20: 27.69, 40: 27.38, 80: 26.46, 160: 27.38}
"""Error in percent on CIFAR-100 with much augmentation, by depth, at a first width of 16."""

ALL_PATHS = (
    "In training paths are dropped, in use all of them run (section 3); the figures here are those "
    "of all paths.",
)
LARGER_IN_PRINT = (
    "Table 1 gives 38.6M parameters. The rule of section 2 with three columns and these widths "
    "stores 33.7M; one reimplementation in PyTorch is known, which finds the same. With square "
    "convolutions throughout and a 1x1 convolution in front of each block that changes the width "
    "38.6M come out; that is an inference, and the authors' code has no such 1x1 ('cnnstat claims "
    "fractalnet20-cifar'). At the widths of table 3 the rule gives the printed figure at all six "
    "depths.",
    "Depth 21 in table 1 is 20 convolutions and the fully connected layer.",
)


@lru_cache(maxsize=64)
def join_op(drop_path: float) -> FractalJoin:
    """Return the join with this drop-path, one instance for all nodes."""
    return FractalJoin(drop_path)


@lru_cache(maxsize=16)
def dropout_op(p: float) -> Dropout:
    """Return the dropout with this probability, one instance for all nodes."""
    return Dropout(p)


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
    return ModelCard(
        name=name,
        title=f"FractalNet of {columns} columns, {depth} layers, for CIFAR-{classes}",
        family="FractalNet",
        paper=PAPER,
        build=partial(build, name, columns, width),
        input_shape=INPUT,
        classes=classes,
        departs=_departs(depth, width),
        result=_result(depth, width),
        ideas=IDEAS,
        training=TRAINING,
        accuracy=_accuracy(depth, width),
        facts=(
            f"{convolutions} convolutions; the deepest path runs through {depth} of them, the "
            f"shallowest through {len(WIDTH_FACTORS)}.",
            *ALL_PATHS,
            *(LARGER_IN_PRINT if (depth, width) == (20, FIRST_WIDTH) else ()),
        ),
    )


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


def _departs(depth: int, width: int) -> str:
    if (depth, width) == (20, FIRST_WIDTH) or (width == 16 and depth in TABLE_3):
        return ""
    if (depth, width) == (40, FIRST_WIDTH):
        return (
            "the four columns of figure 1 at the widths of table 1; the paper trains 40 layers at "
            "a quarter of the width (fractalnet40-16-cifar)"
        )
    return "a member of the paper's family that the paper does not train"


def _result(depth: int, width: int) -> str:
    if (depth, width) == (20, FIRST_WIDTH):
        return "4.60% test error on CIFAR-10, single model with dropout and drop-path"
    error = TABLE_3.get(depth) if width == 16 else None
    return "" if error is None else f"{error}% test error on CIFAR-100, single model"


def _accuracy(depth: int, width: int) -> tuple[Accuracy, ...]:
    if (depth, width) == (20, FIRST_WIDTH):
        kinds = ("no dropout, no drop-path", "dropout and drop-path", "its deepest column alone")
        return tuple(
            Accuracy(dataset, f"single model, {data}, {kind}", "Larsson et al., table 1", error)
            for (dataset, data), errors in TABLE_1.items()
            for kind, error in zip(kinds, errors, strict=True)
        )
    if width == 16 and depth in TABLE_3:
        setting = "single model, much augmentation"
        return (Accuracy("CIFAR-100", setting, "Larsson et al., table 3", TABLE_3[depth]),)
    return ()
