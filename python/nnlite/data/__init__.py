"""Datasets, loaders, readers and toy data."""

from .dataset import Subset, TensorDataset, random_split
from .idx import read_idx, write_idx
from .loader import DataLoader
from .toy import make_blobs, make_circles, make_moons, make_regression, make_spirals, make_xor

__all__ = [
    "DataLoader", "Subset", "TensorDataset", "make_blobs", "make_circles", "make_moons", "make_regression", "make_spirals",
    "make_xor", "random_split", "read_idx", "write_idx",
]  # fmt: skip
