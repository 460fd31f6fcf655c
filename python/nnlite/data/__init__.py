"""Datasets, loaders, readers and toy data."""

from typing import TYPE_CHECKING

from ..naming import publish
from .collate import default_collate, default_convert
from .dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .toy import make_blobs, make_circles, make_moons, make_regression, make_spirals, make_xor

if TYPE_CHECKING:
    from .preprocessing import Preprocessor
    from .readers.csv import read_csv
    from .readers.idx import read_idx, write_idx
    from .samplers import (
        BatchSampler,
        RandomSampler,
        Sampler,
        SequentialSampler,
        SubsetRandomSampler,
        WeightedRandomSampler,
    )
    from .table import Table
    from .workers import get_worker_info

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset", "Preprocessor", "RandomSampler", "Sampler",
    "SequentialSampler", "Subset", "SubsetRandomSampler", "Table", "TensorDataset", "WeightedRandomSampler", "default_collate",
    "default_convert", "get_worker_info", "make_blobs", "make_circles", "make_moons", "make_regression", "make_spirals", "make_xor",
    "random_split", "read_csv", "read_idx", "write_idx",
]  # fmt: skip

# Imported on first use: training on arrays does not need them.
publish(
    __name__,
    {
        "preprocessing": ("Preprocessor",),
        "readers.csv": ("read_csv",),
        "readers.idx": ("read_idx", "write_idx"),
        "samplers": (
            "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler",
        ),
        "table": ("Table",),
        "workers": ("get_worker_info",),
    },
)  # fmt: skip
