"""The CNN for Fashion-MNIST of the book Hands-On Machine Learning, as Keras builds it.

Aurelien Geron, "Hands-On Machine Learning with Scikit-Learn, Keras, and TensorFlow", second
edition, O'Reilly 2019, chapter 14, https://github.com/ageron/handson-ml2. Transcribed from the
listing; layers carry the names that Keras gives them. Padding ``same`` at stride 1 is kernel // 2
on each side; the poolings are ``valid``, so the third takes 7 to 3. Nothing differs.
"""

from functools import partial

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ops import Dropout, Input
from cnnstat.zoo.blocks import FLATTEN, RELU, SOFTMAX, conv, linear, max_pool
from cnnstat.zoo.card import ModelCard, card_of

INPUT = (1, 28, 28)


def build(name: str, classes: int) -> Graph:
    """Return the listing's network."""
    b = Builder(name)
    x = conv(b, "conv2d", b.add("input", Input(INPUT)), 64, 7)
    x = max_pool(b, "max_pooling2d", x, 2, 2)
    x = conv(b, "conv2d_1", x, 128, 3)
    x = conv(b, "conv2d_2", x, 128, 3)
    x = max_pool(b, "max_pooling2d_1", x, 2, 2)
    x = conv(b, "conv2d_3", x, 256, 3)
    x = conv(b, "conv2d_4", x, 256, 3)
    x = max_pool(b, "max_pooling2d_2", x, 2, 2)
    x = b.add("flatten", FLATTEN, x)
    x = b.add("dropout", Dropout(0.5), linear(b, "dense", x, 128, act=RELU))
    x = b.add("dropout_1", Dropout(0.5), linear(b, "dense_1", x, 64, act=RELU))
    return b.graph(b.add("dense_2/softmax", SOFTMAX, linear(b, "dense_2", x, classes)))


def card(name: str) -> ModelCard:
    """Return the card of ``handson-cnn``."""
    return card_of("handson", name, build=partial(build, name), input_shape=INPUT, classes=10)
