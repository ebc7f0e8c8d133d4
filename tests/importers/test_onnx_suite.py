"""A part of onnx's own node tests, by a fixed seed: no crash, no wrong shape, few refusals.

``tests/compat/onnx_suite.py`` reads all of them and writes samples/onnx_suite.csv.
"""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

from tests.compat.onnx_suite import cases, outcome

TABLE = Path(__file__).parents[2] / "samples" / "onnx_suite.csv"
FILES = 40


def test_a_part_of_the_node_tests(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = [outcome(case, tmp_path) for case in cases(FILES)]
    assert not [each for each in outcomes if each.verdict in ("wrong", "crashed")]
    right = sum(each.verdict == "right" for each in outcomes)
    assert right > 0.8 * len(outcomes) > 40


def test_the_table_holds_no_wrong_shape() -> None:
    with TABLE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sums = {
        key: sum(int(row[key]) for row in rows)
        for key in ("cases", "right", "unknown", "refused", "wrong", "crashed")
    }
    assert sums["cases"] > 1_800
    assert sums["wrong"] == sums["crashed"] == 0
    assert sums["refused"] < 40
    assert all(row["reason"] for row in rows if int(row["refused"]))
