"""Tensors and the arrays of NumPy and other libraries."""

from __future__ import annotations

import array

import numpy as np
import pytest

import nnlite as nl

VALUES = [1.0, 1e300, -2.5]


class OnlyDLPack:
    """An array of a library with no other protocol."""

    def __init__(self) -> None:
        self.values = np.array(VALUES)

    def __dlpack__(self, **options: object) -> object:
        return self.values.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def doubles() -> dict[str, object]:
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    return {
        "array": np.array(VALUES),
        "Series": pandas.Series(VALUES),
        "Series with other labels": pandas.Series(VALUES, index=[7, 5, 3]),
        "Float64": pandas.Series(VALUES, dtype="Float64"),
        "Index": pandas.Index(VALUES),
        "DataFrame": pandas.DataFrame({"a": VALUES}),
        "torch": torch.tensor(VALUES, dtype=torch.float64),
        "memoryview": memoryview(np.array(VALUES)),
        "array.array": array.array("d", VALUES),
        "DLPack": OnlyDLPack(),
        "big endian": np.array(VALUES, ">f8"),
    }


@pytest.mark.parametrize("make", [nl.as_tensor, nl.tensor])
def test_doubles_of_other_libraries_stay_doubles(make) -> None:
    for name, value in doubles().items():
        made = make(value)
        assert made.dtype == np.float64, name
        assert made.numpy().ravel().tolist() == VALUES, name
    assert make(np.float64(0.1)).item() == 0.1


@pytest.mark.parametrize("make", [nl.as_tensor, nl.tensor])
def test_numbers_of_python_become_singles(make) -> None:
    for value in ([1.0, 2.0], (1.0, 2.0), 1.0, [[1.0]], np.ones(2, np.float32), array.array("f", [1.0])):
        assert make(value).dtype == np.float32, value
    assert make(array.array("l", [1])).dtype == np.int64


def test_objects_that_cannot_become_a_tensor_say_why() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"of a <class .torch.Tensor.>: .*requires grad"):
        nl.as_tensor(torch.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"of a <class .torch.Tensor.>: .*BFloat16"):
        nl.tensor(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"of a <class .list.>: .*inhomogeneous"):
        nl.tensor([[1.0], [1.0, 2.0]])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="earlier copy=False meant: if needed")
def test_an_array_that_must_not_be_a_copy() -> None:
    tensor = nl.ones(3)
    for wanted in (None, np.float32, "f4"):
        assert np.shares_memory(np.asarray(tensor, dtype=wanted, copy=False), tensor.numpy())
    for wanted in (np.float64, np.int64, ">f4"):
        with pytest.raises(ValueError, match="Unable to avoid copy"):
            np.asarray(tensor, dtype=wanted, copy=False)
        assert np.asarray(tensor, dtype=wanted).dtype == np.dtype(wanted)
    assert not np.shares_memory(np.array(tensor, copy=True), tensor.numpy())


X = nl.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
FUNCTIONS = [
    (np.sum, (X,), {}), (np.sum, (X,), {"axis": 1, "keepdims": True}), (np.mean, (X, 0), {}), (np.max, (X,), {"axis": 0}),
    (np.min, (X,), {}), (np.prod, (X,), {}), (np.std, (X,), {"axis": 1}), (np.var, (X,), {}), (np.argmax, (X, 1), {}),
    (np.median, (X,), {}), (np.percentile, (X, 50), {}), (np.exp, (X,), {}), (np.add, (X, X), {}), (np.clip, (X, 2, 4), {}),
    (np.concatenate, ([X, X],), {"axis": 1}), (np.stack, ((X, np.ones((2, 3))),), {}), (np.where, (X.numpy() > 2, X, 0), {}),
    (np.transpose, (X,), {}), (np.reshape, (X, (3, 2)), {}), (np.squeeze, (X,), {}), (np.sort, (X,), {}), (np.dot, (X, X.T), {}),
    (np.einsum, ("ij,ij->i", X, X), {}), (np.linalg.norm, (X,), {"axis": 1}), (np.cumsum, (X,), {"axis": 0}),
    (np.isfinite, (X,), {}), (np.unique, (X,), {}), (np.zeros_like, (X,), {}), (np.any, (X,), {}), (np.size, (X,), {}),
    (np.round, (X, 1), {}), (np.allclose, (X, X), {}), (np.array_equal, (X, X), {}), (np.matmul, (X, X.T), {}),
]  # fmt: skip


def plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value.numpy() if isinstance(value, nl.Tensor) else value


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case[0].__name__)
def test_functions_of_numpy(case) -> None:
    function, arguments, options = case
    result, expected = function(*arguments, **options), function(*plain(arguments), **options)
    np.testing.assert_array_equal(result, expected)
    assert type(result) is type(expected)


@pytest.mark.parametrize("function", [np.sum, np.mean, np.max, np.squeeze, np.concatenate, np.linalg.norm])
def test_a_gradient_is_not_lost_silently(function) -> None:
    x = nl.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=f"np.{function.__name__} would lose the gradient"):
        function([x, x] if function is np.concatenate else x)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
    assert np.zeros_like(x).shape == (2, 3)
