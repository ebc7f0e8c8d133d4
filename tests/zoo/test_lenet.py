"""LeNet-5 against LeCun et al. 1998: section II.B gives every layer's trainable parameters."""

import pytest

from cnnstat.api import analyze
from cnnstat.zoo.lenet import CONNECTIONS

# Trainable parameters as section II.B of the paper prints them.
PARAMS_1998 = {
    "C1": (5 * 5 * 1 + 1) * 6,
    "S2": (1 + 1) * 6,
    "C3": (5 * 5 * 3 + 1) * 6 + (5 * 5 * 4 + 1) * 9 + (5 * 5 * 6 + 1) * 1,
    "S4": (1 + 1) * 16,
    "C5": (5 * 5 * 16 + 1) * 120,
    "F6": (120 + 1) * 84,
    "output": 0,
}
SHAPES = {
    "C1": (1, 6, 28, 28),
    "S2": (1, 6, 14, 14),
    "C3": (1, 16, 10, 10),
    "S4": (1, 16, 5, 5),
    "C5": (1, 120, 1, 1),
    "F6": (1, 84),
    "output": (1, 10),
}

# Table I as printed: one row per map of S2, one column per map of C3.
TABLE_I = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


def test_every_layer_of_1998_holds_the_printed_parameters() -> None:
    report = analyze("lenet5")
    assert {row.name: row.params for row in report.layers[1:]} == PARAMS_1998
    assert list(PARAMS_1998.values()) == [156, 12, 1516, 32, 48_120, 10_164, 0]
    assert report.totals.trainable_params == 60_000


def test_every_layer_of_1998_has_the_printed_shape() -> None:
    report = analyze("lenet5")
    assert {row.name: row.output.shape for row in report.layers[1:]} == SHAPES


def test_c3_reads_the_maps_of_table_i() -> None:
    columns = [
        tuple(row for row, line in enumerate(TABLE_I) if line[column] == "X")
        for column in range(16)
    ]
    assert tuple(columns) == CONNECTIONS


def test_the_output_compares_with_fixed_codes_of_7x12() -> None:
    output = analyze("lenet5").layers[-1]
    assert (output.type, output.buffers, output.params) == ("RBF", 10 * 7 * 12, 0)


def test_macs_of_1998_follow_the_connections() -> None:
    connections = 6 * 3 + 9 * 4 + 1 * 6
    macs = {row.name: row.macs for row in analyze("lenet5").layers if row.macs}
    assert macs == {
        "C1": 28 * 28 * 6 * 5 * 5,
        "C3": 10 * 10 * connections * 5 * 5,
        "C5": 120 * 16 * 5 * 5,
        "F6": 84 * 120,
    }


def test_every_weighted_layer_up_to_f6_squashes() -> None:
    rows = analyze("lenet5").layers[1:-1]
    assert all("ScaledTanh" in row.detail for row in rows)


def test_modern_form_connects_c3_fully() -> None:
    report = analyze("lenet5-modern")
    params = {row.name: row.params for row in report.layers if row.params}
    assert params == {
        "C1": (5 * 5 * 1 + 1) * 6,
        "C3": (5 * 5 * 6 + 1) * 16,
        "C5": (5 * 5 * 16 + 1) * 120,
        "F6": (120 + 1) * 84,
        "output": (84 + 1) * 10,
    }
    assert report.totals.params == 61_706


@pytest.mark.parametrize(("name", "depth"), [("lenet5", 6), ("lenet5-modern", 2 + 3)])
def test_depth(name: str, depth: int) -> None:
    assert analyze(name).totals.depth == depth


def test_receptive_field_grows_to_the_whole_input() -> None:
    report = analyze("lenet5")
    sizes = {row.name: row.receptive_field.size[0] for row in report.layers if row.receptive_field}
    assert [sizes[name] for name in ("C1", "S2", "C3", "S4", "C5")] == [5, 6, 14, 16, 32]


@pytest.mark.parametrize("name", ["lenet5", "lenet5-modern"])
def test_classes_change_the_output_alone(name: str) -> None:
    ten, more = analyze(name).layers, analyze(name, classes=26).layers
    assert more[-1].output.shape == (1, 26)
    assert [row.params for row in more[:-1]] == [row.params for row in ten[:-1]]
