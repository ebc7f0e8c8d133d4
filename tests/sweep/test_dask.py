"""A real scheduler and two worker processes on loopback; one of them is killed on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commandline import Cnnstat

pytest.importorskip("distributed")

SPACE = ("densenet-bc{d}-{k}-cifar", "d=range(10,71,6)", "k=range(4,25)", "input=32,40")
NET = "input: [3, 8, 8]\nparameters: {w: 4}\nlayers:\n  - {Conv2d: {out_channels: $w, kernel: 3}}\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(*args: str, folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / f"{args[0]}.log").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *args], cwd=folder, stdout=log, stderr=log
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers without nannies; yield the address and the workers."""
    address = f"tcp://127.0.0.1:{free_port()}"
    options = ("--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard")
    processes = [started("scheduler", *options, folder=tmp_path)]
    worker = ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    processes += [started(*worker, folder=tmp_path) for _ in range(2)]
    try:
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def sweep(*args: str, folder: Path | None = None) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "cnnstat", "sweep", *args)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)


def test_a_killed_worker_changes_nothing(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path, cnnstat: Cnnstat
) -> None:
    address, workers = cluster
    path, whole = tmp_path / "a.json", tmp_path / "b.json"
    run = sweep(*SPACE, "--dask", address, "-o", str(path))
    for _ in range(1200):
        if path.exists() and path.read_bytes().count(b"\n") > 60:
            break
        time.sleep(0.05)
    assert run.poll() is None, "the run ended before a worker could be killed"
    os.kill(workers[0].pid, signal.SIGKILL)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert "462 models evaluated, 462 kept" in err  # 11 * 21 * 2
    cnnstat("sweep", *SPACE, "-j", "1", "-o", str(whole))
    assert path.read_bytes() == whole.read_bytes()


def test_files_of_the_user(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, _ = cluster
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    run = sweep(str(path), "w=range(1,3000)", "--dask", address, "-o", str(tmp_path / "a.csv"))
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert "2,999 kept" in err


MODULE = """
from torch import nn

def make(width):
    if width == 3:
        raise ValueError("three")
    return nn.Conv2d(3, width, 3)
"""


@pytest.mark.parametrize("seen", [True, False])
def test_files_in_the_folder_of_the_user(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path, seen: bool
) -> None:
    """Workers run in another folder; /proc/self/cwd is another file to each process."""
    if not seen and not Path("/proc/self/cwd").exists():
        pytest.skip("needs a path that other processes do not see")
    address, _ = cluster
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "net.yaml").write_text(NET)
    (mine / "net.py").write_text(MODULE)
    prefix = "" if seen else "/proc/self/cwd/"
    for name, values in (("net.yaml", "w=1,2,0"), ("net.py:make", "width=1,2,3")):
        command = (prefix + name, values, "input=3x8x8")
        written = []
        for engine in (("--dask", address), ("-j", "1")):
            run = sweep(*command, *engine, "-o", "out.csv", folder=mine)
            _, err = run.communicate(timeout=120)
            assert run.returncode == 0, err
            assert "2 kept, 1 failed" in err
            written.append((mine / "out.csv").read_bytes())
        assert written[0] == written[1]


def test_a_package_that_workers_lack(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, _ = cluster
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "blocknet.py").write_text(MODULE)
    run = sweep("blocknet:make", "width=1,2", "--dask", address, folder=mine)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "blocknet: the worker tcp://127.0.0.1:" in err
    assert "upload it with Dask" in err


def test_an_interrupt_reaches_no_worker(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all processes of a command."""
    path = tmp_path / "a.csv"
    command = (sys.executable, "-m", "cnnstat", "sweep", *SPACE, "batch=range(1,9)")
    run = subprocess.Popen(
        [*command, "--dask", "local", "-j", "2", "-o", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(1200):
        if path.exists() and path.read_bytes().count(b"\n") > 20:
            break
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    rows = path.read_bytes().count(b"\n") - 1
    assert f"{path} holds {rows:,} rows" in err


def test_no_scheduler_is_said_within_ten_seconds() -> None:
    begun = time.monotonic()
    address = f"tcp://127.0.0.1:{free_port()}"
    run = sweep(*SPACE, "--dask", address)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 2
    (line,) = [line for line in err.splitlines() if line.startswith("cnnstat: error: ")]
    assert f"no Dask scheduler answers at {address} within 10 s" in line
    assert "dask scheduler" in line
    assert "Traceback" not in err
    assert time.monotonic() - begun < 40  # the connection itself takes 10
