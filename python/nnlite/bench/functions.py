"""Elementwise functions: elements per second."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import no_grad
from .results import OWN, Subject, Work
from .timing import Repeat

Array = np.ndarray[Any, Any]

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "erf", "relu", "gelu", "gelu_tanh", "silu", "softplus", "elu", "sqrt")
SIZES = (65_536, 1_048_576)
_SETTINGS = {"softplus": (1.0, 20.0), "elu": (1.0, 0.0)}


@dataclass(frozen=True)
class Function(Subject):
    """A function of each element of a float32 array, into a new one."""

    section = "functions"
    function: str
    size: int

    @property
    def name(self) -> str:
        """Function and number of elements."""
        return f"{self.function} of {self.size:,} elements"

    def work(self) -> Work:
        """One read and one write per element; the flops differ by implementation."""
        return Work(moved=8.0 * self.size)

    def argument(self) -> Array:
        """Numbers around zero; positive ones for log and sqrt."""
        values = 3 * np.random.default_rng(0).standard_normal(self.size).astype(np.float32)
        return np.abs(values) + np.float32(1e-3) if self.function in ("log", "sqrt") else values

    def contestants(self) -> dict[str, Repeat]:
        """Without gradient."""
        x = Tensor(self.argument())
        settings = _SETTINGS.get(self.function, (0.0, 0.0))

        def run(times: int) -> None:
            with no_grad():
                for _ in range(times):
                    _core.unary(self.function, x, *settings)

        return {OWN: run}


def subjects(quick: bool = False) -> list[Subject]:
    """Every function, in the second-level cache and beyond it."""
    functions, sizes = (FUNCTIONS[:5], SIZES[:1]) if quick else (FUNCTIONS, SIZES)
    return [Function(function, size) for size in sizes for function in functions]
