"""The Keras CNN of Hands-On Machine Learning, chapter 14."""

from __future__ import annotations

from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Conv2d, Input

MODEL = "handson-cnn"


def _example(channels: int) -> Graph:
    """Return the notes' first example on an image of this many channels."""
    b = Builder(f"Conv2D(32, 3) on {channels} channels")
    x = b.add("input", Input((channels, 28, 28)))
    return b.graph(b.add("conv", Conv2d(32, (3, 3), padding="same"), x))


def example_params(reports: Reports) -> Computed:
    """Return the parameters of the notes' first example on 1 and on 3 channels."""
    return tuple(reports(_example(channels)).totals_figures.params for channels in (1, 3))


def filters(reports: Reports) -> Computed:
    """Return the different numbers of filters in order."""
    convolutions = [layer for layer in reports(MODEL).layers if layer.type == "Conv2d"]
    return tuple(dict.fromkeys(layer.output.shape[1] for layer in convolutions))


def pooling_halves(reports: Reports) -> Computed:
    """Return for each pooling whether its output has half its input's height."""
    pools = [layer for layer in reports(MODEL).layers if layer.type == "MaxPool2d"]
    return tuple(2 * layer.output.shape[2] == layer.inputs[0].shape[2] for layer in pools)
