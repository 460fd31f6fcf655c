"""The command line: `nnlite train`, `nnlite predict`, `nnlite info`."""

from .main import main

__all__ = ["main"]
