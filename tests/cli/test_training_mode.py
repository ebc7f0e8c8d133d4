"""``cnnstat summary --mode training``: rows, totals and an epoch, in text and in JSON."""

import json

from tests.cli.commandline import Cnnstat

STEP = ("summary", "lenet5-modern", "--mode", "training", "--batch", "8")


def test_a_step_and_an_epoch_are_said_without_verbose(cnnstat: Cnnstat) -> None:
    status, out, _ = cnnstat(*STEP, "--images", "20")
    assert status == 0
    assert f"training step {8 * 1_131_960:,}: " in out
    assert f"FlopCounterMode {2 * 8 * 1_131_960:,}: " in out
    assert f"epoch {20 * 1_131_960:,}: 22.64 M MACs for 20 images in 3 steps" in out


def test_json_has_the_keys_of_a_step(cnnstat: Cnnstat) -> None:
    result = json.loads(cnnstat(*STEP, "--images", "20", "-f", "json")[1])
    layers, totals = result["layers"], result["totals"]
    for key in ("input_gradient_macs", "weight_gradient_macs", "training_macs"):
        assert totals[key] == sum(layer[key] for layer in layers)
    parts = totals["macs"] + totals["input_gradient_macs"] + totals["weight_gradient_macs"]
    assert totals["training_macs"] == parts
    assert (totals["epoch_images"], totals["epoch_steps"]) == (20, 3)
    assert result["training_status"] == "complete"


def test_other_figures_stay_as_they_are(cnnstat: Cnnstat) -> None:
    plain = json.loads(cnnstat("summary", "googlenet", "-f", "json")[1])
    trained = json.loads(cnnstat("summary", "googlenet", "--mode", "training", "-f", "json")[1])
    assert plain["totals"].items() <= trained["totals"].items()
    for before, after in zip(plain["layers"], trained["layers"], strict=True):
        assert before.items() <= after.items()
