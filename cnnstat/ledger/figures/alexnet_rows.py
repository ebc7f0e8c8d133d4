"""Published figures of AlexNet's layers: the tables of the slides, the blog and Hands-On ML."""

from __future__ import annotations

from cnnstat.ledger.figure import Ask, Compute, Computed, Figure, Value
from cnnstat.ledger.figures.measure import of, row, window

TOWER, TWO_GPUS = "alexnet", "alexnet-2gpu"

# id, layer, printed, ((height, width, channels), weights, biases, parameters)
SLIDES: tuple[tuple[str, str, str, Value], ...] = (
    ("input-image", "input", "227x227x3; 0; 0; 0", ((227, 227, 3), 0, 0, 0)),
    ("conv-1", "conv1", "55x55x96; 34,848; 96; 34,944", ((55, 55, 96), 34_848, 96, 34_944)),
    ("maxpool-1", "pool1", "27x27x96; 0; 0; 0", ((27, 27, 96), 0, 0, 0)),
    ("conv-2", "conv2", "27x27x256; 614,400; 256; 614,656", ((27, 27, 256), 614_400, 256, 614_656)),
    ("maxpool-2", "pool2", "13x13x256; 0; 0; 0", ((13, 13, 256), 0, 0, 0)),
    ("conv-3", "conv3", "13x13x384; 884,736; 384; 885,120", ((13, 13, 384), 884_736, 384, 885_120)),
    (
        "conv-4",
        "conv4",
        "13x13x384; 1,327,104; 384; 1,327,488",
        ((13, 13, 384), 1_327_104, 384, 1_327_488),
    ),
    ("conv-5", "conv5", "13x13x256; 884,736; 256; 884,992", ((13, 13, 256), 884_736, 256, 884_992)),
    ("maxpool-3", "pool5", "6x6x256; 0; 0; 0", ((6, 6, 256), 0, 0, 0)),
    ("fc-1", "fc6", "4096x1; 37,748,736; 4,096; 37,752,832", (4096, 37_748_736, 4_096, 37_752_832)),
    ("fc-2", "fc7", "4096x1; 16,777,216; 4,096; 16,781,312", (4096, 16_777_216, 4_096, 16_781_312)),
    ("fc-3", "fc8", "1000x1; 4,096,000; 1,000; 4,097,000", (1000, 4_096_000, 1_000, 4_097_000)),
)

# id, layer, printed, (height, width, maps of both halves)
BLOG_SHAPES = (
    ("conv-1", "conv1", "55x55x48 x2 (96 of 11x11x3, stride 4, no padding)", (55, 55, 2 * 48)),
    ("maxpool-1", "pool1", "27x27x48 (x2) (3x3, stride 2)", (27, 27, 2 * 48)),
    (
        "conv-2",
        "conv2",
        "27x27x128 x2 (128 of 5x5x48, twice, stride 1, pad 2)",
        (27, 27, 2 * 128),
    ),
    ("maxpool-2", "pool2", "13x13x128x2", (13, 13, 2 * 128)),
    ("conv-3", "conv3", "13x13x192x2 (384 of 3x3x256, stride 1, pad 1)", (13, 13, 2 * 192)),
    ("conv-4", "conv4", "13x13x192x2 (192 of 3x3x192, twice)", (13, 13, 2 * 192)),
    ("conv-5", "conv5", "13x13x128x2 (128 of 3x3x192, twice)", (13, 13, 2 * 128)),
    ("maxpool-3", "pool5", "6x6x128x2", (6, 6, 2 * 128)),
)

# layer's number, printed, weights
BLOG_KERNELS = (
    (2, "2 x 128 kernels of 5x5x48", 2 * 128 * 5 * 5 * 48),
    (3, "384 kernels of 3x3x256", 384 * 3 * 3 * 256),
    (4, "2 x 192 kernels of 3x3x192", 2 * 192 * 3 * 3 * 192),
    (5, "2 x 128 kernels of 3x3x192", 2 * 128 * 3 * 3 * 192),
)

