"""Shape and dtype of a tensor, as the rest of cnnstat knows them."""

from __future__ import annotations

import torch

from cnnstat.ir.tensor import TensorSpec


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return shape and dtype of a tensor."""
    return TensorSpec(tuple(int(n) for n in tensor.shape), str(tensor.dtype).removeprefix("torch."))
