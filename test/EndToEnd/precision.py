"""The element types that arrays are handed over in, and the bounds that results must keep."""

from dataclasses import dataclass

import numpy as np

REAL = {"f64": np.float64, "f32": np.float32, "bf16": np.float32}
COMPLEX = {"f64": np.complex128, "f32": np.complex64, "bf16": np.complex64}


@dataclass(frozen=True)
class Target:
    name: str
    arguments: tuple[str, ...]
    dtype: str
    bound: float


REFERENCE = Target("reference", ("--target", "reference", "--dtype", "f64"), "f64", 1e-12)
CPU_F32 = Target("cpu_f32", ("--target", "cpu", "--dtype", "f32"), "f32", 1e-5)
CPU_BF16 = Target("cpu_bf16", ("--target", "cpu", "--dtype", "bf16"), "bf16", 4e-3)


def rounded(array, dtype):
    """The array with only values that the dtype has; bf16 values are held in float32."""
    if array.dtype.kind == "c":
        if dtype != "bf16":
            return array.astype(COMPLEX[dtype])
        return rounded(array.real, dtype) + np.complex64(1j) * rounded(array.imag, dtype)
    if array.dtype.kind != "f":
        return array
    array = array.astype(REAL[dtype])
    return _to_bf16(array) if dtype == "bf16" else array


def doubled(array):
    """The same values in double precision."""
    return array.astype({"f": np.float64, "c": np.complex128}.get(array.dtype.kind, array.dtype))


def _to_bf16(array):
    """Round to nearest, ties to even; infinities stay."""
    bits = array.view(np.uint32)
    nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(array), nearest, array)
