"""Published figures of VGG as a whole; ``vgg_rows`` holds the slides' table of VGG-16."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ledger.figure import Accounting, Ask, Bound, Computed, Figure, billion, million
from cnnstat.ledger.figures.measure import each, of, ops, row, total, values, windows
from cnnstat.ops import Conv2d, MaxPool2d

CONFIGURATIONS = ("vgg11", "vgg11-lrn", "vgg13", "vgg16-1x1", "vgg16", "vgg19")


def _activations(ask: Ask) -> int:
    net = ask("vgg16")
    return values(net, net.totals.activation_bytes)


def _with_cached_inputs(ask: Ask) -> int:
    net = ask("vgg16")
    return values(net, net.totals.cached_activation_bytes)


def _with_cached_conv_inputs(ask: Ask) -> int:
    net = ask("vgg16")
    convs = [layer for layer in net.layers if layer.type == "Conv2d"]
    return _activations(ask) + sum(layer.inputs[0].numel for layer in convs)


def _rounded_millions_times_4(ask: Ask) -> int:
    million_values = (_with_cached_inputs(ask) + 500_000) // 1_000_000
    return million_values * 1_000_000 * 4


def _conv_macs(model: str, ask: Ask) -> int:
    return sum(layer.macs or 0 for layer in ask(model).layers if layer.type == "Conv2d")


def _early_share(ask: Ask) -> Computed:
    """Return the share of the first two blocks and their poolings in all activations."""
    net = ask("vgg16")
    early = [layer for layer in net.layers if layer.name.startswith(("conv1", "conv2"))]
    early += [row(net, "pool1"), row(net, "pool2")]
    return Fraction(sum(r.activation_bytes for r in early), net.totals.activation_bytes)


def _late_share(ask: Ask) -> Computed:
    net = ask("vgg16")
    connected = sum(layer.weights for layer in net.layers if layer.type == "Linear")
    return Fraction(connected, net.totals.weights)


def _windows(ask: Ask) -> Computed:
    """Return (kernel, stride) of all convolutions and of all poolings."""
    net = ask("vgg16")
    return tuple(w[:2] for kind in (Conv2d, MaxPool2d) for w in sorted(windows(net, kind)))


def _distinct_depths(ask: Ask) -> Computed:
    depths = [ask(name).totals.depth for name in CONFIGURATIONS]
    return tuple(sorted(set(depths))), len(depths)


def _groups(ask: Ask) -> Computed:
    """Return how many different sizes the outputs of the convolutions have."""
    net = ask("vgg16")
    return len({layer.output.shape[2:] for layer in net.layers if layer.type == "Conv2d"})


_CACHED = (
    Accounting("values with a copy of each weighted layer's input", _with_cached_inputs),
    Accounting("values with a copy of each convolution's input alone", _with_cached_conv_inputs),
)

FIGURES: tuple[Figure, ...] = (
    Figure(
        "slides-vgg16-total-memory",
        "vgg16",
        "activation memory of a forward pass",
        "24M * 4 bytes ~ 96MB",
        million("24"),
        _activations,
        "slides",
        unit="values",
        otherwise=_CACHED,
        explanation="the source's own rows add up to the computed values, not to 24M. 24M comes "
        "out if inputs are kept a second time, as a hand-written backward pass caches them; 96 MB "
        "is the rounded 24M times 4 bytes. No public derivation is known: this is an inference",
        headline=True,
    ),
    Figure(
        "study-vgg16-mem",
        "vgg16",
        "activation memory of a forward pass",
        "96m",
        million("96"),
        total("vgg16", "activation_bytes"),
        "study-notes",
        unit="bytes",
        otherwise=(
            Accounting(
                "4 bytes times the values with cached inputs, rounded to 24M first",
                _rounded_millions_times_4,
            ),
            Accounting(
                "bytes with a copy of each weighted layer's input, unrounded",
                total("vgg16", "cached_activation_bytes"),
            ),
        ),
        explanation="taken over from the lecture that prints 24M * 4 bytes; its rows add up to the "
        "computed bytes. No public derivation is known",
        headline=True,
    ),
    Figure(
        "slides-vgg16-total-params",
        "vgg16",
        "parameters",
        "138M",
        million("138"),
        total("vgg16", "params"),
        "slides",
        headline=True,
    ),
    Figure(
        "study-vgg16-params",
        "vgg16",
        "parameters",
        "138M",
        million("138"),
        total("vgg16", "params"),
        "study-notes",
        headline=True,
    ),
    Figure(
        "he-2015-vgg16-macs",
        "vgg16",
        "MACs",
        "15.3 billion FLOPs",
        billion("15.3"),
        total("vgg16", "macs"),
        "he-2015",
        place="section 4.1",
        otherwise=(Accounting("convolutions alone", lambda ask: _conv_macs("vgg16", ask)),),
        explanation="the fully connected layers are left out, though not for VGG-19 beside it",
        headline=True,
    ),
    Figure(
        "he-2015-vgg19-macs",
        "vgg19",
        "MACs",
        "19.6 billion FLOPs",
        billion("19.6"),
        total("vgg19", "macs"),
        "he-2015",
        place="section 4.1",
        headline=True,
    ),
    *(
        Figure(
            f"simonyan-2014-{name}-params",
            name,
            "parameters",
            f"{printed} million",
            million(printed),
            total(name, "params"),
            "simonyan-2014",
            place="table 2",
            headline=True,
        )
        for name, printed in zip(
            CONFIGURATIONS, ("133", "133", "133", "134", "138", "144"), strict=True
        )
    ),
    *(
        Figure(
            f"torchvision-{name}-params",
            name,
            "parameters",
            f"{params}",
            params,
            total(name, "params"),
            "torchvision",
            headline=True,
        )
        for name, params in (
            ("vgg11", 132_863_336),
            ("vgg11-bn", 132_868_840),
            ("vgg13", 133_047_848),
            ("vgg13-bn", 133_053_736),
            ("vgg16", 138_357_544),
            ("vgg16-bn", 138_365_992),
            ("vgg19", 143_667_240),
            ("vgg19-bn", 143_678_248),
        )
    ),
    *(
        Figure(
            f"torchvision-{name}-macs",
            name,
            "MACs",
            f"{printed} GFLOPS",
            billion(printed),
            total(name, "macs"),
            "torchvision",
            headline=True,
        )
        for name, printed in (
            ("vgg11", "7.61"),
            ("vgg13", "11.31"),
            ("vgg16", "15.47"),
            ("vgg19", "19.63"),
        )
    ),
    Figure(
        "slides-vgg16-early-memory",
        "vgg16",
        "share of the first two blocks in the activation memory",
        "memory is concentrated in the early convolutions",
        Bound(">", Fraction(1, 2)),
        _early_share,
        "slides",
        unit="share",
        kind="statement",
        headline=True,
    ),
    Figure(
        "slides-vgg16-late-params",
        "vgg16",
        "share of the fully connected layers in the weights",
        "parameters are concentrated in the last FC layers",
        Bound(">", Fraction(1, 2)),
        _late_share,
        "slides",
        unit="share",
        kind="statement",
        headline=True,
    ),
    Figure(
        "blog-vgg-fc",
        "vgg16",
        "width of the fully connected layers",
        "4096",
        (4096, 4096),
        lambda ask: tuple(of("vgg16", name, "hwc")(ask) for name in ("fc6", "fc7")),
        "blog",
        unit="fc6; fc7",
    ),
    Figure(
        "blog-vgg-rules",
        "vgg16",
        "kernel and stride of convolutions and poolings",
        "3x3 stride 1, 2x2 stride 2",
        ((3, 1), (2, 2)),
        _windows,
        "blog",
        unit="all convolutions; all poolings",
    ),
    Figure(
        "slides-vgg-conv-rule",
        "vgg16",
        "kernel, stride and padding of the convolutions",
        "3x3, 1, 1",
        ((3, 1, 1),),
        lambda ask: tuple(sorted(windows(ask("vgg16"), Conv2d))),
        "slides",
    ),
    Figure(
        "slides-vgg-pool-rule",
        "vgg16",
        "kernel, stride and padding of the poolings",
        "2x2, 2",
        ((2, 2, 0),),
        lambda ask: tuple(sorted(windows(ask("vgg16"), MaxPool2d))),
        "slides",
    ),
    Figure(
        "slides-vgg-weight-layers",
        "vgg16",
        "weight layers of A, A-LRN, B, C, D, E",
        "11, 11, 13, 16, 16, 19",
        (11, 11, 13, 16, 16, 19),
        each(CONFIGURATIONS, lambda net: net.totals.depth),
        "slides",
    ),
    Figure(
        "study-vgg-configs",
        "vgg16",
        "configurations",
        "11 to 13, 16, 19 layers, 6 kinds",
        ((11, 13, 16, 19), 6),
        _distinct_depths,
        "study-notes",
        unit="depths; how many configurations",
    ),
    Figure(
        "slides-vgg-config-rows",
        "vgg16",
        "convolution rows of A, A-LRN, B, C, D, E",
        "8 conv rows for every column",
        (8, 8, 8, 8, 8, 8),
        each(CONFIGURATIONS, lambda net: len(ops(net, Conv2d))),
        "slides",
        explanation="the transcribed table has lost the rows that make B to E deeper; with three "
        "fully connected layers only A and A-LRN match their header of 11 weight layers",
    ),
    Figure(
        "study-vgg16-groups",
        "vgg16",
        "groups of convolutions by output size",
        "5",
        5,
        _groups,
        "study-notes",
    ),
)
