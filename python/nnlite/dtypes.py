"""Element types under PyTorch's names. They are NumPy's: `x.dtype == np.float32` holds too."""

from __future__ import annotations

import numpy as np

__all__ = [
    "bool", "double", "dtype", "finfo", "float", "float32", "float64", "iinfo",
    "int", "int8", "int16", "int32", "int64", "long", "short", "uint8",
]  # fmt: skip

dtype, finfo, iinfo = np.dtype, np.finfo, np.iinfo
float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
# There is one integer type.
int64 = long = int = short = int8 = int16 = int32 = uint8 = np.dtype(np.int64)
bool = np.dtype(np.bool_)
