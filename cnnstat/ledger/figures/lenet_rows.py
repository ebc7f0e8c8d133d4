"""Published figures of LeNet-5's layers: shapes, kernels, parameters, connections."""

from __future__ import annotations

from cnnstat.ledger.figure import Ask, Compute, Computed, Figure, Value
from cnnstat.ledger.figures.lenet import connections
from cnnstat.ledger.figures.measure import node, of, row, window
from cnnstat.ops import ConnectedConv2d

MODEL = "lenet5"

# id, layer, printed, maps x height x width
SHAPES = (
    ("c1", "C1", "6 x 28x28 (from 32x32, 6 filters 5x5)", (6, 28, 28)),
    ("s2", "S2", "6 x 14*14 (2x2)", (6, 14, 14)),
    ("c3", "C3", "16 x 10x10 (5x5)", (16, 10, 10)),
    ("s4", "S4", "16 x 5x5", (16, 5, 5)),
    ("c5", "C5", "120 x 1x1 (5x5)", (120, 1, 1)),
    ("f6", "F6", "84", 84),
)

# id, layer, printed, parameters
PARAMS = (
    ("c1", "C1", "(5_5_1 + 1)*6 = 156", (5 * 5 * 1 + 1) * 6),
    ("s2", "S2", "(1+1)*6 = 12", (1 + 1) * 6),
    ("c3", "C3", "456+909+151=1516", 456 + 909 + 151),
    ("s4", "S4", "(1 + 1)*16 = 32", (1 + 1) * 16),
    ("c5", "C5", "(5_5_16 + 1)*120 =48120", (5 * 5 * 16 + 1) * 120),
    ("f6", "F6", "(120 + 1)*84 = 10164", (120 + 1) * 84),
)

# id, printed, layers it is applied to, what it gives for them
RULES = (
    (
        "conv",
        "(weights * input maps + bias) * feature maps",
        ("C1", "C5"),
        ((5 * 5 * 1 + 1) * 6, (5 * 5 * 16 + 1) * 120),
    ),
    ("sub", "(weight + bias) * feature maps", ("S2", "S4"), ((1 + 1) * 6, (1 + 1) * 16)),
    ("fc", "(inputs + bias) * outputs", ("F6",), ((120 + 1) * 84,)),
)

# id, layer, printed, (maps, height, width), (kernel, stride)
TABLE_14_1: tuple[tuple[str, str, str, Value], ...] = (
    ("in", "input", "1, 32x32", (1, 32, 32)),
    ("c1", "C1", "6, 28x28, 5x5, 1", ((6, 28, 28), (5, 1))),
    ("s2", "S2", "6, 14x14, 2x2, 2", ((6, 14, 14), (2, 2))),
    ("c3", "C3", "16, 10x10, 5x5, 1", ((16, 10, 10), (5, 1))),
    ("s4", "S4", "16, 5x5, 2x2, 2", ((16, 5, 5), (2, 2))),
    ("c5", "C5", "120, 1x1, 5x5, 1", ((120, 1, 1), (5, 1))),
    ("f6", "F6", "84", 84),
    ("out", "output", "10 (RBF)", 10),
)

# layer, connections as section II.B prints them
CONNECTIONS = (
    ("C1", 122_304),
    ("S2", 5_880),
    ("C3", 151_600),
    ("S4", 2_000),
    ("C5", 48_120),
)


def _shape_and_window(layer: str) -> Compute:
    shape = of(MODEL, layer, "chw")

    def compute(ask: Ask) -> Computed:
        return shape(ask), window(ask(MODEL), layer)[:2]

    return compute


def _params_of_maps(inputs: int) -> Compute:
    """Return what counts the parameters of the maps of C3 that read this many maps of S2."""

    def compute(ask: Ask) -> Computed:
        op = node(ask(MODEL), "C3").op
        if not isinstance(op, ConnectedConv2d):
            raise LookupError("C3 has no connection table")
        maps = [read for read in op.connections if len(read) == inputs]
        kh, kw = op.kernel
        return sum(len(read) * kh * kw + 1 for read in maps)

    return compute


