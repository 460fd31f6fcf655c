"""The command line: `nnlite train`, `nnlite predict`, `nnlite info`, `nnlite bench`."""

from .main import main

__all__ = ["main"]
