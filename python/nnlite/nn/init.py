"""Initialisers: fill a tensor in place from the default generator, and return it. PyTorch's names and formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import no_grad

_GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The recommended standard-deviation factor for a nonlinearity; `param` is leaky_relu's slope (default 0.01)."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope * slope))
    if nonlinearity.startswith("conv"):
        return 1.0
    if nonlinearity not in _GAINS:
        raise ValueError(f"nonlinearity {nonlinearity!r} is unknown; use one of {', '.join([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


@contextmanager
def _drawing(generator: _core.Generator | None) -> Iterator[None]:
    """Draws, without recording, from `generator` if given."""
    previous = None if generator is None else _core.use_generator(generator)
    try:
        with no_grad():
            yield
    finally:
        if generator is not None:
            _core.use_generator(previous)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: _core.Generator | None = None) -> Tensor:
    """Uniform in [a, b)."""
    with _drawing(generator):
        return tensor.uniform_(a, b)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: _core.Generator | None = None) -> Tensor:
    """Normal with the given mean and standard deviation."""
    with _drawing(generator):
        return tensor.normal_(mean, std)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: _core.Generator | None = None,
) -> Tensor:
    """Normal, redrawn where outside [a, b]."""
    if a >= b:
        raise ValueError(f"trunc_normal_ needs a < b, got a={a}, b={b}")
    generator = generator or _core.default_generator()
    values = generator.normal(tensor.shape, mean, std, tensor.dtype, "init")
    for _ in range(1000):
        outside = (values < a) | (values > b)
        count = int(outside.sum())
        if count == 0:
            break
        values[outside] = generator.normal((count,), mean, std, tensor.dtype, "init")
    else:
        raise ValueError(f"almost no values of a normal distribution of mean {mean} and std {std} lie in [{a}, {b}]")
    with no_grad():
        return tensor.copy_(values)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix; `tensor` has two dimensions."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_ needs a tensor of 2 dimensions, got shape {tensor.shape}")
    with no_grad():
        return tensor.copy_(np.eye(tensor.shape[0], tensor.shape[1]))


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need a tensor of at least 2 dimensions, got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: _core.Generator | None = None) -> Tensor:
    """Uniform in ± gain sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: _core.Generator | None = None) -> Tensor:
    """Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)) (Glorot, Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: _core.Generator | None = None,
) -> Tensor:
    """Uniform in ± gain sqrt(3 / fan) (He et al. 2015)."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: _core.Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan) (He et al. 2015)."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: _core.Generator | None = None) -> Tensor:
    """gain times a matrix (d0, d1 ...) of orthonormal rows or columns, whichever are fewer (Saxe et al. 2013)."""
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs a tensor of at least 2 dimensions, got shape {tensor.shape}")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    draw = (generator or _core.default_generator()).normal((rows, columns), 0.0, 1.0, np.float64, "init")
    # Gram-Schmidt, twice over for orthogonality to the last digit: LAPACK's order of sums differs between machines.
    vectors = Tensor(draw if rows <= columns else np.ascontiguousarray(draw.T))
    with no_grad():
        for i in range(len(vectors)):
            v = vectors[i]
            for _ in range(2):
                v = v - vectors[:i].transpose(0, 1).matmul(vectors[:i].matmul(v)) if i else v
            vectors[i].copy_(v / (v * v).sum().sqrt())
        q = vectors if rows <= columns else vectors.transpose(0, 1)
        return tensor.copy_((q * gain).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: _core.Generator | None = None) -> Tensor:
    """Normal with standard deviation `std`, and zero in a share `sparsity` of each column of a matrix (Martens 2010)."""
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ needs a tensor of 2 dimensions, got shape {tensor.shape}")
    zeros = math.ceil(sparsity * tensor.shape[0])
    draws = generator or _core.default_generator()
    values = draws.normal(tensor.shape, 0.0, std, tensor.dtype, "init")
    for column in range(tensor.shape[1]):
        values[draws.permutation(tensor.shape[0], "init")[:zeros], column] = 0
    with no_grad():
        return tensor.copy_(values)


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The identity of channels for a kernel (out, in, ...) of 3 to 5 dimensions, in each of `groups` of its outputs."""
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(f"dirac_ needs 3 to 5 dimensions, the first divisible by {groups}, got shape {tensor.shape}")
    values = np.zeros(tensor.shape, tensor.dtype)
    each = tensor.shape[0] // groups
    centre = tuple(size // 2 for size in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(each, tensor.shape[1])):
            values[group * each + i, i][centre] = 1
    with no_grad():
        return tensor.copy_(values)
