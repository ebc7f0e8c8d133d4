"""Shape and element type of a tensor, known before anything runs.

The batch is always present and every extent is a concrete integer. Any rank and any listed dtype is
legal: nothing here knows about images.
"""

from math import prod
from typing import NamedTuple

from cnnstat.errors import UsageError, unknown

DTYPE_BYTES: dict[str, int] = {
    **{"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2},
    **{"float8_e4m3fn": 1, "float8_e5m2": 1, "complex64": 8, "complex128": 16},
    **{"int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "uint16": 2},
    **{"uint32": 4, "uint64": 8, "quint8": 1, "qint8": 1, "qint32": 4, "complex32": 4, "bool": 1},
}
"""Bytes per element of each dtype, by PyTorch's name."""

PER_BYTE: dict[str, int] = {"int4": 2}
"""Elements in a byte of each dtype that is packed; weights alone have one."""


def bytes_of(numel: int, dtype: str) -> int:
    """Return the bytes of so many elements; the last byte of packed ones may be part empty."""
    packed = PER_BYTE.get(dtype)
    return numel * DTYPE_BYTES[dtype] if packed is None else -(-numel // packed)


class TensorSpec(NamedTuple):
    """Shape (batch first) and dtype of one tensor."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def numel(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of a dense tensor of this shape and dtype."""
        return prod(self.shape) * DTYPE_BYTES[self.dtype]

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether the elements are real floating-point numbers."""
        return "float" in self.dtype

    @property
    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.dtype.startswith("complex")

    def __str__(self) -> str:
        return "x".join(map(str, self.shape)) or "scalar"


UNKNOWN = TensorSpec((0,))
"""Spec of a tensor whose shape is not known: it has no elements to count, and a note says so."""


def check_dtype(name: str) -> str:
    """Return ``name`` if it is a dtype; raise ``UsageError`` with the nearest names if not."""
    if name not in DTYPE_BYTES:
        raise unknown("dtype", name, DTYPE_BYTES)
    return name


def check_float_dtype(name: str) -> str:
    """Return ``name`` if weights can have this dtype; raise ``UsageError`` if not."""
    if "float" not in check_dtype(name):
        raise UsageError(f"dtype {name}: weights and activations need a floating-point type")
    return name


def check_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``shape`` if every extent is at least 1; raise ``UsageError`` if not."""
    for extent in shape:
        if extent < 1:
            raise UsageError(
                f"shape {'x'.join(map(str, shape))}: every extent must be at least 1, got {extent}"
            )
    return shape
