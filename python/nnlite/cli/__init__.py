"""The command line: `nnlite train`, `nnlite predict`, `nnlite info`, `nnlite bench`."""

from .main import main
from .program import program

__all__ = ["main", "program"]