# id, layer, printed, units
BLOG_UNITS = (
    ("fc6", "4096 (2048 per channel/GPU)", 2 * 2048),
    ("fc7", "4096", 4096),
    ("fc8", "1000", 1000),
)

# id, layer, printed, ((height, width, maps), (kernel, stride, padding)); same padding is kernel//2
TABLE_14_2: tuple[tuple[str, str, str, Value], ...] = (
    ("c1", "conv1", "96, 55x55, 11x11, 4, valid", ((55, 55, 96), (11, 4, 0))),
    ("s2", "pool1", "96, 27x27, 3x3, 2, valid", ((27, 27, 96), (3, 2, 0))),
    ("c3", "conv2", "256, 27x27, 5x5, 1, same", ((27, 27, 256), (5, 1, 5 // 2))),
    ("s4", "pool2", "256, 13x13, 3x3, 2, valid", ((13, 13, 256), (3, 2, 0))),
    ("c5", "conv3", "384, 13x13, 3x3, 1, same", ((13, 13, 384), (3, 1, 3 // 2))),
    ("c6", "conv4", "384, 13x13, 3x3, 1, same", ((13, 13, 384), (3, 1, 3 // 2))),
    ("c7", "conv5", "256, 13x13, 3x3, 1, same", ((13, 13, 256), (3, 1, 3 // 2))),
    ("f8", "pool5", "256, 6x6, 3x3, 2, valid", ((6, 6, 256), (3, 2, 0))),
    ("f9", "fc6", "4,096", 4096),
    ("f10", "fc7", "4,096", 4096),
    ("output", "fc8", "1,000", 1000),
)


def _table_row(layer: str) -> Compute:
    shape = of(TOWER, layer, "hwc")

    def compute(ask: Ask) -> Computed:
        kernel, stride, padding = window(ask(TOWER), layer)
        return shape(ask), (kernel, stride, padding)

    return compute


def _blog() -> tuple[Figure, ...]:
    shapes = [
        Figure(
            f"blog-alexnet-{key}-shape",
            TWO_GPUS,
            "output shape of both halves",
            printed,
            value,
            of(TWO_GPUS, layer, "hwc"),
            "blog",
            unit="height x width x maps",
            layer=layer,
        )
        for key, layer, printed, value in BLOG_SHAPES
    ]
    kernels = [
        Figure(
            f"blog-alexnet-conv-{number}-kernels",
            TWO_GPUS,
            "weights",
            printed,
            value,
            of(TWO_GPUS, f"conv{number}", "weights"),
            "blog",
            layer=f"conv{number}",
        )
        for number, printed, value in BLOG_KERNELS
    ]
    units = [
        Figure(
            f"blog-alexnet-{layer}",
            TWO_GPUS,
            "units",
            printed,
            value,
            of(TWO_GPUS, layer, "hwc"),
            "blog",
            layer=layer,
        )
        for layer, printed, value in BLOG_UNITS
    ]
    flattened = Figure(
        "blog-alexnet-flatten",
        TWO_GPUS,
        "flattened length",
        "6x6x256 -> 9216",
        6 * 6 * 256,
        lambda ask: row(ask(TWO_GPUS), "fc6/flatten").output.numel,
        "blog",
        layer="fc6",
    )
    return (*shapes, *kernels, flattened, *units)


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"slides-alexnet-table-{key}",
            TOWER,
            "shape, weights, biases, parameters",
            printed,
            value,
            of(TOWER, layer, "hwc", "weights", "biases", "params"),
            "slides",
            unit="height x width x channels; weights; biases; parameters",
            layer=layer,
        )
        for key, layer, printed, value in SLIDES
    ),
    *_blog(),
    *(
        Figure(
            f"handson-alexnet-table-{key}",
            TOWER,
            "maps, size, kernel, stride, padding",
            printed,
            value,
            _table_row(layer) if isinstance(value, tuple) else of(TOWER, layer, "hwc"),
            "handson-notes",
            unit="height x width x maps; (kernel, stride, padding)",
            place="table 14-2",
            layer=layer,
        )
        for key, layer, printed, value in TABLE_14_2
    ),
)
