"""Published figures of LeNet-5 as a whole; ``lenet_rows`` holds those of its layers."""

from cnnstat.ir.graph import NodeFacts
from cnnstat.ledger.figure import Ask, Computed, Figure, thousand
from cnnstat.ledger.figures.measure import ops, total
from cnnstat.ops import RBF, ConnectedConv2d, Conv2d, Linear, Subsampling


def _layer_kinds(ask: Ask) -> Computed:
    """Return how many convolutions, subsamplings and fully connected layers there are."""
    net = ask("lenet5")
    return (
        len(ops(net, Conv2d, ConnectedConv2d)),
        len(ops(net, Subsampling)),
        len(ops(net, Linear)),
    )


def _sequence(ask: Ask) -> Computed:
    """Return the kinds in order; a convolution that covers its whole input is fully connected."""
    words = []
    for row in ask("lenet5").layers[1:]:
        if row.type == "Subsampling":
            words.append("POOL")
        elif "Conv2d" in row.type and row.output.shape[2:] != (1, 1):
            words.append("CONV")
        else:
            words.append("FC")
    return "-".join(words), len(words)


def connections(facts: NodeFacts, op: object) -> int:
    """Return the paper's connections: a bias and one for each value that an output adds up."""
    work = facts.work
    if work is None:
        return 0
    if isinstance(op, Subsampling):
        return work.additions + work.multiplications + work.bias_adds
    if isinstance(op, RBF):
        return work.multiplications
    return work.macs + work.bias_adds


def _connections(ask: Ask) -> Computed:
    shaped = ask("lenet5").shaped
    return sum(connections(f, n.op) for n, f in zip(shaped.nodes, shaped.facts, strict=True))


FIGURES: tuple[Figure, ...] = (
    Figure(
        "blog-lenet-layer-kinds",
        "lenet5",
        "layers by kind",
        "Conv 3, Subsampling 2, FC 1",
        (3, 2, 1),
        _layer_kinds,
        "blog",
        unit="convolutions; subsamplings; fully connected layers before the output",
    ),
    Figure(
        "blog-lenet-total",
        "lenet5",
        "parameters",
        "60000",
        156 + 12 + 1516 + 32 + 48120 + 10164,
        total("lenet5", "params"),
        "blog",
        headline=True,
    ),
    Figure(
        "slides-lenet-60k",
        "lenet5",
        "parameters",
        "60k",
        thousand("60"),
        total("lenet5", "params"),
        "slides",
        headline=True,
    ),
    Figure(
        "study-lenet-7",
        "lenet5",
        "layers",
        "CONV-POOL-CONV-POOL-FC-FC-FC, 7",
        ("CONV-POOL-CONV-POOL-FC-FC-FC", 7),
        _sequence,
        "study-notes",
        unit="kinds in order; how many",
    ),
    Figure(
        "slides-lenet-7",
        "lenet5",
        "layers",
        "7: CONV-POOL-CONV-POOL-FC-FC-FC",
        ("CONV-POOL-CONV-POOL-FC-FC-FC", 7),
        _sequence,
        "slides",
        unit="kinds in order; how many",
    ),
    Figure(
        "lecun-1998-lenet-params",
        "lenet5",
        "trainable parameters",
        "60,000",
        60_000,
        total("lenet5", "params"),
        "lecun-1998",
        place="section II.B",
        headline=True,
    ),
    Figure(
        "lecun-1998-lenet-connections",
        "lenet5",
        "connections",
        "340,908",
        340_908,
        _connections,
        "lecun-1998",
        place="section II.B",
        headline=True,
    ),
)
