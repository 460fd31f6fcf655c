"""Datasets, loaders, readers and toy data."""

from typing import TYPE_CHECKING, Any

from ..naming import publish
from .collate import default_collate
from .dataset import Subset, TensorDataset, random_split
from .loader import DataLoader
from .toy import make_blobs, make_circles, make_moons, make_regression, make_spirals, make_xor

if TYPE_CHECKING:
    from .preprocessing import Preprocessor
    from .readers.csv import read_csv
    from .readers.idx import read_idx, write_idx
    from .table import Table

__all__ = [
    "DataLoader", "Preprocessor", "Subset", "Table", "TensorDataset", "default_collate", "make_blobs", "make_circles",
    "make_moons", "make_regression", "make_spirals", "make_xor", "random_split", "read_csv", "read_idx", "write_idx",
]  # fmt: skip

# Imported on first use: training on arrays does not need them.
_LAZY = {
    "Preprocessor": "preprocessing",
    "Table": "table",
    "read_csv": "readers.csv",
    "read_idx": "readers.idx",
    "write_idx": "readers.idx",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


publish(__name__)
