"""Products of vectors, matrices and more, through matmul."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _core
from .._core import Tensor
from .calling import normal_dim
from .reductions import norm
from .shaping import expand


def _ranked(name: str, **tensors: tuple[Tensor, int]) -> None:
    for argument, (x, rank) in tensors.items():
        if x.ndim != rank:
            kind = {1: "a vector", 2: "a matrix", 3: "a batch of matrices"}[rank]
            raise RuntimeError(f"{name}(): {argument} must be {kind}, got shape {tuple(x.shape)}")


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """(n, m) times (m, p)."""
    _ranked("mm", input=(input, 2), mat2=(mat2, 2))
    return _core.matmul(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """(b, n, m) times (b, m, p), matrix by matrix."""
    _ranked("bmm", input=(input, 3), mat2=(mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm(): {input.shape[0]} matrices cannot be multiplied by {mat2.shape[0]}")
    return _core.matmul(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """(n, m) times (m)."""
    _ranked("mv", input=(input, 2), vec=(vec, 1))
    return _core.matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The product of two vectors."""
    _ranked("dot", input=(input, 1), tensor=(tensor, 1))
    return _core.matmul(input, tensor)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """(n) and (m) to (n, m), each times each."""
    _ranked("outer", input=(input, 1), vec2=(vec2, 1))
    return input.unsqueeze(1) * vec2


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); where beta is 0, input does not count, NaN or not."""
    return _added(input, mm(mat1, mat2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2)"""
    return _added(input, bmm(batch1, batch2), beta, alpha)


def _added(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else (input if beta == 1 else input * beta) + product


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: every element of `input` times all of `other`, in its place."""
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    product = input.reshape([n for size in a for n in (size, 1)]) * other.reshape([n for size in b for n in (1, size)])
    return product.reshape([n * m for n, m in zip(a, b, strict=True)])


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Einstein's sums: "ij,jk->ik" is a matrix product. Operands are joined from left to right, each pair by one matmul.

    >>> import nnlite as nl
    >>> nl.einsum("bi,bi->b", nl.ones(2, 3), nl.ones(2, 3)).tolist()
    [3.0, 3.0]
    """
    tensors = list(operands[0]) if len(operands) == 1 and not isinstance(operands[0], Tensor) else list(operands)
    names, output = _labels(equation, tensors)
    label, result = "", tensors[0]
    for i, (tensor, own) in enumerate(zip(tensors, names, strict=True)):
        tensor, own = _without_repeats(tensor, own)
        needed = set(output).union(*names[i + 1 :])
        label, result = (own, tensor) if i == 0 else _contracted(result, label, tensor, own, needed)
        label, result = _summed(label, result, needed)
    return result.permute(*(label.index(name) for name in output)) if output else result


def _labels(equation: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    """The letters of each operand's dimensions, and the result's; an ellipsis becomes capital Greek ones."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(tensors):
        raise RuntimeError(f"einsum(): {equation!r} has {len(parts)} operands, got {len(tensors)}")
    widest, names = 0, []
    for part, tensor in zip(parts, tensors, strict=True):
        count = tensor.ndim - len(part.replace("...", ""))
        if count < 0 or (count and "..." not in part):
            raise RuntimeError(f"einsum(): {part!r} does not fit an operand of shape {tuple(tensor.shape)}")
        widest = max(widest, count)
        names.append(part.replace("...", _dots(count)))
    letters = "".join(parts).replace(".", "")
    once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    output = right.replace("...", _dots(widest)) if arrow else _dots(widest) + once
    if len(set(output)) < len(output) or set(output) - set("".join(names)):
        raise RuntimeError(f"einsum(): the result of {equation!r} repeats a letter, or has one that no operand has")
    return names, output


def _dots(count: int) -> str:
    return "".join(chr(ord("Α") + i) for i in range(count))[::-1]


def _without_repeats(x: Tensor, label: str) -> tuple[Tensor, str]:
    """The diagonals of dimensions with the same letter."""
    for name in sorted(set(label)):
        while label.count(name) > 1:
            i, j = label.index(name), label.rindex(name)
            if x.shape[i] != x.shape[j]:
                raise RuntimeError(
                    f"einsum(): {name!r} stands for {x.shape[i]} and {x.shape[j]} elements of one operand"
                )
            order = [k for k in range(x.ndim) if k not in (i, j)]
            size, rest = x.shape[i], [x.shape[k] for k in order]
            x = x.permute(i, j, *order).reshape(size * size, *rest)[:: size + 1]
            label = name + "".join(label[k] for k in order)
    return x, label


def _contracted(a: Tensor, of_a: str, b: Tensor, of_b: str, needed: set[str]) -> tuple[str, Tensor]:
    """Both joined over the letters that they share: those still needed are batches, the others are summed over."""
    shared = [name for name in of_a if name in of_b]
    size = {
        name: max(x.shape[label.index(name)] for x, label in ((a, of_a), (b, of_b)) if name in label)
        for name in of_a + of_b
    }
    batch, inside = [n for n in shared if n in needed], [n for n in shared if n not in needed]
    only_a, only_b = [n for n in of_a if n not in shared], [n for n in of_b if n not in shared]

    def arranged(x: Tensor, label: str, *groups: list[str]) -> Tensor:
        order = [name for group in groups for name in group]
        x = x.permute(*(label.index(name) for name in order)) if order else x
        x = expand(x, [size[name] for name in order])
        return x.reshape([math.prod(size[name] for name in group) for group in groups])

    left, right = arranged(a, of_a, batch, only_a, inside), arranged(b, of_b, batch, inside, only_b)
    label = "".join([*batch, *only_a, *only_b])
    return label, _core.matmul(left, right).reshape([size[name] for name in label])


def _summed(label: str, x: Tensor, needed: set[str]) -> tuple[str, Tensor]:
    for name in [name for name in label if name not in needed]:
        x, label = x.sum(label.index(name)), label.replace(name, "")
    return label, x


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The product over the last `dims` dimensions of a and the first of b, or over pairs of dimensions ([of a], [of b])."""
    of_a, of_b = (range(a.ndim - dims, a.ndim), range(dims)) if isinstance(dims, int) else dims
    of_a = [normal_dim("tensordot", d, a.ndim) for d in of_a]
    of_b = [normal_dim("tensordot", d, b.ndim) for d in of_b]
    for d, e in zip(of_a, of_b, strict=True):  # a single element goes with any number of them
        if a.shape[d] == 1:
            b = b.sum(e, True)
        elif b.shape[e] == 1:
            a = a.sum(d, True)
    if [a.shape[d] for d in of_a] != [b.shape[d] for d in of_b]:
        raise RuntimeError(f"tensordot(): dimensions {of_a} of {tuple(a.shape)} and {of_b} of {tuple(b.shape)} differ")
    kept_a = [d for d in range(a.ndim) if d not in of_a]
    kept_b = [d for d in range(b.ndim) if d not in of_b]
    shape = [*(a.shape[d] for d in kept_a), *(b.shape[d] for d in kept_b)]
    depth = math.prod(a.shape[d] for d in of_a)
    left, right = a.permute(kept_a + of_a).reshape(-1, depth), b.permute(of_b + kept_b).reshape(depth, -1)
    return _core.matmul(left, right).reshape(shape)


def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """The p-norm distances (..., n, m) of the rows of x1 (..., n, k) from those of x2 (..., m, k).

    `compute_mode` changes nothing: differences are computed, not products.
    """
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)
