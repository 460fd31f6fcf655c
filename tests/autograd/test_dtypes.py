"""Types of elements: results of integers, booleans and comparisons are PyTorch's in value, shape and type."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl

DTYPES = ["bool", "int64", "float32", "float64"]
NUMBERS: list[Any] = [True, 2, 0.5]
VALUES = [[0, 1, 2], [3, 2, 1]]
ARITHMETIC = {f.__name__: f for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)}
COMPARISONS = {f.__name__: f for f in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)}
BITS = {f.__name__: f for f in (operator.and_, operator.or_, operator.xor)}
METHODS: dict[str, Callable[..., Any]] = {
    name: lambda x, y, name=name: getattr(x, name)(y)
    for name in (
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "logical_and",
        "logical_or",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
    )
}
IN_PLACE = {
    f.__name__: f
    for f in (
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
        operator.iand,
        operator.ior,
        operator.ixor,
    )
}
# PyTorch raises an error where NumPy has an obvious answer.
OURS_ALONE = {
    ("pow", "bool", "bool"), ("pow", "bool", "True"), ("pow", "True", "bool"), ("sub", "float32", "True"), ("sub", "float64", "True"),
    ("sub", "int64", "True"), ("sub", "True", "float32"), ("sub", "True", "float64"), ("sub", "True", "int64"),
    ("isub", "float32", "True"), ("isub", "float64", "True"),
}  # fmt: skip


def pair(dtype: str, values: Any = VALUES) -> tuple[nl.Tensor, torch.Tensor]:
    return nl.tensor(values, dtype=dtype), torch.tensor(values, dtype=getattr(torch, dtype))


def same(ours: Any, theirs: Any, what: object) -> None:
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs), what
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, what)
        return
    assert isinstance(ours, nl.Tensor), what
    assert f"torch.{ours.dtype}" == str(theirs.dtype), what
    assert ours.shape == tuple(theirs.shape), what
    tolerance = 1e-6 if ours.dtype == nl.float32 else 1e-14
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), tolerance, err_msg=str(what))


def same_call(function: Callable[..., Any], ours: list[Any], theirs: list[Any], what: object) -> bool:
    """Compares the results; an error of PyTorch's must be one here too. Returns whether there is a result."""
    try:
        expected = function(*theirs)
    except (RuntimeError, TypeError, IndexError) as error:
        with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)):
            pytest.fail(f"{what} gives {function(*ours)}, PyTorch: {error}")
        return False
    same(function(*ours), expected, what)
    return True


@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARISONS, *BITS])
def test_promotion_of_all_pairs(name: str) -> None:
    function, compared = (ARITHMETIC | COMPARISONS | BITS)[name], 0
    shapes: list[Any] = [VALUES, 1]  # single values widen to another kind only
    for a, b in itertools.product(DTYPES, DTYPES):
        for left, right in itertools.product(shapes, shapes):
            (x, tx), (y, ty) = pair(a, left), pair(b, right)
            if (name, a, b) not in OURS_ALONE:
                compared += same_call(function, [x, y], [tx, ty], (name, a, left, b, right))
    for a, number, values in itertools.product(DTYPES, NUMBERS, shapes):
        x, tx = pair(a, values)
        if (name, a, str(number)) not in OURS_ALONE:
            compared += same_call(function, [x, number], [tx, number], (name, a, values, number))
        if (name, str(number), a) not in OURS_ALONE:
            compared += same_call(function, [number, x], [number, tx], (name, number, a, values))
    assert compared > 20


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_result_in_place_must_fit_the_type(name: str) -> None:
    function = IN_PLACE[name]
    for a, b in itertools.product(DTYPES, [*DTYPES, *NUMBERS]):
        (x, tx), (y, ty) = pair(a), pair(b) if isinstance(b, str) else (b, b)
        if (name, a, str(b)) in OURS_ALONE:
            continue
        same_call(function, [x, y], [tx, ty], (name, a, b))
        same(x, tx, f"{name} {a} {b}: the tensor itself")


