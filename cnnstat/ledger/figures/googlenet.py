"""Published figures of GoogLeNet and of Inception modules; rows in ``googlenet_rows``."""

from __future__ import annotations

from fractions import Fraction

from cnnstat.ir.graph import Value
from cnnstat.ledger.figure import (
    Accounting,
    Ask,
    Bound,
    Computed,
    Figure,
    Printed,
    Subject,
    billion,
    million,
)
from cnnstat.ledger.figures.measure import hwc, ratio, row, total, window
from cnnstat.ops import (
    AvgPool2d,
    Concat,
    Conv2d,
    Linear,
    MaxPool2d,
    ReLU,
    Softmax,
)

NET, AUX = "googlenet", "googlenet-aux"
NAIVE, REDUCED = "inception-naive", "inception-bottleneck"


def _modules(net: Subject) -> list[str]:
    names = [n.name for n in net.shaped.nodes if n.name.startswith("inception_")]
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def _outside(net: Subject, kind: type[Conv2d] | type[Linear]) -> int:
    """Return how many layers of a kind lie outside the modules."""
    named = [n.name for n in net.shaped.nodes if isinstance(n.op, kind)]
    return sum(not name.startswith("inception_") for name in named)


def _depth_parts(ask: Ask) -> Computed:
    net = ask(NET)
    per_module = ask(REDUCED).totals.depth
    return (
        per_module * len(_modules(net)),
        _outside(net, Conv2d),
        _outside(net, Linear),
        net.totals.depth,
    )


def _outside_modules(ask: Ask) -> Computed:
    net = ask(NET)
    return len(_modules(net)), _outside(net, Conv2d)


def _outside_modules_with_fc(ask: Ask) -> Computed:
    net = ask(NET)
    return len(_modules(net)), _outside(net, Conv2d) + _outside(net, Linear)


def _without_classifier(ask: Ask) -> Computed:
    return ask(NET).totals.params - row(ask(NET), "fc").params


def _producer(net: Subject, value: Value) -> int:
    """Return the node behind a value, activations skipped."""
    nodes, index = net.shaped.nodes, value.node
    while isinstance(nodes[index].op, ReLU):
        index = nodes[index].inputs[0].node
    return index


def _branches(ask: Ask) -> Computed:
    """Return operator and kernel of what each branch of the naive module ends in."""
    net = ask(NAIVE)
    joined = next(n for n in net.shaped.nodes if isinstance(n.op, Concat))
    ends = [net.shaped.nodes[_producer(net, value)] for value in joined.inputs]
    return tuple((end.op.type_name, window(net, end.name)[0]) for end in ends)


def _branch_count(ask: Ask) -> Computed:
    return len(next(n for n in ask(REDUCED).shaped.nodes if isinstance(n.op, Concat)).inputs)


def _modules_behind_pool(ask: Ask) -> Computed:
    """Return the positions of the modules whose input comes out of a max-pooling."""
    net = ask(NET)
    nodes = net.shaped.nodes
    found = []
    for position, module in enumerate(_modules(net), 1):
        first = next(n for n in nodes if n.name.startswith(f"{module}/"))
        if isinstance(nodes[first.inputs[0].node].op, MaxPool2d):
            found.append(position)
    return tuple(found)


def _heads(ask: Ask) -> Computed:
    """Return how many auxiliary heads there are, one's layers, whether they only train."""
    net = ask(AUX)
    members = [n for n in net.shaped.nodes if n.name.startswith("aux")]
    heads = {n.name.partition("/")[0] for n in members}
    kinds = (AvgPool2d, Conv2d, Linear, Softmax)
    layers = [n for n in members if isinstance(n.op, kinds)]
    one = tuple(n.op.type_name for n in layers if n.name.startswith("aux1/"))
    return len(heads), one, all(n.training_only for n in members)


def _flattened_layer(ask: Ask, features: int) -> int:
    """Return the weights of a fully connected layer on the maps that the global pooling takes."""
    return row(ask(NET), "pool5").inputs[0].numel * features


