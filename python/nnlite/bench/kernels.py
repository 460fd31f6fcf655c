"""The kernels besides products and elementwise functions: losses, sums, normalisation, updates, gathering; float32."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core import Tensor
from ..autograd.grad_mode import no_grad
from ..data import DataLoader, TensorDataset
from ..nn import functional
from ..optim import SGD
from .results import OWN, Subject, Work
from .timing import Repeat, repeated

Array = np.ndarray[Any, Any]
Step = Callable[[], object]

SHAPES = ((512, 256), (4096, 1024))


@dataclass(frozen=True)
class Operands:
    """What the kernels of one shape work on."""

    x: Array  # (rows, columns) around zero
    probabilities: Array  # the same shape, rows that sum to 1
    labels: Array  # (rows) classes

    @staticmethod
    def of(rows: int, columns: int) -> "Operands":
        """The same numbers every time."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((rows, columns)).astype(np.float32)
        shares = rng.random((rows, columns), np.float32) + np.float32(0.01)
        return Operands(x, shares / shares.sum(1, keepdims=True), rng.integers(0, columns, rows))


def _loss(function: Callable[..., Tensor], from_probabilities: bool = False) -> Callable[[Operands], Step]:
    def prepare(operands: Operands) -> Step:
        x = Tensor(operands.probabilities if from_probabilities else operands.x)
        target = Tensor(operands.probabilities)
        return lambda: function(x, target)

    return prepare


def _on_x(method: Callable[[Tensor], object]) -> Callable[[Operands], Step]:
    def prepare(operands: Operands) -> Step:
        x = Tensor(operands.x)
        return lambda: method(x)

    return prepare


def _cross_entropy(operands: Operands) -> Step:
    logits, labels = Tensor(operands.x), Tensor(operands.labels)
    return lambda: functional.cross_entropy(logits, labels)


def _sgd(momentum: float) -> Callable[[Operands], Step]:
    def prepare(operands: Operands) -> Step:
        weight = Tensor(operands.x, requires_grad=True)
        weight.grad = Tensor(np.full_like(operands.x, 1e-6))
        return SGD([weight], lr=1e-3, momentum=momentum).step

    return prepare


def _gather(operands: Operands) -> Step:
    """One batch after the other of a shuffled pass over all rows."""
    loader = DataLoader(TensorDataset(operands.x), gather_batch(len(operands.x)), shuffle=True)

    def work() -> None:
        for _ in loader:
            pass

    return work


def gather_batch(rows: int) -> int:
    """Rows of a gathered batch."""
    return rows // 8


@dataclass(frozen=True)
class _Row:
    """How to run a kernel, and how often it passes over an array of the operands' shape, reading or writing."""

    prepare: Callable[[Operands], Step]
    passes: float


KERNELS = {
    "softmax cross-entropy": _Row(_cross_entropy, 1),
    "softmax": _Row(_on_x(lambda x: x.softmax(1)), 2),
    "log_softmax": _Row(_on_x(lambda x: x.log_softmax(1)), 2),
    "layer_norm": _Row(_on_x(lambda x: functional.layer_norm(x, x.shape[1:])), 2),
    "mse_loss": _Row(_loss(functional.mse_loss), 2),
    "l1_loss": _Row(_loss(functional.l1_loss), 2),
    "huber_loss": _Row(_loss(functional.huber_loss), 2),
    "smooth_l1_loss": _Row(_loss(functional.smooth_l1_loss), 2),
    "binary_cross_entropy": _Row(_loss(functional.binary_cross_entropy, from_probabilities=True), 2),
    "binary_cross_entropy_with_logits": _Row(_loss(functional.binary_cross_entropy_with_logits), 2),
    "kl_div": _Row(_loss(functional.kl_div), 2),
    "sum over rows": _Row(_on_x(lambda x: x.sum(0)), 1),
    "sum over columns": _Row(_on_x(lambda x: x.sum(1)), 1),
    "sum of all": _Row(_on_x(lambda x: x.sum()), 1),
    "maximum over columns": _Row(_on_x(lambda x: x.amax(1)), 1),
    "SGD update": _Row(_sgd(0.0), 3),
    "SGD update with momentum": _Row(_sgd(0.9), 5),
    "gather of shuffled rows": _Row(_gather, 2),
}


@dataclass(frozen=True)
class Kernel(Subject):
    """A kernel on an array of (rows, columns)."""

    section = "kernels"
    kernel: str
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """Kernel and shape."""
        return f"{self.kernel} {self.rows}x{self.columns}"

    def work(self) -> Work:
        """Bytes that must be read and written."""
        return Work(moved=4.0 * self.rows * self.columns * KERNELS[self.kernel].passes)

    def contestants(self) -> dict[str, Repeat]:
        """Without gradient."""
        run = repeated(KERNELS[self.kernel].prepare(Operands.of(self.rows, self.columns)))

        def without_gradient(times: int) -> None:
            with no_grad():
                run(times)

        return {OWN: without_gradient}


def subjects(quick: bool = False) -> list[Subject]:
    """Every kernel on an array of 512 KB and, in a full run, one of 16 MB."""
    return [Kernel(kernel, *shape) for shape in (SHAPES[:1] if quick else SHAPES) for kernel in KERNELS]
