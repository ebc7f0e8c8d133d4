"""Meters of the bytes that are alive: storages that PyTorch's dispatcher sees, CUDA's allocator."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from cnnstat.pytorch.dispatch import FunctionMode
from cnnstat.pytorch.tensors import storages


class Tracker(FunctionMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operators return; ``owned`` ones, and what they share, are not."""

    def __init__(self, owned: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._owned = storages(owned)
        self.live_bytes = 0
        self.peak_bytes = 0

    def follow(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage from now on until it is gone."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._sizes or key in self._owned:
            return
        self._sizes[key] = storage.nbytes()
        self.live_bytes += self._sizes[key]
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.live_bytes -= self._sizes.pop(key, 0)

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak_bytes = self.live_bytes

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator and follow its results."""
        results = func(*args, **kwargs)
        for leaf in tree_leaves(results):
            if isinstance(leaf, torch.Tensor):
                self.follow(leaf)
        return results


class Allocator:
    """CUDA's caching allocator as a meter: the bytes that are allocated beyond ``fixed_bytes``."""

    def __init__(self, fixed_bytes: int) -> None:
        self._fixed_bytes = fixed_bytes

    @property
    def live_bytes(self) -> int:
        """Bytes allocated now."""
        return torch.cuda.memory_allocated() - self._fixed_bytes

    @property
    def peak_bytes(self) -> int:
        """The most allocated at once since the last ``restart``."""
        return torch.cuda.max_memory_allocated() - self._fixed_bytes

    def restart(self) -> None:
        """Forget the peak so far."""
        torch.cuda.reset_peak_memory_stats()
