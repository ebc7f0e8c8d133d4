"""Rows of the slides' Inception modules and of table 1 of GoogLeNet's paper.

The paper prints parameters in units of 1024 (1000K for the 1,024,000 weights of the classifier),
without biases, and ops in millions.
"""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ledger.figure import Accounting, Ask, Compute, Computed, Figure, Printed, million
from cnnstat.ledger.figures.googlenet import NAIVE, NET, REDUCED
from cnnstat.ledger.figures.measure import hwc, of, row
from cnnstat.ops import Conv2d, Input

# id, model, layer, printed, what it multiplies out to
OPS = (
    ("naive-1x1", NAIVE, "1x1", "[28x28x256]x[1x1]x128", 28 * 28 * 256 * 1 * 1 * 128),
    ("naive-3x3", NAIVE, "3x3", "[28x28x256]x[3x3]x192", 28 * 28 * 256 * 3 * 3 * 192),
    ("naive-5x5", NAIVE, "5x5", "[28x28x256]x[5x5]x96", 28 * 28 * 256 * 5 * 5 * 96),
    ("red-1x1-a", REDUCED, "3x3_reduce", "[28x28x256]x[1x1]x64", 28 * 28 * 256 * 1 * 1 * 64),
    ("red-1x1-b", REDUCED, "5x5_reduce", "[28x28x256]x[1x1]x64", 28 * 28 * 256 * 1 * 1 * 64),
    ("red-1x1-c", REDUCED, "1x1", "[28x28x256]x[1x1]x128", 28 * 28 * 256 * 1 * 1 * 128),
    ("red-3x3", REDUCED, "3x3", "[28x28x64]x[3x3]x192", 28 * 28 * 64 * 3 * 3 * 192),
    ("red-5x5", REDUCED, "5x5", "[28x28x64]x[5x5]x96", 28 * 28 * 64 * 5 * 5 * 96),
    ("red-proj", REDUCED, "pool_proj", "[28x28x256]x[1x1]x64", 28 * 28 * 256 * 1 * 1 * 64),
)

# row of table 1, beginning of its layers' names, params and ops as printed
TABLE_1 = (
    ("conv1", "conv1", "2.7", "34"),
    ("conv2", "conv2/", "112", "360"),
    ("3a", "inception_3a/", "159", "128"),
    ("3b", "inception_3b/", "380", "304"),
    ("4a", "inception_4a/", "364", "73"),
    ("4b", "inception_4b/", "437", "88"),
    ("4c", "inception_4c/", "463", "100"),
    ("4d", "inception_4d/", "580", "119"),
    ("4e", "inception_4e/", "840", "170"),
    ("5a", "inception_5a/", "1072", "54"),
    ("5b", "inception_5b/", "1388", "71"),
    ("linear", "fc", "1000", "1"),
)

_BINARY = "K is 1,024 in this column"
_WIDTHS_DO_NOT_GIVE = (
    "the row's own widths give the computed figure; the printed one does not follow from them, and "
    "no derivation is known"
)
_CONV1 = (
    "7x7 kernels on 3 maps give the computed figure; what is printed fits kernels of 7x1 and 1x7, "
    "14 taps for 49, which the row does not say"
)


_EXPLAINED = {
    **{("conv1", attribute): _CONV1 for attribute in ("weights", "macs")},
    ("3b", "weights"): "the row above it is printed without biases",
    **{(key, "weights"): _WIDTHS_DO_NOT_GIVE for key in ("4a", "4b", "4c", "4d", "4e", "5a", "5b")},
    ("5a", "macs"): _WIDTHS_DO_NOT_GIVE,
}


def _sum(prefix: str, quantity: str) -> Compute:
    def compute(ask: Ask) -> Computed:
        layers = [layer for layer in ask(NET).layers if layer.name.startswith(prefix)]
        return sum(int(getattr(layer, quantity)) for layer in layers)

    return compute


def _otherwise(key: str, prefix: str, attribute: str) -> tuple[Accounting, ...]:
    if key == "conv1":
        taps = Accounting(
            "with a 7x1 and a 1x7 kernel for each 7x7 one",
            lambda ask: Fraction(getattr(row(ask(NET), "conv1"), attribute) * (7 + 7), 7 * 7),
        )
        return (taps,)
    if (key, attribute) == ("3b", "weights"):
        return (Accounting("with biases", _sum(prefix, "params")),)
    return ()


def _table_1() -> tuple[Figure, ...]:
    figures = []
    for key, prefix, params, ops in TABLE_1:
        unit = Fraction(1000 if key == "conv1" else 1024)  # 2.7K is in thousands
        read = "" if key == "conv1" else _BINARY
        for column, attribute, printed, value, how in (
            ("params", "weights", f"{params}K", Printed(params, unit), read),
            ("ops", "macs", f"{ops}M", million(ops), ""),
        ):
            figures.append(
                Figure(
                    f"szegedy-2014-{key}-{column}",
                    NET,
                    f"{'weights' if column == 'params' else 'MACs'} of {prefix.rstrip('/')}",
                    printed,
                    value,
                    _sum(prefix, attribute),
                    "szegedy-2014",
                    place="table 1",
                    layer="" if prefix.endswith("/") else prefix,
                    otherwise=_otherwise(key, prefix, attribute),
                    explanation="; ".join(
                        filter(None, (how, _EXPLAINED.get((key, attribute), "")))
                    ),
                )
            )
    return tuple(figures)


def _one_by_one() -> Graph:
    """Return the blog's example: a 1x1 convolution from 128 to 32 maps of 28x28."""
    b = Builder("1x1 convolution, 128 to 32 maps")
    return b.graph(b.add("conv", Conv2d(32, (1, 1)), b.add("input", Input((128, 28, 28)))))


def _example(ask: Ask) -> Computed:
    net = ask(_one_by_one())
    return hwc(net.input), hwc(row(net, "conv").output)


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"slides-inception-{key}",
            model,
            "MACs",
            printed,
            value,
            of(model, layer, "macs"),
            "slides",
            layer=layer,
        )
        for key, model, layer, printed, value in OPS
    ),
    Figure(
        "blog-googlenet-1x1-shape",
        NET,
        "input and output of an example of a 1x1 convolution",
        "28x28x128 -> 28x28x32",
        ((28, 28, 128), (28, 28, 32)),
        _example,
        "blog",
        unit="height x width x channels; height x width x channels",
    ),
    *_table_1(),
)
