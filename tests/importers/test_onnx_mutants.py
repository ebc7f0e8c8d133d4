"""A few hundred mutants of ONNX files, by a fixed seed; tests/compat/fuzz_onnx.py makes more."""

from __future__ import annotations

from tests.compat.fuzz_onnx import run, seeds

SEED, COUNT, FILES = 7, 300, 40


def test_mutants_are_read_or_refused_in_one_line() -> None:
    counts, failures = run(COUNT, SEED, seeds(FILES))
    assert not failures
    assert counts["read"] + counts["refused"] == COUNT
    assert counts["read"] > COUNT / 10
