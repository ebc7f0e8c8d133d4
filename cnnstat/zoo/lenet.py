"""LeNet-5, and the form of it that is written today.

Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner, "Gradient-Based Learning Applied to
Document Recognition", Proceedings of the IEEE 86(11), 1998,
http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf. Transcribed from its section II.B, figure 2 and
table I (which maps of S2 each map of C3 reads).
``lenet5-modern`` departs in four places: C3 reads all six maps, pooling is a plain mean without
weights, the squashing is an unscaled tanh that follows convolutions and fully connected layers
alone, and the output is fully connected.
"""

from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph, Value
from cnnstat.ir.op import Op
from cnnstat.ops import RBF, ConnectedConv2d, Input, ScaledTanh, Subsampling, Tanh
from cnnstat.zoo.blocks import activate, avg_pool, classifier, conv, flatten, linear
from cnnstat.zoo.card import ModelCard, card_of

# Table I, column by column: the maps of S2 that each map of C3 reads.
CONNECTIONS = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


def build(name: str, modern: bool, classes: int) -> Graph:
    """Return the graph of 1998, or with ``modern`` that of today."""
    b = Builder(name)
    act: Op = Tanh() if modern else ScaledTanh()
    x = b.add("input", Input((1, 32, 32)))
    x = _pool(b, "S2", conv(b, "C1", x, 6, 5, padding=0, act=act), modern)
    if modern:
        x = conv(b, "C3", x, 16, 5, padding=0, act=act)
    else:
        x = activate(b, "C3", b.add("C3", ConnectedConv2d(CONNECTIONS, (5, 5)), x), act)
    x = _pool(b, "S4", x, modern)
    if modern:
        x = linear(b, "C5", flatten(b, "C5", x), 120, act=act)
        x = linear(b, "F6", x, 84, act=act)
        return b.graph(classifier(b, "output", x, classes))
    x = conv(b, "C5", x, 120, 5, padding=0, act=act)
    x = linear(b, "F6", flatten(b, "F6", x), 84, act=act)
    return b.graph(b.add("output", RBF(classes), x))


def _pool(b: Builder, name: str, x: Value, modern: bool) -> Value:
    if modern:
        return avg_pool(b, name, x, 2, 2)
    return activate(b, name, b.add(name, Subsampling((2, 2)), x), ScaledTanh())


def card(name: str) -> ModelCard:
    """Return the card of one of the family's names."""
    modern = name == "lenet5-modern"
    built = partial(build, name, modern)
    return card_of("lenet", name, build=built, input_shape=(1, 32, 32), classes=10)
