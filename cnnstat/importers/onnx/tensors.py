"""The tensors of a file by name: where each comes from, its shape, its elements where known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onnx import TensorProto

from cnnstat.errors import ModelError
from cnnstat.importers.assembly import Assembly, StoredTensor, role_of
from cnnstat.importers.onnx.call import Operand, Stored
from cnnstat.importers.onnx.loading import DTYPES
from cnnstat.importers.onnx.nodes import elements
from cnnstat.ir.tensor import UNKNOWN, TensorSpec

QUANTIZED = frozenset(
    getattr(TensorProto, name) for name in ("INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2")
    if hasattr(TensorProto, name)
)  # fmt: skip
"""Element types of quantised weights: a stored tensor of two axes or more is one."""


class Tensors:
    """Tensors as they are met, in the order of the nodes; names may come again in a branch."""

    def __init__(self, reference: str, assembly: Assembly) -> None:
        self.reference = reference
        self.assembly = assembly
        self.known: dict[str, Any] = {}  # tensor -> its elements
        self.stored: dict[str, Stored] = {}
        self._count = 0

    def store(self, name: str, tensor: Any, *, constant: bool = False) -> None:
        """Note a tensor that the file holds; raise ``ModelError`` for an impossible extent."""
        extents = tuple(tensor.dims)
        if any(extent < 0 for extent in extents):
            shape = "x".join(map(str, extents))
            raise ModelError(
                f"{self.reference}: the stored tensor {name!r} is {shape}; "
                "every extent must be at least 0"
            )
        self.forget((name,))
        spec = TensorSpec(extents, DTYPES.get(tensor.data_type, "uint8"))
        values = elements(tensor)
        quantized = tensor.data_type in QUANTIZED and len(extents) > 1
        stored = Stored(name, spec, values, constant, quantized)
        self.stored[name] = stored
        if values is not None:
            self.known[name] = values
        if stored.is_weight:
            self.take_as_weight(name)

    def take_as_weight(self, name: str) -> None:
        """Note that a stored tensor is a parameter, whatever its elements are."""
        stored = self.stored.get(name)
        if stored is None or self.assembly.stored(name) is not None:
            return
        path = name.replace(".", "/").strip("/") or "stored"
        role = role_of(path, trained=not stored.constant)
        self._count += 1
        self.assembly.store(name, StoredTensor((name, self._count), path, stored.spec, role))

    def forget(self, names: Iterable[str]) -> None:
        """Forget tensors, since their names are given to others."""
        for name in names:
            self.known.pop(name, None)
            self.stored.pop(name, None)
            self.assembly.forget(name)

    def alias(self, name: str, of: str) -> None:
        """Note that one tensor is another."""
        if of in self.stored:
            self.stored[name] = self.stored[of]
        if of in self.known:
            self.known[name] = self.known[of]
        if self.assembly.is_known(of):
            self.assembly.alias(name, of)

    def adopt(self, name: str, outer: Tensors) -> TensorSpec | None:
        """Take over a tensor of the graph around this one; return its spec where it is computed."""
        tensor = outer.assembly.stored(name)
        if name in outer.stored:
            self.stored[name] = outer.stored[name]
        if name in outer.known:
            self.known[name] = outer.known[name]
        if tensor is not None:
            self.assembly.store(name, tensor, seen=outer.spec(name))
        return None if self.has(name) else outer.spec(name)

    def view(self, name: str, of: str, seen: TensorSpec) -> None:
        """Note that a tensor shows all of a stored one in another shape."""
        tensor = self.assembly.stored(of)
        self.stored[name] = self.stored[of].seen_as(seen)
        if tensor is not None:
            self.assembly.store(name, tensor, seen=seen)

    def has(self, name: str) -> bool:
        """Return whether a tensor was met."""
        return name in self.stored or name in self.known or self.assembly.is_known(name)

    def spec(self, name: str) -> TensorSpec | None:
        """Return the shape and type of a tensor that was met, if they are known."""
        if name in self.stored:
            return self.stored[name].spec
        if name in self.known:
            return spec_of(self.known[name])
        value = self.assembly.values.get(name)
        spec = UNKNOWN if value is None else self.assembly.spec(value)
        return None if spec is UNKNOWN else spec

    def operand(self, name: str) -> Operand:
        """Return what is known of a tensor that was met."""
        return Operand(name, self.spec(name), self.stored.get(name), self.known.get(name))

    def key(self, name: str) -> str:
        """Return the key of a tensor in the assembly; a number of the file becomes a constant."""
        if not self.assembly.is_known(name):
            spec = self.spec(name)
            if spec is None:
                raise ModelError(f"{self.reference}: no node produces the output {name!r}")
            self.assembly.constant(name, f"{name.strip('/')}/constant", spec)
        return name


def spec_of(value: Any) -> TensorSpec:
    """Return shape and type of an array."""
    dtype = str(value.dtype)
    signed = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}
    known = dtype in DTYPES.values()
    return TensorSpec(tuple(value.shape), dtype if known else signed.get(dtype, "uint8"))
