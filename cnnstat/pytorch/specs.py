"""Shape and dtype of a tensor, as the rest of cnnstat knows them."""

from __future__ import annotations

import torch

from cnnstat.ir.tensor import TensorSpec


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return shape and dtype of a tensor; of a nested one, which has no shape, its elements."""
    shape = (tensor.numel(),) if tensor.is_nested else tuple(int(n) for n in tensor.shape)
    return TensorSpec(shape, str(tensor.dtype).removeprefix("torch."))
