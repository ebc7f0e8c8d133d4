"""Published figures of the Keras CNN of Hands-On Machine Learning, chapter 14.

The notes print hyper-parameters alone. A row's value is what they give by the book's rules: same
padding keeps the extents, pooling takes floor((n - 2)/2) + 1, a layer stores (k*k*c + 1)*out.
"""

from __future__ import annotations

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ledger.figure import Ask, Compute, Computed, Figure, Value
from cnnstat.ledger.figures.measure import of, total, windows
from cnnstat.ops import Conv2d, Input, MaxPool2d

MODEL = "handson-cnn"

# layer, printed, ((height, width, channels) or units, weights, biases, parameters, MACs)
ROWS: tuple[tuple[str, str, Value], ...] = (
    (
        "conv2d",
        "64 filters 7x7, stride 1, same, input 28x28x1",
        ((28, 28, 64), 7 * 7 * 1 * 64, 64, (7 * 7 * 1 + 1) * 64, 28 * 28 * 7 * 7 * 1 * 64),
    ),
    ("max_pooling2d", "MaxPooling2D(2): halves", ((14, 14, 64), 0, 0, 0, 0)),
    (
        "conv2d_1",
        "128, 3, same",
        ((14, 14, 128), 9 * 64 * 128, 128, (9 * 64 + 1) * 128, 14 * 14 * 9 * 64 * 128),
    ),
    (
        "conv2d_2",
        "128, 3, same",
        ((14, 14, 128), 9 * 128 * 128, 128, (9 * 128 + 1) * 128, 14 * 14 * 9 * 128 * 128),
    ),
    ("max_pooling2d_1", "MaxPooling2D(2)", ((7, 7, 128), 0, 0, 0, 0)),
    (
        "conv2d_3",
        "256, 3, same",
        ((7, 7, 256), 9 * 128 * 256, 256, (9 * 128 + 1) * 256, 7 * 7 * 9 * 128 * 256),
    ),
    (
        "conv2d_4",
        "256, 3, same",
        ((7, 7, 256), 9 * 256 * 256, 256, (9 * 256 + 1) * 256, 7 * 7 * 9 * 256 * 256),
    ),
    ("max_pooling2d_2", "MaxPooling2D(2)", ((3, 3, 256), 0, 0, 0, 0)),
    ("flatten", "Flatten", (3 * 3 * 256, 0, 0, 0, 0)),
    ("dense", "Dense(128)", (128, 2304 * 128, 128, (2304 + 1) * 128, 2304 * 128)),
    ("dropout", "Dropout(0.5)", (128, 0, 0, 0, 0)),
    ("dense_1", "Dense(64)", (64, 128 * 64, 64, (128 + 1) * 64, 128 * 64)),
    ("dropout_1", "Dropout(0.5)", (64, 0, 0, 0, 0)),
    ("dense_2", "Dense(10)", (10, 64 * 10, 10, (64 + 1) * 10, 64 * 10)),
)

PARAMS = (
    (7 * 7 * 1 + 1) * 64
    + (9 * 64 + 1) * 128
    + (9 * 128 + 1) * 128
    + (9 * 128 + 1) * 256
    + (9 * 256 + 1) * 256
    + (2304 + 1) * 128
    + (128 + 1) * 64
    + (64 + 1) * 10
)


def _conv_example(channels: int) -> Graph:
    """Return the notes' first example on an image of this many channels."""
    b = Builder(f"Conv2D(32, 3) on {channels} channels")
    x = b.add("input", Input((channels, 28, 28)))
    return b.graph(b.add("conv", Conv2d(32, (3, 3), padding="same"), x))


def _example_params(ask: Ask) -> Computed:
    return tuple(ask(_conv_example(channels)).totals.params for channels in (1, 3))


def _filters(ask: Ask) -> Computed:
    """Return the different numbers of filters in order."""
    found = [layer.output.shape[1] for layer in ask(MODEL).layers if layer.type == "Conv2d"]
    return tuple(dict.fromkeys(found))


def _halves(ask: Ask) -> Computed:
    """Return for each pooling whether its output has half its input's height."""
    pools = [layer for layer in ask(MODEL).layers if layer.type == "MaxPool2d"]
    return tuple(2 * layer.output.shape[2] == layer.inputs[0].shape[2] for layer in pools)


def _row(layer: str) -> Compute:
    return of(MODEL, layer, "hwc", "weights", "biases", "params", "macs")


FIGURES: tuple[Figure, ...] = (
    Figure(
        "handson-homl-total",
        MODEL,
        "parameters",
        "model as listed",
        PARAMS,
        total(MODEL, "params"),
        "handson-notes",
        explanation="the notes print no total; held against the sum of the book's rules",
        headline=True,
    ),
    Figure(
        "handson-homl-filter-growth",
        MODEL,
        "filters",
        "64 -> 128 -> 256",
        (64, 128, 256),
        _filters,
        "handson-notes",
    ),
    Figure(
        "handson-homl-halving",
        MODEL,
        "whether each pooling halves the extents",
        "pooling halves each spatial dimension",
        (True, True, True),
        _halves,
        "handson-notes",
        unit="first pooling; second; third",
        explanation="the third takes 7 to floor((7 - 2)/2) + 1 = 3: valid padding drops a row, so "
        "3*3*256 values are flattened",
        headline=True,
    ),
    *(
        Figure(
            f"handson-homl-{layer}",
            MODEL,
            "output, weights, biases, parameters, MACs",
            printed,
            value,
            _row(layer),
            "handson-notes",
            unit="height x width x channels; weights; biases; parameters; MACs",
            layer=layer,
        )
        for layer, printed, value in ROWS
    ),
    Figure(
        "handson-keras-conv-example",
        MODEL,
        "parameters of the example on 1 and on 3 channels",
        "filters=32, kernel_size=3, strides=1",
        ((3 * 3 * 1 + 1) * 32, (3 * 3 * 3 + 1) * 32),
        _example_params,
        "handson-notes",
        unit="on 1 channel; on 3 channels",
    ),
    Figure(
        "handson-maxpool-default-stride",
        MODEL,
        "kernel, stride and padding of the poolings",
        "default stride = pool size, valid",
        ((2, 2, 0),),
        lambda ask: tuple(sorted(windows(ask(MODEL), MaxPool2d))),
        "handson-notes",
    ),
)
