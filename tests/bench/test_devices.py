"""Devices as data: figures with a source each, a user's own file, messages for bad ones."""

from pathlib import Path

import pytest

from cnnstat.bench.devices import (
    bandwidth,
    chosen_peak,
    find_device,
    own_devices,
    rate,
    read_devices,
)
from cnnstat.bench.roofline import Peak
from cnnstat.cli.roofline import DEVICES
from cnnstat.errors import UsageError


@pytest.mark.parametrize("name", own_devices())
def test_every_device_names_its_source(name: str) -> None:
    device = own_devices()[name]
    assert device.source
    assert device.url.startswith("https://")
    assert device.memory_bytes
    assert "float32" in device.peaks
    assert device.peaks.get("int8", 1e99) >= device.peaks.get("float16", 0) >= 0


def test_a_dozen_devices_of_three_kinds() -> None:
    assert len(own_devices()) >= 12
    assert {"raspberry-pi-5", "apple-m2", "h100-sxm"} <= set(own_devices())


def test_the_help_names_every_device() -> None:
    assert list(DEVICES) == list(own_devices())


def test_a_derived_figure_is_its_product() -> None:
    board = find_device("raspberry-pi-5")
    assert board.peak("float32") == pytest.approx(4 * 2.4e9 * 2 * 4 * 2)  # cores, Hz, pipes, lanes
    assert board.bytes_per_s == pytest.approx(4 * 4.267e9, rel=1e-3)  # 32 bits
    assert find_device("jetson-orin-nano-super").peak("int8") == 67e12 / 2  # dense of sparse


UNITS = [
    # multiply-adds a clock of the plain units or of the tensor cores, and the clock in hertz
    ("jetson-orin-nano-super", "float32", 1_024, 1.02e9),
    ("jetson-agx-orin-64gb", "float32", 2_048, 1.3e9),
    ("jetson-agx-orin-64gb", "int8", 64 * 512, 1.3e9),
    ("rtx-3090", "float32", 10_496, 1.695e9),
    ("rtx-3090", "float16", 328 * 64, 1.695e9),
    ("rtx-3090", "int8", 328 * 256, 1.695e9),
    ("rtx-4090", "float32", 16_384, 2.52e9),
    ("rtx-4090", "float16", 512 * 64, 2.52e9),
    ("rtx-4090", "int8", 512 * 256, 2.52e9),
    ("t4", "float32", 2_560, 1.59e9),
    ("t4", "float16", 320 * 64, 1.59e9),
    ("t4", "int8", 320 * 128, 1.59e9),
    ("l4", "float32", 58 * 128, 2.04e9),
    ("l4", "float16", 58 * 4 * 128, 2.04e9),
    ("a100-sxm-40gb", "float32", 6_912, 1.41e9),
    ("a100-sxm-80gb", "float16", 432 * 256, 1.41e9),
    ("h100-sxm", "float32", 16_896, 1.98e9),
    ("h100-sxm", "float16", 528 * 512, 1.83e9),
    ("h200-sxm", "int8", 528 * 1_024, 1.83e9),
]


@pytest.mark.parametrize(("name", "dtype", "units", "clock_hz"), UNITS)
def test_a_peak_is_its_units_times_its_clock(
    name: str, dtype: str, units: int, clock_hz: float
) -> None:
    assert find_device(name).peak(dtype) == pytest.approx(2 * units * clock_hz, rel=0.01)


@pytest.mark.parametrize(
    ("name", "bits", "per_s"),
    [
        ("raspberry-pi-5", 32, 4.267e9),
        ("jetson-orin-nano-super", 128, 6.4e9),
        ("jetson-agx-orin-64gb", 256, 6.4e9),
        ("rtx-3090", 384, 19.5e9),
        ("rtx-4090", 384, 21e9),
        ("t4", 256, 10e9),
        ("l4", 192, 12.5e9),
    ],
)
def test_a_bandwidth_is_its_bits_times_its_rate(name: str, bits: int, per_s: float) -> None:
    assert find_device(name).bytes_per_s == pytest.approx(bits / 8 * per_s, rel=0.01)