PREDICATES = ["isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "logical_not"]
UNARY: dict[str, Callable[..., Any]] = {
    "neg": lambda x: -x, "abs": lambda x: abs(x), "invert": lambda x: ~x, "relu": lambda x: x.relu(), "exp": lambda x: x.exp(),
    "sqrt": lambda x: x.sqrt(), "tanh": lambda x: x.tanh(), "sigmoid": lambda x: x.sigmoid(), "log": lambda x: (x + 1).log(),
    "sum": lambda x: x.sum(), "sum 1": lambda x: x.sum(1), "sum keepdim": lambda x: x.sum(0, keepdim=True), "mean": lambda x: x.mean(),
    "max": lambda x: x.max(), "min": lambda x: x.min(), "max 0": lambda x: x.max(0), "min 1": lambda x: x.min(1, keepdim=True),
    "amax": lambda x: x.amax(1), "amin": lambda x: x.amin(0), "any": lambda x: x.any(), "all": lambda x: x.all(), "any 1": lambda x: x.any(1),
    "all 0": lambda x: x.all(0, keepdim=True), "clone": lambda x: x.clone(), "T": lambda x: x.T, "reshape": lambda x: x.reshape(3, 2),
    "column": lambda x: x[:, 1], "steps": lambda x: x[:, ::2], "permute": lambda x: x.permute(1, 0), "float": lambda x: x.float(),
    "sum dims": lambda x: x.sum((0, 1), keepdim=True), "any dims": lambda x: x.any((0, -1)), "all dims": lambda x: x.all((-2, 1), True),
    "sum no dims": lambda x: x.sum(()), "any no dims": lambda x: x.any(()), "sum typed": lambda x: x.sum(1, dtype=x.double().dtype),
    "mean typed": lambda x: x.mean(dtype=x.float().dtype), "sum whole": lambda x: x.sum(dtype=x.long().dtype),
    "softmax": lambda x: x.softmax(1, dtype=x.double().dtype), "log_softmax": lambda x: x.log_softmax(0, x.float().dtype),
    "mT": lambda x: x.mT, "cpu": lambda x: x.cpu(), "contiguous": lambda x: x.contiguous(), "to": lambda x: x.to("cpu", x.double().dtype),
    "to like": lambda x: x.to(x.long()), "type": lambda x: x.type(x.double().dtype), "type_as": lambda x: x.type_as(x > 0),
    "bitwise_not": lambda x: x.bitwise_not(), **{name: lambda x, name=name: getattr(x, name)() for name in PREDICATES},
    "double": lambda x: x.double(), "long": lambda x: x.long(), "bool": lambda x: x.bool(), "mask": lambda x: x[x > 1], "iter": lambda x: tuple(x),
}  # fmt: skip
NOT_OF_BOOL = {"neg", "abs", "relu"}  # which NumPy has, or where PyTorch differs between versions
NUMERIC: dict[str, Callable[..., Any]] = {
    "argmax": lambda x: x.argmax(), "argmax 0": lambda x: x.argmax(0), "argmin 1": lambda x: x.argmin(1, keepdim=True),
    "clamp": lambda x: x.clamp(1, 2), "clamp floats": lambda x: x.clamp(max=1.5), "matmul": lambda x: x @ x.T, "pow": lambda x: x.pow(2),
    "clip": lambda x: x.clip(min=1), "maximum": lambda x: x.max(x[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", [*UNARY, *NUMERIC])
def test_functions_of_all_types(name: str) -> None:
    compared = 0
    for dtype in DTYPES:
        if dtype != "bool" or name in UNARY.keys() - NOT_OF_BOOL:
            (x, tx) = pair(dtype)
            compared += same_call((UNARY | NUMERIC)[name], [x], [tx], (name, dtype))
    assert compared >= 2


def test_methods_of_two_tensors() -> None:
    compared = 0
    for name, a, b in itertools.product(METHODS, DTYPES, DTYPES):
        (x, tx), (y, ty) = pair(a, [[0, 1], [2, -1]]), pair(b, [1, 0])
        compared += same_call(METHODS[name], [x, y], [tx, ty], (name, a, b))
    assert compared > 100


def test_predicates_see_special_values() -> None:
    for name in PREDICATES:
        for dtype in ("float32", "float64"):
            x, tx = pair(dtype, [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])
            same(getattr(x, name)(), getattr(tx, name)(), (name, dtype))


@pytest.mark.parametrize("dim", [(0, 1), (0, 2), (1, -1), (2,), (0, 1, 2), ()])
@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin"])
def test_reductions_over_several_dimensions(name: str, dim: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).permutation(24).reshape(2, 3, 4).astype(np.float64)
    for keepdim in (False, True):
        x, tx = nl.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        ours, theirs = getattr(x, name)(dim, keepdim), getattr(tx, name)(dim, keepdim)
        same(ours, theirs, (name, dim, keepdim))
        for result in (ours, theirs):
            (result * result).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), 1e-14)


def test_a_dimension_counts_once() -> None:
    with pytest.raises(RuntimeError, match="dim -2 is given twice"):
        nl.zeros(2, 3).sum((0, -2))
    with pytest.raises(IndexError, match="2 is out of range"):
        nl.zeros(2, 3).any((0, 2))


def test_to_is_the_tensor_itself_unless_copied() -> None:
    x = nl.ones(2, requires_grad=True)
    for same_tensor in (
        x.to("cpu"),
        x.to(nl.device("cpu"), nl.float32),
        x.to(x),
        x.cpu(),
        x.contiguous(),
        x.float(),
        x.type(nl.float),
    ):
        assert same_tensor is x
    for copied in (x.to("cpu", copy=True), x.to(nl.float32, False, True)):
        assert not np.shares_memory(copied.detach().numpy(), x.detach().numpy())
    (x.to(nl.double) * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    for refused in (
        lambda: x.to("cuda"),
        lambda: x.to(device="cuda:0"),
        lambda: x.cuda(),
        lambda: x.to("mps", nl.double),
    ):
        with pytest.raises(ValueError, match="CPU only"):
            refused()


MADE: dict[str, Callable[..., nl.Tensor]] = {
    "tensor": lambda **o: nl.tensor([1], **o),
    "as_tensor": lambda **o: nl.as_tensor([1], **o),
    "full": lambda **o: nl.full((2,), 1, **o),
    "full_like": lambda **o: nl.full_like(nl.ones(2), 1, **o),
    "new_tensor": lambda **o: nl.ones(2).new_tensor([1], **o),
    "new_full": lambda **o: nl.ones(2).new_full((2,), 1, **o),
    "new_ones": lambda **o: nl.ones(2).new_ones(2, **o),
    "linspace": lambda **o: nl.linspace(0, 1, 3, **o),
    "logspace": lambda **o: nl.logspace(0, 1, 3, **o),
    "randint": lambda **o: nl.randint(9, (2,), **o),
    "randint_like": lambda **o: nl.randint_like(nl.ones(2), 9, **o),
    **{
        name: lambda name=name, **o: getattr(nl, name)(3, **o)
        for name in ("zeros", "ones", "empty", "eye", "arange", "rand", "randn", "randperm")
    },
    **{
        name: lambda name=name, **o: getattr(nl, name)(nl.ones(2), **o)
        for name in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like")
    },
}


@pytest.mark.parametrize("name", MADE)
def test_what_makes_tensors_takes_the_cpu_and_a_type(name: str) -> None:
    made = MADE[name](device=nl.device("cpu"), dtype=nl.double)
    assert (made.dtype, made.device) == (nl.float64, nl.device("cpu"))
    with pytest.raises(ValueError, match="CPU only, not on 'cuda'"):
        MADE[name](device="cuda")


def test_where_of_a_condition_alone_gives_positions() -> None:
    condition, theirs = pair("bool", [[0, 1, 1], [1, 0, 0]])
    same(nl.where(condition), torch.where(theirs), "where")
    same(nl.where(np.array([0.0, 2.0])), torch.where(torch.tensor([0.0, 2.0])), "where of numbers")


def test_what_a_tensor_says_of_itself() -> None:
    x = nl.zeros(2, 3, dtype=nl.bool)
    assert (x.device, x.nelement(), x.element_size(), x.is_contiguous()) == (nl.device("cpu"), 6, 1, True)
    assert [t.type() for t in (x, x.long(), x.float(), x.double())] == [
        f"nnlite.{n}Tensor" for n in ("Bool", "Long", "Float", "Double")
    ]
    assert [t.is_floating_point() for t in (x, x.long(), x.float(), x.double())] == [False, False, True, True]


def test_nan_and_ties_of_indices() -> None:
    for values in ([1.0, np.nan, 3.0, np.nan], [2.0, 5.0, 5.0, 2.0], [np.inf, -np.inf, np.nan, 0.0]):
        x, tx = pair("float32", values)
        for name in ("argmax", "argmin", "max", "min"):
            ours, theirs = getattr(x, name)(0), getattr(tx, name)(0)
            same(ours, theirs if isinstance(theirs, torch.Tensor) else tuple(theirs), (name, values))


def test_joining_and_choosing() -> None:
    for a, b in itertools.product(DTYPES, DTYPES):
        (x, tx), (y, ty) = pair(a), pair(b)
        same(nl.cat([x, y]), torch.cat([tx, ty]), ("cat", a, b))
        same(nl.where(x > 1, x, y), torch.where(tx > 1, tx, ty), ("where", a, b))
    condition, theirs = pair("bool", [True, False])
    for left, right in itertools.product(NUMBERS, NUMBERS):
        same(nl.where(condition, left, right), torch.where(theirs, left, right), ("where", left, right))


def test_assignment_by_masks_and_indices() -> None:
    for a, value in itertools.product(DTYPES, [*NUMBERS, "bool", "int64", "float64"]):
        (x, tx), (index, their_index) = pair(a), pair("int64", [1, 0])
        (y, ty) = pair(value, [[5, 0, 7]]) if isinstance(value, str) else (value, value)
        x[x > 1], tx[tx > 1] = 1, 1
        x[1:], tx[1:] = y, ty
        x[index] = y
        tx[their_index] = ty.to(tx.dtype) if isinstance(value, str) else ty  # PyTorch converts in slices alone
        x[0, 1], tx[0, 1] = 2.7, 2.7
        same(x, tx, (a, value))


def test_a_mask_passes_gradients_as_in_pytorch() -> None:
    x, tx = nl.tensor(np.arange(-3.0, 3.0), requires_grad=True), torch.arange(-3.0, 3.0, requires_grad=True)
    for t in (x, tx):
        ((t > 0) * t + (t < -1).float() * t * t + t[t > 1].sum() * (t == 0)).sum().backward()
    assert x.grad.tolist() == tx.grad.tolist()


def test_single_values_are_pythons() -> None:
    assert nl.tensor([True]).item() is True
    assert type(nl.tensor(3).item()) is int
    assert [bool(nl.tensor(v)) for v in (0, 1, 0.0, 2.5, False)] == [False, True, False, True, False]
    assert int(nl.tensor(True)) == 1
    assert [10, 20, 30][nl.tensor([0.1, 0.9, 0.3]).argmax()] == 20
    assert nl.tensor([[True], [False]]).tolist() == [[True], [False]]
    with pytest.raises(OverflowError):
        nl.tensor([1]) + 2**70


def test_foreign_booleans_hold_any_byte() -> None:
    mask = nl.from_numpy(np.frombuffer(bytearray([0, 2, 255]), np.bool_))
    for converted in (mask.long(), mask.float(), mask.double()):
        assert converted.tolist() == [0, 1, 1]


def test_names_of_types() -> None:
    assert nl.tensor([1.0]).dtype == nl.float32 == nl.float == np.float32
    assert nl.tensor([1.0], dtype=nl.double).dtype == nl.float64
    assert isinstance(nl.int64, nl.dtype)
    assert nl.zeros(2, dtype=nl.uint8).dtype == nl.int32 == nl.long == np.int64
    assert nl.ones(2, dtype=nl.bool).dtype == nl.tensor([True]).dtype == np.bool_
    assert nl.tensor(np.array([1, 2], np.uint8)).to("int8").dtype == nl.int64


def test_kept_where_a_tensor_is_kept(tmp_path: Any) -> None:
    import copy
    import pickle

    mask = nl.tensor([True, False])
    for same_mask in (copy.deepcopy(mask), pickle.loads(pickle.dumps(mask)), nl.tensor(mask), mask.detach()):
        assert same_mask.dtype == nl.bool
        assert same_mask.tolist() == [True, False]
    theirs = torch.from_dlpack(mask)
    assert theirs.dtype == torch.bool
    with pytest.raises(TypeError, match="bool"):
        mask.requires_grad_()
