"""The public functions on arrays that end, or begin, at an unreadable page; run as `guarded_arrays.py FIRST LAST STEP`.

Prints the number of calls for the sizes FIRST, FIRST + STEP, ... LAST; each must give the same bits as on ordinary
arrays; a read beyond an array ends the process by a signal.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import nnlite as nl
from nnlite import _core, nn, optim
from nnlite.nn import functional as F
from nnlite.optim import OPTIMIZERS

PLACES = ("ordinary memory", "before a guard page", "behind a guard page")
SIZE = 64 * mmap.PAGESIZE  # size of the memory between two guard pages


class Memory:
    """Arrays between guard pages, the same numbers in each place."""

    def __init__(self) -> None:
        self._areas: list[mmap.mmap] = []
        self.start(PLACES[0])

    def start(self, place: str) -> None:
        self._place, self._used, self._random = place, 0, np.random.default_rng(0)

    def numbers(self, *shape: int, dtype: type) -> np.ndarray:
        return self._put(self._random.uniform(0.1, 0.9, shape).astype(dtype))

    def integers(self, *shape: int, below: int, dtype: type = np.int64) -> np.ndarray:
        return self._put(self._random.integers(0, below, shape).astype(dtype))

    def _put(self, values: np.ndarray) -> np.ndarray:
        if self._place == PLACES[0]:
            return values
        assert values.nbytes <= SIZE, f"{values.shape} is too large for the guarded memory"
        offset = mmap.PAGESIZE + (SIZE - values.nbytes if self._place == PLACES[1] else 0)
        array = np.frombuffer(self._next_area(), values.dtype, values.size, offset).reshape(values.shape)
        array[...] = values
        assert array.dtype.kind != "f" or np.shares_memory(nl.from_numpy(array).numpy(), array), "from_numpy copied"
        return array

    def _next_area(self) -> mmap.mmap:
        if self._used == len(self._areas):
            area = mmap.mmap(-1, SIZE + 2 * mmap.PAGESIZE)
            begin = ctypes.addressof(ctypes.c_char.from_buffer(area))
            protect = ctypes.CDLL(None, use_errno=True).mprotect
            for guard in (begin, begin + mmap.PAGESIZE + SIZE):
                assert protect(ctypes.c_void_p(guard), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0, "mprotect failed"
            self._areas.append(area)
        self._used += 1
        return self._areas[self._used - 1]


Results = list[np.ndarray]
Case = Callable[[], Results]


class Cases:
    """The calls for one size and type."""

    def __init__(self, memory: Memory, n: int, dtype: type) -> None:
        self._memory, self._n, self._dtype = memory, n, dtype

    def all(self) -> Iterator[tuple[str, Case]]:
        for family in (self._functions, self._losses, self._rows, self._products, self._training):
            yield from family()

    def _numbers(self, *shape: int) -> np.ndarray:
        return self._memory.numbers(*shape, dtype=self._dtype)

    def _gradients(self, function: Callable[..., nl.Tensor], *shapes: tuple[int, ...]) -> Results:
        """A function's value and gradients on tensors that share the arrays' memory."""
        operands = [nl.from_numpy(self._numbers(*shape)).requires_grad_() for shape in shapes]
        y = function(*operands)
        y.backward(nl.from_numpy(self._numbers(*y.shape)))
        return [y.detach().numpy(), *(x.grad.numpy() for x in operands)]

    def _functions(self) -> Iterator[tuple[str, Case]]:
        n = self._n
        for name in _core.unary_names():
            yield name, lambda name=name: self._gradients(lambda x: _core.unary(name, x, 0.2, 0.7), (n,))
        for name in ("add", "sub", "mul", "truediv", "pow"):
            operation = getattr(nl.Tensor, f"__{name}__")
            for shapes in (((n,), (n,)), ((n,), (1,)), ((3, n), (n,)), ((n, 1), (n, 3))):
                yield f"{name} of {shapes}", lambda f=operation, s=shapes: self._gradients(f, *s)
        for function in (nl.maximum, nl.minimum):
            yield function.__name__, lambda f=function: self._gradients(f, (n,), (n,))

    def _losses(self) -> Iterator[tuple[str, Case]]:
        n = self._n
        for name in _core.loss_names():
            for reduction in ("none", "mean", "sum"):
                yield (
                    f"{name} {reduction}",
                    lambda name=name, r=reduction: self._gradients(
                        lambda x, t: _core.loss(name, x, t, r, 0.8), (n,), (n,)
                    ),
                )
        for rows, classes in ((3, n), (n, 3)):
            yield (
                f"cross_entropy of {rows} labels",
                lambda rows=rows, classes=classes: self._cross_entropy(
                    rows, classes, lambda: self._memory.integers(rows, below=classes)
                ),
            )
            yield (
                f"cross_entropy of {rows} rows of probabilities",
                lambda rows=rows, classes=classes: self._cross_entropy(
                    rows, classes, lambda: self._numbers(rows, classes)
                ),
            )

    def _cross_entropy(self, rows: int, classes: int, make_target: Callable[[], np.ndarray]) -> Results:
        target, weight = make_target(), self._numbers(classes)
        return self._gradients(
            lambda x: F.cross_entropy(x, target, weight=weight, label_smoothing=0.1), (rows, classes)
        )

    def _rows(self) -> Iterator[tuple[str, Case]]:
        n = self._n
        for shape in ((3, n), (n, 3)):
            for dim in (0, 1):
                for name in ("softmax", "log_softmax", "sum", "mean", "amax"):
                    function = getattr(nl.Tensor, name)
                    yield f"{name} of {shape}", lambda f=function, d=dim, s=shape: self._gradients(lambda x: f(x, d), s)
            yield f"argmax of {shape}", lambda s=shape: [nl.from_numpy(self._numbers(*s)).argmax(1).numpy()]
            yield f"transpose of {shape}", lambda s=shape: self._gradients(lambda x: x.T * 2, s)
            yield f"sum of {shape}", lambda s=shape: self._gradients(lambda x: x.sum(), s)
            norm = lambda x, weight, bias: F.layer_norm(x, x.shape[1:], weight, bias)  # noqa: E731
            yield f"layer_norm of {shape}", lambda s=shape, f=norm: self._gradients(f, s, s[1:], s[1:])
        yield "first_nonfinite", lambda: [np.array(_core.first_nonfinite(self._numbers(n)))]
        yield "embedding", lambda: self._embedding(n)

    def _embedding(self, n: int) -> Results:
        indices = self._memory.integers(n, below=n)
        return self._gradients(lambda weight: F.embedding(indices, weight), (n, 3))

    def _products(self) -> Iterator[tuple[str, Case]]:
        n = self._n
        for m, k, columns in ((n, 7, 19), (5, n, 19), (5, 11, n)):
            name = f"{m} x {k} x {columns}"
            yield f"matmul {name}", lambda s=((m, k), (k, columns)): self._gradients(nl.Tensor.matmul, *s)
            yield (
                f"linear {name}",
                lambda s=((m, k), (columns, k), (columns,)): self._gradients(F.linear, *s),
            )

    def _training(self) -> Iterator[tuple[str, Case]]:
        yield "SGD", lambda: self._update(optim.SGD, lr=0.1, momentum=0.9, nesterov=True)
        for optimizer in OPTIMIZERS.values():
            yield optimizer.__name__, lambda make=optimizer: self._update(make)
        for rows, columns in ((3, self._n), (self._n, 3)):
            yield f"predictor on ({rows}, {columns})", lambda r=rows, c=columns: self._predictions(r, c)
            for dtype in (np.float32, np.float64, np.uint8, np.int16, np.int64):
                yield (
                    f"fit on ({rows}, {columns}) {dtype.__name__}",
                    lambda r=rows, c=columns, d=dtype: self._fit(r, c, d),
                )

    def _update(self, make: Any, **options: Any) -> Results:
        """Two steps in place, so that the second has a state."""
        parameters = [nl.from_numpy(self._numbers(self._n)).requires_grad_() for _ in range(2)]
        optimizer = make(parameters, **options)
        for group in optimizer.param_groups:
            group |= {option: 0.01 for option in group if option == "weight_decay"}
        for _ in range(2):
            optimizer.zero_grad()
            (parameters[0] * parameters[1]).sum().backward()
            optimizer.step()
        return [x.detach().numpy() for x in parameters]

    def _model(self, columns: int) -> nn.Module:
        nl.manual_seed(0)
        model = nn.Linear(columns, 2)
        return model.double() if self._dtype is np.float64 else model

    def _predictions(self, rows: int, columns: int) -> Results:
        predictor = nl.Predictor(self._model(columns))
        return [predictor(self._numbers(rows, columns)) for _ in range(2)]

    def _fit(self, rows: int, columns: int, dtype: type) -> Results:
        model = self._model(columns)
        x, y = self._memory.integers(rows, columns, below=5, dtype=dtype), self._memory.integers(rows, below=2)
        trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01), seed=1)
        trainer.fit(x, y, epochs=1, batch_size=2, progress=False)
        return [trainer.predict(x), *(parameter.detach().numpy() for parameter in model.parameters())]


def bits(results: Results) -> list[Any]:
    return [(result.shape, result.dtype, result.tobytes()) for result in results]


def main(first: int, last: int, step: int) -> None:
    faulthandler.enable()
    memory, calls = Memory(), 0
    for n in range(first, last + 1, step):
        for dtype in (np.float32, np.float64):
            for name, run in Cases(memory, n, dtype).all():
                memory.start(PLACES[0])
                expected = bits(run())
                for place in PLACES[1:]:
                    memory.start(place)
                    assert bits(run()) == expected, f"{name}, {dtype.__name__}, size {n}, {place}: the bits differ"
                    calls += 1
    print(calls)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
