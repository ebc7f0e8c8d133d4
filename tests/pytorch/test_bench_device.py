"""Devices, dtypes and PyTorch's switches, on a machine with or without a GPU."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from cnnstat.bench.benchplan import Settings
from cnnstat.errors import UsageError
from cnnstat.pytorch.device import (
    NVIDIA_SMI,
    devices,
    dtype_on,
    environment,
    out_of_memory,
    parse_nvidia_smi,
    peak_memory_bytes,
    resolve,
    rounding,
    switched,
)

CPU = torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_comes_before_the_processor() -> None:
    assert devices()[0] == "cuda:0"
    assert devices()[-1] == "cpu"
    assert resolve("auto") == torch.device("cuda:0")
    assert resolve("cuda") == torch.device("cuda:0")
    assert resolve("CUDA:1") == torch.device("cuda:1")
    assert resolve("cpu") == CPU


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_beyond_the_last_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"^device cuda:2: not on this machine; available: cuda:0, cuda:1, cpu$"
    ):
        resolve("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_processor_and_cuda_is_refused() -> None:
    assert resolve("auto") == CPU
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(
            UsageError, match=f"^device {name}: not on this machine; available: cpu$"
        ):
            resolve(name)


@pytest.mark.parametrize("name", ["", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "mps:0"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown device"):
        resolve(name)


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_a_dtype_that_the_processor_computes_in(name: str) -> None:
    assert dtype_on(name, CPU, training=True) == getattr(torch, name)


def test_a_dtype_that_it_does_not() -> None:
    with pytest.raises(UsageError, match="dtype float8_e5m2: cpu cannot compute in it"):
        dtype_on("float8_e5m2", CPU, training=False)


def _switches() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
    )


def test_switches_are_set_inside_and_put_back_after_an_error() -> None:
    before = _switches()
    threads, matmul, _, benchmark = before
    more = int(str(threads)) + 1
    others = switched(threads=more, tf32=not matmul, benchmark=not benchmark)

    def fail() -> None:
        assert _switches() == (more, not matmul, not matmul, not benchmark)
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), others:
        fail()
    assert _switches() == before


def test_a_precision_that_contradicts_the_older_flag_is_read_and_put_back() -> None:
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    if not hasattr(cudnn, "conv"):
        pytest.skip("this PyTorch has the older flag alone")
    before = cudnn.conv.fp32_precision, matmul.fp32_precision
    try:
        cudnn.conv.fp32_precision, matmul.fp32_precision = "ieee", "tf32"
        assert rounding() == (True, False)
        with switched(tf32=True):
            assert rounding() == (True, True)
        assert (cudnn.conv.fp32_precision, matmul.fp32_precision) == ("ieee", "tf32")
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = False, True  # PyTorch's defaults
        cudnn.conv.fp32_precision, matmul.fp32_precision = before


def test_switches_that_are_not_given_stay() -> None:
    before = _switches()
    with switched():
        assert _switches() == before


def _raised_while(handling: Exception) -> Exception:
    """Return what ending a capture raises while another error is handled."""
    error = RuntimeError("operation failed due to a previous error during capture")
    error.__context__ = handling
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 B"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("Input type and bias type should be the same"), False),
        (ValueError("out of memory"), False),
        (_raised_while(torch.OutOfMemoryError("CUDA out of memory")), True),
        (_raised_while(KeyError("x")), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_an_allocation_that_no_processor_can_have_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(caught.value)


def test_there_is_no_peak_of_the_processors_memory() -> None:
    assert peak_memory_bytes(CPU) is None


def test_the_environment_says_what_was_measured_under() -> None:
    described = environment(CPU, Settings(channels_last=True, compiled=True))
    assert described["device_type"] == "cpu"
    assert described["device_name"]
    assert described["threads"] == torch.get_num_threads()
    assert described["torch"] == torch.__version__
    assert described["memory_format"] == "channels_last"
    assert described["compile"] == "inductor, default mode"
    assert described["cudnn_benchmark"] is None
    assert "driver" not in described


def test_one_line_of_nvidia_smi() -> None:
    gpu = parse_nvidia_smi("550.54, 98.5, 700.00, 1980, 1980, 2619, 34, Enabled\n")
    assert gpu == {
        "driver": "550.54",
        "power_draw_w": 98.5,
        "power_limit_w": 700.0,
        "sm_clock_mhz": 1980.0,
        "max_sm_clock_mhz": 1980.0,
        "memory_clock_mhz": 2619.0,
        "temperature_c": 34.0,
        "persistence_mode": "Enabled",
    }


@pytest.mark.parametrize(
    "line", ["", "No devices were found", ", ".join(["[N/A]"] * len(NVIDIA_SMI))]
)
def test_what_nvidia_smi_does_not_know_is_none(line: str) -> None:
    assert parse_nvidia_smi(line) == dict.fromkeys(NVIDIA_SMI)


class _Properties:
    total_memory = 80 * 2**30
    uuid = "1234-abcd"


@contextmanager
def _fake_gpu(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Iterator[list[list[str]]]:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        return answer()

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: _Properties())
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(subprocess, "run", run)
    yield commands


def test_the_environment_of_a_gpu_has_driver_power_and_clocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = "550.54, 98.5, 700.00, 1980, 1980, 2619, 34, Enabled\n"
    done = subprocess.CompletedProcess([], 0, line, "")
    with _fake_gpu(monkeypatch, lambda: done) as commands:
        described = environment(torch.device("cuda:0"), Settings())
    assert commands[0][-1] == "--id=GPU-1234-abcd"
    assert (described["device_name"], described["compute_capability"]) == ("a GPU", "9.0")
    assert described["device_memory_bytes"] == 80 * 2**30
    assert (described["driver"], described["sm_clock_mhz"]) == ("550.54", 1980.0)
    assert described["cudnn_benchmark"] is torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    "error", [FileNotFoundError("nvidia-smi"), subprocess.CalledProcessError(9, "nvidia-smi")]
)
def test_a_gpu_without_nvidia_smi_leaves_them_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> None:
        raise error

    with _fake_gpu(monkeypatch, fail):
        described = environment(torch.device("cuda:0"), Settings())
    assert described["driver"] is None
    assert described["power_draw_w"] is None
