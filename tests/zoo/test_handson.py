"""The Keras CNN of Hands-On ML, row by row, by hand."""

import pytest

from cnnstat.api import analyze

# Layer: output (c, h, w) or (features,), parameters, MACs.
ROWS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "conv2d": ((64, 28, 28), (7 * 7 * 1 + 1) * 64, 28 * 28 * 7 * 7 * 1 * 64),
    "max_pooling2d": ((64, 14, 14), 0, 0),
    "conv2d_1": ((128, 14, 14), (3 * 3 * 64 + 1) * 128, 14 * 14 * 3 * 3 * 64 * 128),
    "conv2d_2": ((128, 14, 14), (3 * 3 * 128 + 1) * 128, 14 * 14 * 3 * 3 * 128 * 128),
    "max_pooling2d_1": ((128, 7, 7), 0, 0),
    "conv2d_3": ((256, 7, 7), (3 * 3 * 128 + 1) * 256, 7 * 7 * 3 * 3 * 128 * 256),
    "conv2d_4": ((256, 7, 7), (3 * 3 * 256 + 1) * 256, 7 * 7 * 3 * 3 * 256 * 256),
    "max_pooling2d_2": ((256, 3, 3), 0, 0),
    "flatten": ((2304,), 0, 0),
    "dense": ((128,), (3 * 3 * 256 + 1) * 128, 2304 * 128),
    "dropout": ((128,), 0, 0),
    "dense_1": ((64,), (128 + 1) * 64, 128 * 64),
    "dropout_1": ((64,), 0, 0),
    "dense_2": ((10,), (64 + 1) * 10, 64 * 10),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_keras_layer(name: str) -> None:
    report = analyze("handson-cnn")
    operators = {row.name: row for row in report.view(expand=True)}
    shape, params, macs = ROWS[name]
    row = operators[name]
    assert row.output.shape == (1, *shape)
    assert (row.params, row.macs) == (params, macs)


def test_totals_are_the_sum_of_the_rows() -> None:
    totals = analyze("handson-cnn").totals
    assert totals.params == sum(params for _, params, _ in ROWS.values()) == 1_413_834
    assert totals.macs == sum(macs for *_, macs in ROWS.values())
    assert totals.depth == 5 + 3


def test_grey_input_and_other_class_counts() -> None:
    report = analyze("handson-cnn", classes=3)
    assert report.input.shape == (1, 1, 28, 28)
    assert report.totals.params == 1_413_834 - 65 * 10 + 65 * 3
