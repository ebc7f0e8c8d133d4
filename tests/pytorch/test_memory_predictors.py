"""Two predictors: the kernels of a graph, and the rehearsal of the module built from it.

Neither knows of the other: they agree to the byte, in every quantity.
"""

import pytest

import cnnstat
from cnnstat import api
from cnnstat.memory.memory import settings
from cnnstat.memory.passes import Settings

MODELS = ("lenet5", "handson-cnn", "residual-preact", "nin-cifar", "resnet20-cifar")
CONDITIONS = {
    "inference": settings(),
    "adam": settings(mode="training", optimizer="adam"),
    "bfloat16": settings(mode="training", amp="bfloat16"),
}


@pytest.mark.parametrize("chosen", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("model", MODELS)
def test_kernels_and_rehearsal_agree(model: str, chosen: Settings) -> None:
    kernels = api.memory(model, chosen, batch=2)
    inputs = {name: spec.shape[1:] for name, spec in kernels.report.inputs.items()}
    rehearsal = api.memory(cnnstat.build(model), chosen, input=inputs, batch=2)
    assert (kernels.status, rehearsal.status) == ("complete", "complete")
    assert kernels.predicted == rehearsal.predicted
    assert kernels.peak.parts == rehearsal.peak.parts
    assert kernels.total_bytes == rehearsal.total_bytes