def _row_twice(ask: Ask) -> Computed:
    net = ask(REDUCED)
    return (net.totals.macs or 0) + (row(net, "3x3").macs or 0)


def _grows(ask: Ask) -> Computed:
    """Return whether the pooling branch keeps its channels and the module's output has more."""
    net = ask(NAIVE)
    c = net.input.shape[1]
    return row(net, "pool").output.shape[1] == c and row(net, "output").output.shape[1] > c


_COUNTED_OTHERWISE = (
    Accounting("weights without biases", total(NET, "weights")),
    Accounting("without the last fully connected layer", _without_classifier),
    Accounting("with both auxiliary heads", total(AUX, "params")),
)
_FIVE_MILLION = (
    "no countable version gives 5M: it is AlexNet's rounded 60M over the paper's '12 times fewer'. "
    "The paper's own table adds up to 6.8M"
)
_TWELVE_TIMES = (
    "the paper's own words; the ratio of the parameters is lower, and 12 fits only 60M over 5M"
)
_OTHER_RATIOS = (
    Accounting("AlexNet in two groups", ratio("alexnet-2gpu", NET, "params")),
    Accounting("weights without biases", ratio("alexnet", NET, "weights")),
)


def _headline(
    key: str, quantity: str, published: str, value: int | Printed, attribute: str, source: str
) -> Figure:
    return Figure(
        key, NET, quantity, published, value, total(NET, attribute), source, headline=True
    )


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(
            f"{key}-googlenet-5m",
            NET,
            "parameters",
            printed,
            million("5"),
            total(NET, "params"),
            source,
            otherwise=_COUNTED_OTHERWISE,
            explanation=_FIVE_MILLION,
            headline=True,
        )
        for key, source, printed in (("slides", "slides", "5M"), ("study", "study-notes", "5m"))
    ),
    *(
        Figure(
            f"{key}-googlenet-12x",
            NET,
            "times fewer parameters than AlexNet",
            printed,
            Printed("12"),
            ratio("alexnet", NET, "params"),
            source,
            unit="ratio",
            otherwise=_OTHER_RATIOS,
            explanation=_TWELVE_TIMES,
            headline=True,
        )
        for key, source, printed in (
            ("slides", "slides", "12 times smaller"),
            ("study", "study-notes", "12 times fewer"),
        )
    ),
    _headline("blog-googlenet-depth", "depth", "22", 22, "depth", "blog"),
    _headline("slides-googlenet-22", "depth", "22", 22, "depth", "slides"),
    Figure(
        "study-googlenet-22",
        NET,
        "depth",
        "9 modules x 2 = 18, + 3 conv + 1 FC = 22",
        (18, 3, 1, 22),
        _depth_parts,
        "study-notes",
        unit="in the modules; convolutions outside; fully connected; depth",
        headline=True,
    ),
    _headline(
        "szegedy-2014-depth",
        "depth",
        "22 layers deep when counting only layers with parameters",
        22,
        "depth",
        "szegedy-2014",
    ),
    Figure(
        "szegedy-2014-macs",
        NET,
        "MACs",
        "1.5 billion multiply-adds",
        billion("1.5"),
        total(NET, "macs"),
        "szegedy-2014",
        place="section 1",
        headline=True,
    ),
    Figure(
        "howard-2017-googlenet-macs",
        NET,
        "MACs",
        "1550 million mult-adds",
        million("1550"),
        total(NET, "macs"),
        "howard-2017",
        place="table 8",
        explanation="no derivation is known; the ops column of GoogLeNet's own paper adds up to "
        "1,502 million",
        headline=True,
    ),
    Figure(
        "howard-2017-googlenet-params",
        NET,
        "parameters",
        "6.8 million",
        million("6.8"),
        total(NET, "params"),
        "howard-2017",
        place="table 8",
        otherwise=_COUNTED_OTHERWISE,
        explanation="the sum of the params column in GoogLeNet's own paper, 6,797.7K; some of its "
        "rows do not follow from their own widths",
        headline=True,
    ),
    Figure(
        "slides-googlenet-conv4",
        NET,
        "layers outside the modules",
        "9 modules + conv 4",
        (9, 4),
        _outside_modules,
        "slides",
        unit="modules; convolutions outside",
        otherwise=(Accounting("the fully connected layer as a fourth", _outside_modules_with_fc),),
        explanation="the sum of 22 is right; the fourth layer is the fully connected one",
    ),
    Figure(
        "slides-googlenet-2-per-module",
        REDUCED,
        "depth of a module",
        "2",
        2,
        total(REDUCED, "depth"),
        "slides",
        headline=True,
    ),
    Figure(
        "study-googlenet-pools",
        NET,
        "modules that follow a max-pooling",
        "1st, 3rd, 8th",
        (1, 3, 8),
        _modules_behind_pool,
        "study-notes",
    ),
    Figure(
        "study-googlenet-aux",
        AUX,
        "auxiliary heads",
        "2, AvgPool - 1x1 conv - FC - FC - softmax, training only",
        (2, ("AvgPool2d", "Conv2d", "Linear", "Linear", "Softmax"), True),
        _heads,
        "study-notes",
        unit="heads; layers of one; in training only",
    ),
    Figure(
        "blog-googlenet-fc-saved",
        NET,
        "weights of the layer that global average pooling avoids",
        "51.3M (global: 0)",
        million("51.3"),
        lambda ask: _flattened_layer(ask, row(ask(NET), "pool5").output.numel),
        "blog",
        layer="pool5",
        otherwise=(
            Accounting(
                "straight to the classes",
                lambda ask: _flattened_layer(ask, row(ask(NET), "fc").output.numel),
            ),
        ),
        explanation="7x7x1024 maps to as many features as there are maps",
    ),
    Figure(
        "blog-inception-branches",
        NAIVE,
        "branches of the module",
        "1x1, 3x3, 5x5 conv and 3x3 max-pool, concatenated",
        (("Conv2d", 1), ("Conv2d", 3), ("Conv2d", 5), ("MaxPool2d", 3)),
        _branches,
        "blog",
    ),
    Figure(
        "study-inception-4-roles",
        REDUCED,
        "branches of the module",
        "4",
        4,
        _branch_count,
        "study-notes",
    ),
    Figure(
        "slides-inception-pool-stride1",
        NAIVE,
        "kernel and stride of the pooling",
        "3x3, stride 1",
        (3, 1),
        lambda ask: window(ask(NAIVE), "pool")[:2],
        "slides",
        layer="pool",
    ),
    Figure(
        "study-inception-channel-growth",
        NAIVE,
        "the pooling keeps its channels, so the output has more than the input",
        "max-pool keeps its input channels, so concatenation grows",
        True,
        _grows,
        "study-notes",
        kind="statement",
    ),
    Figure(
        "slides-inception-naive-shape",
        NAIVE,
        "output shape",
        "28x28x(128+192+96+256) = 28x28x672",
        (28, 28, 128 + 192 + 96 + 256),
        lambda ask: hwc(row(ask(NAIVE), "output").output),
        "slides",
        unit="height x width x channels",
        headline=True,
    ),
    Figure(
        "slides-inception-naive-total",
        NAIVE,
        "MACs",
        "854M ops",
        million("854"),
        total(NAIVE, "macs"),
        "slides",
        headline=True,
    ),
    Figure(
        "slides-inception-red-total",
        REDUCED,
        "MACs",
        "358M ops",
        million("358"),
        total(REDUCED, "macs"),
        "slides",
        otherwise=(Accounting("the 3x3 row counted twice", _row_twice),),
        explanation="the six printed rows add up to the computed MACs; the error stands in the "
        "lecture of 2017 that the slides follow",
        headline=True,
    ),
    Figure(
        "slides-inception-red-half",
        REDUCED,
        "MACs as a share of the naive module's",
        "less than half",
        Bound("<", Fraction(1, 2)),
        ratio(REDUCED, NAIVE, "macs"),
        "slides",
        unit="share",
        kind="statement",
        headline=True,
    ),
)
