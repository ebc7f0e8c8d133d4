"""Network in Network against the products of the authors' widths."""

from cnnstat.api import analyze

CONVOLUTIONS = {  # name: kernel, in, out, extent
    "conv1": (5, 3, 192, 32),
    "cccp1": (1, 192, 160, 32),
    "cccp2": (1, 160, 96, 32),
    "conv2": (5, 96, 192, 16),
    "cccp3": (1, 192, 192, 16),
    "cccp4": (1, 192, 192, 16),
    "conv3": (3, 192, 192, 8),
    "cccp5": (1, 192, 192, 8),
    "cccp6": (1, 192, 10, 8),
}


def test_convolutions_by_hand() -> None:
    report = analyze("nin-cifar")
    rows = {row.name: row for row in report.layers}
    for name, (k, c, out, extent) in CONVOLUTIONS.items():
        assert rows[name].params == (k * k * c + 1) * out
        assert rows[name].macs == extent * extent * k * k * c * out
        assert rows[name].output.shape == (1, out, extent, extent)
    totals = report.totals
    assert totals.params == sum((k * k * c + 1) * out for k, c, out, _ in CONVOLUTIONS.values())
    assert totals.params == 966_986
    assert totals.depth == 9


def test_poolings_round_up_and_the_last_one_averages_a_map_per_class() -> None:
    rows = {row.name: row for row in analyze("nin-cifar", classes=100).layers}
    assert rows["pool1"].output.shape == (1, 96, 16, 16)
    assert rows["pool2"].output.shape == (1, 192, 8, 8)
    assert rows["pool3"].output.shape[:2] == (1, 100)
    assert rows["cccp6"].params == (192 + 1) * 100
