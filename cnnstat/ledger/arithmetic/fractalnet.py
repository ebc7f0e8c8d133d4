"""FractalNet: its blocks with square convolutions alone."""

from __future__ import annotations

from cnnstat.ir.builder import Builder
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import kernel_weights
from cnnstat.ledger.reports import Reports
from cnnstat.ops import Input
from cnnstat.zoo.blocks import conv_op
from cnnstat.zoo.fractalnet import FIRST_WIDTH, INPUT, WIDTH_FACTORS, fractal_block


def square_blocks(reports: Reports, columns: int) -> Computed:
    """Return the weights of the convolutions if all those of a block are square.

    A 1x1 convolution in front of each block gives it the block's width where that changes.
    """
    b = Builder("fractal blocks of square convolutions")
    x, channels = b.add("input", Input(INPUT)), INPUT[0]
    for block, factor in enumerate(WIDTH_FACTORS, 1):
        width = factor * FIRST_WIDTH
        with b.scope(f"block{block}"):
            if width != channels:
                x, channels = b.add("widen", conv_op(width, 1, bias=False), x), width
            x = fractal_block(b, x, columns, width)
    net = reports(b.graph(x))
    convolutions = [n.name for n in net.shaped.nodes if n.op.is_layer]
    return sum(kernel_weights(net, name) for name in convolutions)
