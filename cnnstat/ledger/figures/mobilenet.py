"""Published figures of MobileNet: tables 4, 6 and 7, in millions."""

from __future__ import annotations

from cnnstat.ledger.figure import Accounting, Ask, Compute, Computed, Figure, million
from cnnstat.ledger.figures.table import Line, Reason, entries

RESOLUTIONS = ((224, "569"), (192, "418"), (160, "290"), (128, "186"))


def _macs_at(extent: int) -> Compute:
    def compute(ask: Ask) -> Computed:
        return ask("mobilenet", input=(3, extent, extent)).totals.macs or 0

    return compute


def _convolution_macs(ask: Ask) -> Computed:
    layers = ask("mobilenet-standard").layers
    return sum(layer.macs or 0 for layer in layers if layer.type == "Conv2d")


_CONVOLUTIONS = Reason(
    "the fully connected layer is left out, though not for the net beside it",
    (Accounting("convolutions alone", _convolution_macs),),
)

FIGURES: tuple[Figure, ...] = (
    *entries(
        "howard-2017",
        "tables 4 and 6",
        (
            Line("mobilenet-standard", "29.3", "4866"),
            Line("mobilenet", "4.2", "569"),
            Line("mobilenet-0.75", "2.6", "325"),
            Line("mobilenet-0.5", "1.3", "149"),
            Line("mobilenet-0.25", "0.5", "41"),
        ),
        {("mobilenet-standard", "macs"): _CONVOLUTIONS},
    ),
    *(
        Figure(
            f"howard-2017-mobilenet-{extent}-macs",
            "mobilenet",
            f"MACs at {extent}x{extent}",
            f"{printed} million mult-adds",
            million(printed),
            _macs_at(extent),
            "howard-2017",
            place="table 7",
        )
        for extent, printed in RESOLUTIONS
    ),
)