@pytest.mark.parametrize(
    ("text", "value"),
    [("4TFLOPS", 4e12), ("26 TOPS", 26e12), ("1.5GFLOP/s", 1.5e9), ("2POPS", 2e15)],
)
def test_rates(text: str, value: float) -> None:
    assert rate(text) == value


def test_bandwidths() -> None:
    assert (bandwidth("50GB/s"), bandwidth("1GiB/s")) == (50e9, 2**30)


@pytest.mark.parametrize("text", ["4", "4T", "", "TFLOPS", "-4TFLOPS", "4GB/s", "4EFLOPS", "nan"])
def test_a_peak_without_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(UsageError, match="expected a number and a unit"):
        rate(text)


@pytest.mark.parametrize("text", ["50", "50GB", "50TFLOPS", "GB/s"])
def test_a_bandwidth_without_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(UsageError, match="expected a number and a unit, as in 50GB/s"):
        bandwidth(text)


def test_a_rate_of_nothing() -> None:
    with pytest.raises(UsageError, match="must be more than 0"):
        rate("0TFLOPS")


def test_an_unknown_device_gets_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="unknown device 'h100': did you mean h100-sxm"):
        find_device("h100")


def test_a_peak_that_a_device_does_not_have() -> None:
    with pytest.raises(UsageError, match="t4: no peak for bfloat16; choose --dtype float32"):
        find_device("t4").peak("bfloat16")


def test_options_replace_the_figures_of_a_device() -> None:
    device = find_device("H100_SXM")
    assert chosen_peak("float32", device, None, None) == Peak(66.9e12, 3350e9)
    assert chosen_peak("float32", device, "494.7TFLOPS", None) == Peak(494.7e12, 3350e9)
    assert chosen_peak("float32", device, None, "1TB/s") == Peak(66.9e12, 1e12)
    with pytest.raises(UsageError, match="a bound needs --device NAME"):
        chosen_peak("float32", None, "4TFLOPS", None)


BOARD = """
[my-board]
title = "A board"
memory = "2GiB"
bandwidth = "12.8GB/s"
source = "its data sheet"
peak = { float32 = "10GFLOPS", int8 = "2TOPS" }
"""


def test_a_file_adds_devices(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(BOARD)
    board = find_device("my_board", str(path))
    assert (board.title, board.memory_bytes) == ("A board", 2 * 2**30)
    assert (board.peaks, board.bytes_per_s) == ({"float32": 10e9, "int8": 2e12}, 12.8e9)
    assert find_device("t4", str(path)) == find_device("t4")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[my-board]", "[my-board", "not a TOML file"),
        ('source = "its data sheet"', "", "my-board: no 'source'; a device needs bandwidth"),
        ("memory =", "memroy =", "my-board: unknown key 'memroy': did you mean memory"),
        ('"12.8GB/s"', "12.8", "my-board: bandwidth is 12.8: expected text in quotes"),
        ('"12.8GB/s"', '"12.8GB"', "my-board: bandwidth '12.8GB': expected a number and a unit"),
        ('"10GFLOPS"', "10", "my-board: peak: float32 is 10: expected text in quotes"),
        ('"10GFLOPS"', '"10"', "my-board: peak: float32 '10': expected a number and a unit"),
        ("float32 =", "float33 =", "unknown dtype 'float33': did you mean float32"),
        ('{ float32 = "10GFLOPS", int8 = "2TOPS" }', '"10GFLOPS"', "my-board: peak: expected"),
        ("[my-board]", "x = 1\n[my-board]", "x: expected a table"),
    ],
)
def test_a_malformed_file(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = tmp_path / "boards.toml"
    assert before in BOARD
    path.write_text(BOARD.replace(before, after))
    with pytest.raises(UsageError) as error:
        read_devices(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_devices(str(tmp_path / "none.toml"))
