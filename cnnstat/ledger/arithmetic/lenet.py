"""LeNet-5: the sequence of its layers, its connections, the groups of maps in C3."""

from __future__ import annotations

from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ledger.figure import Computed
from cnnstat.ledger.reads import node
from cnnstat.ledger.reports import Reports
from cnnstat.ops import RBF, ConnectedConv2d, Subsampling

MODEL = "lenet5"


def sequence(reports: Reports) -> Computed:
    """Return the kinds in order; a convolution that covers its whole input is fully connected."""
    words = []
    for layer in reports(MODEL).layers[1:]:
        if layer.type == "Subsampling":
            words.append("POOL")
        elif "Conv2d" in layer.type and layer.output.shape[2:] != (1, 1):
            words.append("CONV")
        else:
            words.append("FC")
    return "-".join(words), len(words)


def connections(reports: Reports, layer: str = "") -> Computed:
    """Return the paper's connections, of the model or of one layer."""
    shaped = reports.shaped(MODEL)
    pairs = zip(shaped.nodes, shaped.facts, strict=True)
    return sum(_connections(n.op, facts) for n, facts in pairs if layer in ("", n.name))


def _connections(op: Op, facts: NodeFacts) -> int:
    """Return a bias and one connection for each value that an output adds up."""
    work = facts.work
    if work is None:
        return 0
    if isinstance(op, Subsampling):
        return work.additions + work.multiplications + work.bias_adds
    if isinstance(op, RBF):
        return work.multiplications
    return work.macs + work.bias_adds


def params_of_maps(reports: Reports, inputs: int) -> Computed:
    """Return the parameters of the maps of C3 that read this many maps of S2."""
    op = node(reports(MODEL), "C3")[0].op
    if not isinstance(op, ConnectedConv2d):
        raise LookupError("C3 has no connection table")
    kh, kw = op.kernel
    return sum(len(read) * kh * kw + 1 for read in op.connections if len(read) == inputs)
