"""Every model of the zoo, operator by operator, against PyTorch's counter and fvcore."""

import pytest

from cnnstat.api import check
from cnnstat.zoo.catalog import names


@pytest.mark.parametrize("name", names())
def test_shapes_weights_and_counts_agree(name: str) -> None:
    assert check(name).differences == ()
