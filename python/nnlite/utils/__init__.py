"""PyTorch's place for `utils.data`."""

from . import data

__all__ = ["data"]
