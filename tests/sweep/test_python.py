"""``cnnstat.sweep`` in Python, with any executor."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import cnnstat
from cnnstat.errors import UsageError
from cnnstat.sweep import engine, run
from cnnstat.sweep.space import Space

VALUES: dict[str, Any] = {"depth": range(10, 35, 6), "width": [1, 2, 3], "input": [32, "3x40x40"]}


def rows(executor: Executor | None = None, **options: Any) -> list[dict[str, Any]]:
    result = cnnstat.sweep("wrn-{depth}-{width}", VALUES, executor=executor, **options)
    return [dict(row) for row in result.rows]


class Lazy(Future[Any]):
    """A result that makes its executor run everything that waits."""

    def __init__(self, executor: "Backwards") -> None:
        super().__init__()
        self.executor = executor

    def result(self, timeout: float | None = None) -> Any:
        self.executor.flush()
        return super().result(timeout=0)


class Backwards(Executor):
    """Runs what was submitted when a result is read, the last first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Lazy(self)
        self.waiting.append((future, fn, args))
        self.most = max(self.most, len(self.waiting))
        return future

    def flush(self) -> None:
        while self.waiting:
            future, fn, args = self.waiting.pop()
            future.set_result(fn(*args))


def test_the_function_and_the_package_have_one_name() -> None:
    assert callable(cnnstat.sweep)
    assert Space("m.py:f", ()).size == 1
    result = cnnstat.sweep("resnet{d}-cifar", {"d": "range(8,33)"}, where="params < 200k")
    assert [row["model"] for row in result.rows] == ["resnet8-cifar", "resnet14-cifar"]
    assert (result.counts.evaluated, result.counts.skipped) == (5, 20)
    assert repr(result) == "<sweep of resnet{d}-cifar: 5 models, 2 kept, 0 failed, 20 invalid>"


def test_the_engine_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCAL_SECONDS", 0)
    expected = rows()
    assert len(expected) == 5 * 3 * 2
    with ThreadPoolExecutor(1) as threads:
        assert rows(threads) == expected
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert rows(processes) == expected
        assert rows(processes, sample=7, seed=3) == rows(sample=7, seed=3)


def test_rows_come_in_order_whatever_finishes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCAL_SECONDS", 0)
    monkeypatch.setattr(engine, "FIRST_POINTS", 1)
    monkeypatch.setattr(engine, "MAX_POINTS", 10)
    executor = Backwards()
    assert rows(executor, in_flight=3) == rows()
    assert executor.most == 3


def test_threads_share_a_process_but_no_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCAL_SECONDS", 0)
    monkeypatch.setattr(engine, "MAX_POINTS", 2)
    with ThreadPoolExecutor(4) as threads:
        assert rows(threads) == rows()


def die(*_: object) -> None:
    os._exit(9)


def test_an_executor_of_the_callers_that_breaks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCAL_SECONDS", 0)
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=die) as processes,
        pytest.raises(engine.WorkersLostError, match="workers died at point 1 "),
    ):
        rows(processes)


def test_wrong_arguments() -> None:
    with pytest.raises(UsageError, match="not a value of a space"):
        cnnstat.sweep("wrn-{d}-1", {"d": [object()]})
    with pytest.raises(UsageError, match="listed twice"):
        cnnstat.sweep("wrn-{d}-1", {"d": [10, 10]})
    with pytest.raises(UsageError, match="no values"):
        cnnstat.sweep("wrn-{d}-1", {"d": range(0)})