def _connections(layer: str) -> Compute:
    def compute(ask: Ask) -> Computed:
        shaped = ask(MODEL).shaped
        pairs = zip(shaped.nodes, shaped.facts, strict=True)
        return sum(connections(facts, n.op) for n, facts in pairs if n.name == layer)

    return compute


def _rule(layers: tuple[str, ...]) -> Compute:
    return lambda ask: tuple(row(ask(MODEL), layer).params for layer in layers)


def _blog() -> tuple[Figure, ...]:
    shapes = [
        Figure(
            f"blog-lenet-{key}-shape",
            MODEL,
            "output shape",
            printed,
            value,
            of(MODEL, layer, "chw"),
            "blog",
            unit="maps x height x width",
            layer=layer,
        )
        for key, layer, printed, value in SHAPES
    ]
    params = [
        Figure(
            f"blog-lenet-{key}-params",
            MODEL,
            "parameters",
            printed,
            value,
            of(MODEL, layer, "params"),
            "blog",
            layer=layer,
        )
        for key, layer, printed, value in PARAMS
    ]
    rules = [
        Figure(
            f"blog-lenet-rule-{key}",
            MODEL,
            f"parameter rule ({key})",
            printed,
            value,
            _rule(layers),
            "blog",
            unit=f"parameters of {', '.join(layers)}",
        )
        for key, printed, layers, value in RULES
    ]
    groups = [
        Figure(
            f"blog-lenet-c3-group{inputs}",
            MODEL,
            f"parameters of the maps of C3 that read {inputs} maps",
            f"{value}",
            value,
            _params_of_maps(inputs),
            "blog",
            layer="C3",
        )
        for inputs, value in (
            (3, (5 * 5 * 3 + 1) * 6),
            (4, (5 * 5 * 4 + 1) * 9),
            (6, (5 * 5 * 6 + 1) * 1),
        )
    ]
    classes = Figure(
        "blog-lenet-out-classes",
        MODEL,
        "units of the output",
        "10",
        10,
        of(MODEL, "output", "chw"),
        "blog",
        layer="output",
    )
    return (*shapes, classes, *rules, *params, *groups)


def _handson() -> tuple[Figure, ...]:
    return tuple(
        Figure(
            f"handson-lenet-table-{key}",
            MODEL,
            "maps, size, kernel, stride",
            printed,
            value,
            _shape_and_window(layer)
            if isinstance(value, tuple) and isinstance(value[0], tuple)
            else of(MODEL, layer, "chw"),
            "handson-notes",
            unit="maps x height x width; (kernel, stride)",
            place="table 14-1",
            layer=layer,
        )
        for key, layer, printed, value in TABLE_14_1
    )


def _windows(layers: tuple[str, ...]) -> Compute:
    return lambda ask: tuple(window(ask(MODEL), layer)[:2] for layer in layers)


FIGURES: tuple[Figure, ...] = (
    *_blog(),
    *_handson(),
    Figure(
        "slides-lenet-conv",
        MODEL,
        "kernel and stride of the convolutions",
        "5x5, stride 1",
        ((5, 1), (5, 1)),
        _windows(("C1", "C3")),
        "slides",
        unit="(kernel, stride) of C1 and C3",
    ),
    Figure(
        "slides-lenet-pool",
        MODEL,
        "kernel and stride of the subsampling",
        "2x2 average, stride 2",
        ((2, 2), (2, 2)),
        _windows(("S2", "S4")),
        "slides",
        unit="(kernel, stride) of S2 and S4",
    ),
    *(
        Figure(
            f"lecun-1998-{layer.lower()}-connections",
            MODEL,
            "connections",
            f"{value:,}",
            value,
            _connections(layer),
            "lecun-1998",
            place="section II.B",
            layer=layer,
        )
        for layer, value in CONNECTIONS
    ),
)
