"""The JSON form of measured runs: read back as written, refused where it is something else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnnstat.bench.measurement import (
    LayerTime,
    Measurement,
    Run,
    payload,
    read_payload,
    read_result,
    with_baseline,
)
from cnnstat.errors import UsageError

LAYER = LayerTime("conv1", "Conv2d", "3x3", 300, 60, 2.0, 1.0, 0.15, 1.0, 0.5, "compute")
RUN = Run(
    model="lenet5",
    device="cpu",
    dtype="float32",
    batch=1,
    mode="inference",
    input_shape=(1, 1, 32, 32),
    channels_last=False,
    compiled=False,
    cuda_graph=False,
    tf32=None,
    threads=2,
    macs=300,
    flops=700,
    traffic_bytes=60,
    macs_per_byte=5.0,
    param_bytes=24,
    predicted_activation_bytes=12,
    samples=10,
    median_ms=4.0,
    layers=(LAYER,),
)
HERE = {"device_type": "cpu", "device_name": "a processor", "threads": 2}
RESULT = Measurement(HERE, (RUN,))


def _again(document: dict[str, object]) -> Any:
    return json.loads(json.dumps(document))


def test_a_result_reads_back_as_it_was_written() -> None:
    assert read_payload(_again(payload(RESULT)), source="old.json") == RESULT
    stopped = replace(RESULT, complete=False)
    assert read_payload(_again(payload(stopped)), source="old.json") == stopped


def test_a_key_of_a_later_version_is_passed_over() -> None:
    read = _again(payload(RESULT))
    read["runs"][0]["colour"] = "red"
    assert read_payload(read, source="old.json") == RESULT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("schema"), "old.json: not a result of 'cnnstat bench --format json'"),
        (lambda f: f.update(schema="cnnstat.summary/1"), "expected 'cnnstat.bench/1'"),
        (lambda f: f.update(runs={}), "'runs' a list"),
        (lambda f: f["environment"].pop("threads"), "environment has no 'threads'"),
        (lambda f: f["runs"].append(3), "run 2: must be an object, got 3"),
        (lambda f: f["runs"][0].pop("batch"), "run 1: no 'batch'"),
        (lambda f: f["runs"][0].update(batch="one"), "run 1: batch is 'one'"),
        (lambda f: f["runs"][0].update(median_ms="fast"), "run 1: median_ms is 'fast'"),
        (lambda f: f["runs"][0].update(compiled=1), "run 1: compiled is 1"),
        (lambda f: f["runs"][0].update(batch=True), "run 1: batch is True"),
        (lambda f: f["runs"][0]["layers"][0].pop("macs"), "run 1, layer: no 'macs'"),
    ],
)
def test_what_is_no_result_is_refused_with_the_place(change: Any, message: str) -> None:
    read = _again(payload(RESULT))
    change(read)
    with pytest.raises(UsageError, match=r"^old\.json: ") as caught:
        read_payload(read, source="old.json")
    assert message in str(caught.value)


def test_something_that_is_no_object_is_refused() -> None:
    with pytest.raises(UsageError, match="no schema"):
        read_payload([1, 2], source="old.json")


def test_the_ratio_is_the_median_over_the_earlier_median() -> None:
    later = replace(RESULT, runs=(replace(RUN, median_ms=6.0), replace(RUN, batch=8)))
    compared = with_baseline(later, RESULT, source="old.json")
    assert [run.ratio_to_baseline for run in compared.runs] == [1.5, None]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("device_name", "another", "device name another, here a processor"),
        ("threads", 64, "threads 64, here 2"),
    ],
)
def test_another_device_is_refused_unless_told(key: str, value: object, message: str) -> None:
    other = replace(RESULT, environment={**HERE, key: value})
    with pytest.raises(UsageError, match=message):
        with_baseline(RESULT, other, source="old.json")
    compared = with_baseline(RESULT, other, source="old.json", other_device=True)
    assert compared.runs[0].ratio_to_baseline == 1.0


def test_threads_do_not_make_another_gpu() -> None:
    ours = replace(RESULT, environment={**HERE, "device_type": "cuda"})
    theirs = replace(RESULT, environment={**HERE, "device_type": "cuda", "threads": 64})
    assert with_baseline(ours, theirs, source="old.json").runs[0].ratio_to_baseline == 1.0


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1e300", "1" + "0" * 400]
)
@pytest.mark.parametrize("key", ["median_ms", "macs", "gmacs_per_s", "samples"])
def test_an_impossible_number_of_a_file_is_refused(number: str, key: str, tmp_path: Path) -> None:
    result = _again(payload(RESULT))
    result["runs"][0][key] = "NUMBER"
    path = tmp_path / "old.json"
    path.write_text(json.dumps(result).replace('"NUMBER"', number))
    with pytest.raises(UsageError, match=r"old\.json"):
        read_result(str(path))


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0},
        {"input_shape": [1, -3, 32, 32]},
        {"input_shape": [[1], 3]},
        {"input_shape": ["x"]},
    ],
)
def test_an_impossible_input_is_refused(change: dict[str, object]) -> None:
    result = _again(payload(RESULT))
    result["runs"][0].update(change)
    with pytest.raises(UsageError, match="expected whole numbers of at least 1"):
        read_payload(result, source="old.json")


@pytest.mark.parametrize(
    "reference",
    [
        3,
        {"copy": 1},
        {"copy": {"block_bytes": 1}},
        {"matmul": [1]},
        {"matmul": {"float32": {"rows": 1}}},
        {"matmul": {"float32": {"rows": 1, "macs_per_s": -1}}},
    ],
)
def test_a_reference_without_its_figures_is_refused(reference: object) -> None:
    result = _again(payload(RESULT))
    result["environment"]["reference"] = reference
    with pytest.raises(UsageError, match=r"old\.json: environment: 'reference' is"):
        read_payload(result, source="old.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema":' * 50_000 + "1" + "}" * 50_000])
def test_deep_nesting_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="nested too deeply"):
        read_result(str(path))
