"""Benchmarks of this library on this machine: `nnlite bench`. Needs nothing but NumPy.

Each section names its subjects (a product, a training step, ...); a subject knows its work in flops and bytes, and how this library
does it. `bench/` in the sources adds peers.
"""

SECTIONS = (
    "limits",
    "products",
    "functions",
    "kernels",
    "steps",
    "widths",
    "threads",
    "prediction",
    "calls",
    "startup",
)

__all__ = ["SECTIONS"]
