"""Matrix products in the three forms of a linear layer: forward NT, input gradient NN, weight gradient TN."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core import Tensor
from ..autograd.grad_mode import enable_grad, no_grad
from ..nn import functional
from .results import OWN, Subject, Work
from .timing import Repeat, repeated

Array = np.ndarray[Any, Any]

FORMS = ("NN", "NT", "TN")
CUBES = (512, 1024, 2048)
ODD = (37, 91, 53)
# Batch, inputs and outputs of the layers of the networks in steps.py.
LAYERS = (
    (200, 24, 8), (32, 64, 128), (32, 128, 10), (64, 784, 128), (64, 128, 10), (128, 784, 512), (128, 512, 512),
    (128, 512, 10), (512, 784, 2048), (512, 2048, 2048), (512, 2048, 10),
)  # fmt: skip


@dataclass(frozen=True)
class Product(Subject):
    """C (m, n) = A (m, k) B (k, n). N: a matrix is stored as it is; T: its transpose is."""

    section = "products"
    form: str
    dtype: str
    m: int
    n: int
    k: int
    group: str = "cube"  # or "layer"

    @property
    def name(self) -> str:
        """Form, type and sizes m x n x k."""
        return f"{self.form} {self.dtype} {self.m}x{self.n}x{self.k}"

    def work(self) -> Work:
        """Two flops for each fused multiply-add."""
        size = np.dtype(self.dtype).itemsize
        moved = size * (self.m * self.k + self.k * self.n + self.m * self.n)
        return Work(flops=2.0 * self.m * self.n * self.k, moved=moved, dtype=self.dtype)

    def operands(self) -> tuple[Array, Array]:
        """The two matrices as they are stored."""
        rng = np.random.default_rng(0)
        a_shape = (self.k, self.m) if self.form == "TN" else (self.m, self.k)
        b_shape = (self.n, self.k) if self.form == "NT" else (self.k, self.n)
        return rng.standard_normal(a_shape).astype(self.dtype), rng.standard_normal(b_shape).astype(self.dtype)

    def contestants(self) -> dict[str, Repeat]:
        """The leanest public way to each form."""
        stored_a, stored_b = self.operands()
        a, b = Tensor(stored_a), Tensor(stored_b)
        if self.form == "TN":
            return {OWN: _weight_gradient(a, b)}

        def run(times: int) -> None:
            with no_grad():
                for _ in range(times):
                    if self.form == "NN":
                        a.matmul(b)
                    else:
                        functional.linear(a, b)

        return {OWN: run}


def _weight_gradient(output_gradient: Tensor, x: Tensor) -> Repeat:
    """The backward pass of a linear layer whose input needs no gradient is just this product."""
    shape = (output_gradient.shape[1], x.shape[1])
    weight = Tensor(np.zeros(shape, x.dtype), requires_grad=True)
    with enable_grad():
        output = functional.linear(x, weight)

    def work() -> None:
        weight.grad = None
        output.backward(output_gradient, retain_graph=True)

    return repeated(work)


def layer_products(batch: int, inputs: int, outputs: int, dtype: str) -> list[Product]:
    """The three products of one layer in a training step."""
    return [
        Product("NT", dtype, batch, outputs, inputs, "layer"),
        Product("NN", dtype, batch, inputs, outputs, "layer"),
        Product("TN", dtype, outputs, inputs, batch, "layer"),
    ]


def subjects(quick: bool = False) -> list[Subject]:
    """Cubes, layers, and sizes that no tile divides."""
    found: list[Subject] = []
    for dtype in ("float32", "float64"):
        found += [Product(form, dtype, size, size, size) for size in (CUBES[:1] if quick else CUBES) for form in FORMS]
    for dtype in ("float32", "float64"):
        for layer in LAYERS[3:4] if quick else LAYERS:
            found += layer_products(*layer, dtype)
        found += [Product(form, dtype, *ODD, "layer") for form in FORMS]
    return found
