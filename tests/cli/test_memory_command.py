"""``cnnstat memory`` and ``cnnstat fit``: the figures of the plan, in words and in every format."""

import json

import pytest

from cnnstat import api
from cnnstat.memory.fit import memory
from cnnstat.memory.memory import settings
from cnnstat.render.formats import FORMATS
from tests.cli.commandline import Cnnstat


def test_why_the_memory_is_not_enough(cnnstat: Cnnstat) -> None:
    code, out, err = cnnstat(
        "memory", "vgg16", "--batch", "32", "--mode", "training", "--optimizer", "adam"
    )
    assert (code, err) == (0, "")
    chosen = settings(mode="training", optimizer="adam")
    plan = api.memory("vgg16", chosen, batch=32)
    assert f"{plan.total_bytes:,} bytes" in out
    assert f"{plan.saved_bytes:,} bytes that autograd saves" in out
    (limit,) = api.fit("vgg16", [memory("24GiB")], chosen, search_input=False)
    assert limit.at_batch is not None
    assert f"24 GiB (25,769,803,776 bytes) fits a batch of at most {limit.at_batch.batch:,}:" in out
    for word in ("Definitions", "Backward:", "Saved:", "gradients of activations"):
        assert word in out


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(cnnstat: Cnnstat, format: str) -> None:
    for command in (
        ["memory", "lenet5", "--mode", "training"],
        ["fit", "lenet5", "--memory", "1GB"],
    ):
        code, out, err = cnnstat(*command, "--format", format)
        assert (code, err) == (0, "")
        assert "lenet5" in out or "saved_bytes" in out


def test_the_contract(cnnstat: Cnnstat) -> None:
    _, out, _ = cnnstat(
        "memory", "resnet20-cifar", "--mode", "training", "--fit", "1G", "--format", "json"
    )
    payload = json.loads(out)
    plan = api.memory("resnet20-cifar", settings(mode="training"))
    assert payload["schema"] == "cnnstat.memory/1"
    assert (payload["mode"], payload["batch"], payload["measured"]) == ("training", 1, None)
    totals = payload["totals"]
    for key in ("param_bytes", "buffer_bytes", "gradient_bytes", "optimizer_bytes", "saved_bytes"):
        assert totals[key] == getattr(plan, key)
    assert totals["peak_live_bytes"] == plan.forward_peak.bytes
    assert totals["total_bytes"] == plan.total_bytes
    assert sum(row["saved_bytes"] for row in payload["layers"]) == totals["saved_bytes"]
    assert max(row["live_bytes"] for row in payload["layers"]) == totals["peak_live_bytes"]
    (fit,) = payload["fits"]
    assert (fit["memory"], fit["memory_bytes"]) == ("1 GiB", 1024**3)
    assert fit["batch_totals"]["total_bytes"] <= 1024**3


def test_measured_beside_predicted(cnnstat: Cnnstat) -> None:
    code, out, _ = cnnstat("memory", "lenet5", "--mode", "training", "--measure")
    assert code == 0
    lines = [line for line in out.splitlines() if "measured," in line]
    assert len(lines) == 8
    assert all(line.endswith("equal") for line in lines)
    assert "alone it peaks" not in out


def test_a_peak_that_only_the_watched_run_has_is_explained(cnnstat: Cnnstat) -> None:
    code, out, _ = cnnstat("memory", "resnet20-cifar", "--mode", "training", "--measure")
    assert code == 0
    watched = next(line for line in out.splitlines() if "otherwise the peaks are in" in line)
    plan = api.memory("resnet20-cifar", settings(mode="training"))
    assert plan.backward_peak is not None
    assert f"the backward pass at {plan.backward_peak.bytes:,} bytes, as above" in watched


def test_a_partial_model_is_a_lower_bound(cnnstat: Cnnstat) -> None:
    code, out, _ = cnnstat("memory", "tests/cli/strange.py:Strange", "--input", "3x8x8")
    assert code == 0
    assert ">= " in out
    assert "the memory of the following is unknown" in out


MISTAKES = [
    (["memory", "vgg16", "--fit", "24X"], "memory '24X': expected a number and a unit"),
    (["memory", "vgg16", "--fit", "0GB"], "memory '0GB': must be more than nothing"),
    (["memory", "vgg16", "--mode", "train"], "unknown mode 'train'"),
    (["memory", "vgg16", "--optimizer", "adam"], "add --mode training"),
    (["memory", "vgg16", "--amp", "int8"], "unknown dtype of --amp 'int8'"),
    (["memory", "vgg16", "--checkpoint"], "add --mode training"),
    (["memory", "vgg16", "--device", "tpu"], "unknown device 'tpu'"),
    (["memory", "vgg16", "--batch", "0"], "batch must be at least 1"),
    (["memory", "vgg17"], "unknown model 'vgg17'"),
    (["fit", "vgg16", "--memory", ","], "name at least one"),
    (["fit"], "Missing argument"),
]


@pytest.mark.parametrize(("args", "message"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_one_line(cnnstat: Cnnstat, args: list[str], message: str) -> None:
    code, out, err = cnnstat(*args)
    assert (code, out) == (2, "")
    assert err.startswith("cnnstat: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_memory_that_cannot_hold_the_parameters_says_by_how_much(cnnstat: Cnnstat) -> None:
    _, out, _ = cnnstat("memory", "vgg16", "--fit", "300MB")
    # 138,357,544 parameters of 4 bytes are 553.43 MB.
    assert "300 MB (300,000,000 bytes) is too small for parameters" in out
    assert "253.43 MB are missing" in out
