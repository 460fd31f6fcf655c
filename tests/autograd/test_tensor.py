"""The Tensor class: construction, reading, conversion and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnlite as nl


def test_types_follow_pytorch() -> None:
    assert nl.tensor([1.0]).dtype == np.float32
    assert nl.tensor([1]).dtype == np.int64
    assert nl.tensor(2.5).shape == ()
    for dtype in (np.float32, np.float64, np.int64, np.bool_):
        assert nl.tensor(np.ones(2, dtype)).dtype == dtype
    for dtype in (np.uint8, np.int32):
        assert nl.tensor(np.ones(2, dtype)).dtype == np.int64
    assert nl.tensor(np.ones(2, np.float16)).dtype == np.float32
    assert nl.tensor([1, 2], dtype="float64").dtype == np.float64


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(12.0)[::2], np.arange(6.0).astype(">f8"), np.arange(6.0)[::-1],
        np.arange(6.0).reshape(2, 3).T, np.array(3.0), np.broadcast_to(np.arange(3.0), (2, 3)), np.frombuffer(b"\0" * 25, np.uint8)[1:].view(np.float64),
    ],
    ids=["fortran", "strided", "big-endian", "reversed", "transposed", "0-d", "broadcast", "unaligned"],
)  # fmt: skip
def test_any_layout_is_read_correctly(array: np.ndarray) -> None:
    np.testing.assert_array_equal(nl.tensor(array).numpy(), array)
    np.testing.assert_array_equal((nl.as_tensor(array) * 1).numpy(), array.astype(np.float32))
    assert nl.as_tensor(array).numpy().flags.carray, "kernels read contiguous, aligned rows"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_tensor_copies_and_from_numpy_shares(dtype: type) -> None:
    array = np.zeros(3, dtype)
    copy, shared = nl.tensor(array), nl.from_numpy(array)
    assert copy.dtype == shared.dtype == dtype
    array[0] = 1
    assert copy.numpy()[0] == 0
    assert shared.numpy()[0] == 1
    locked = np.zeros(3, dtype)
    locked.flags.writeable = False
    nl.from_numpy(locked).fill_(1.0)
    assert locked[0] == 0


def test_numpy_and_dlpack_share_memory() -> None:
    x = nl.tensor([1.0, 2.0])
    view = x.numpy()
    view[0] = 5
    assert x.tolist() == [5.0, 2.0]
    theirs = torch.from_dlpack(x)
    theirs[1] = 7
    assert x.tolist() == [5.0, 7.0]
    np.testing.assert_array_equal(np.from_dlpack(x), view)
    assert x.__dlpack_device__() == (1, 0)


def test_memory_lives_as_long_as_its_views() -> None:
    view = nl.tensor(np.arange(1000.0)).numpy()
    np.testing.assert_array_equal(view, np.arange(1000.0))


@pytest.mark.parametrize(
    "value",
    [[object()], ["a"], np.array([1 + 2j]), np.array(["x"]), np.array([None])],
    ids=["object", "text list", "complex", "text", "none"],
)
def test_values_that_are_not_numbers_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"dtype|tensor"):
        nl.tensor(value)


def test_arrays_and_tensors_mix() -> None:
    x, array = nl.tensor([1.0, 2.0]), np.array([10.0, 20.0])
    for result in (x + array, array + x, x * 2, 2 * x, 1 - x, array / x):
        assert isinstance(result, nl.Tensor)
        assert result.dtype == np.float32
    np.testing.assert_array_equal((array - x).numpy(), [9, 18])
    np.testing.assert_array_equal((np.ones((2, 2), np.float32) @ x).numpy(), [3, 3])
    assert (x + nl.tensor(array)).dtype == np.float64
    with pytest.raises(TypeError):
        x + "one"


def test_comparisons_are_tensors() -> None:
    x = nl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert repr(x > 1.5) == "tensor([False,  True,  True])"
    assert (x == nl.tensor([1.0, 0.0, 3.0])).tolist() == [True, False, True]
    assert x != "text"
    assert [value in x for value in (2, 5, "text", None)] == [True, False, False, False]
    assert len({x, x}) == 1
    with pytest.raises(RuntimeError, match=r"\(3,\).*any\(\)"):
        bool(x > 1)


def test_single_values() -> None:
    x = nl.tensor([[2.5]])
    assert x.item() == float(x) == 2.5
    assert int(nl.tensor(3)) == 3
    assert bool(nl.tensor(0.0)) is False
    assert f"{nl.tensor(1.0):.2f} {nl.tensor(2)} {nl.tensor(True)} {nl.tensor([2])}" == "1.00 2 True tensor([2])"
    with pytest.raises(ValueError, match=r"\(2,\)"):
        nl.tensor([1.0, 2.0]).item()
    with pytest.raises(TypeError):
        len(nl.tensor(1.0))


def test_repr_shows_values_and_origin() -> None:
    x = nl.tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert "grad_fn=<MulBackward0>" in repr(x * 2)
    assert "dtype=float64" in repr(x.double())


def test_leaves_and_gradients() -> None:
    x = nl.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    assert x.is_leaf
    assert not y.is_leaf
    assert y.requires_grad
    y.backward()
    y2 = (3 * x).sum()
    y2.backward()  # gradients accumulate until zeroed
    np.testing.assert_array_equal(x.grad.numpy(), [5, 7])
    x.grad = None
    assert x.grad is None


def test_backward_errors() -> None:
    x = nl.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="one element"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="requires a gradient"):
        nl.tensor(1.0).backward()
    with pytest.raises(ValueError, match=r"\(3,\)"):
        (x * 2).backward(np.ones(3))
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()


def test_detach_and_no_grad() -> None:
    x = nl.tensor([1.0], requires_grad=True)
    assert not (x.detach() * 2).requires_grad
    with nl.no_grad():
        assert not (x * 2).requires_grad
        with nl.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @nl.no_grad()
    def double(t: nl.Tensor) -> nl.Tensor:
        return t * 2

    assert not double(x).requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    with pytest.raises(TypeError, match="int64"):
        nl.tensor([1], requires_grad=True)


def test_in_place_changes() -> None:
    x = nl.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        x -= 1
    before = x
    with nl.no_grad():
        x -= 1
        x *= 3
    assert x is before
    assert x.tolist() == [0.0, 3.0]
    total = nl.tensor(0.0)
    total += (x * x).sum()  # a computed value is recomputed
    total.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 6])


@pytest.mark.parametrize("values", [[1, 2], [True, False]])
def test_what_needs_floats_says_so(values: list[int]) -> None:
    x = nl.tensor(values)
    for use in (lambda: x.mean(), lambda: x.softmax(0), lambda: nl.nn.functional.mse_loss(x, x)):
        with pytest.raises(TypeError, match=rf"float32 or float64, got {x.dtype}.*float\(\)"):
            use()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nl.ones(2, 3) @ nl.ones(2, 3), ValueError, r"\[matmul\].*\(2, 3\).*inner sizes 3 and 2"),
        (lambda: nl.ones(2, 3) + nl.ones(4), ValueError, r"\[add\].*\(2, 3\).*\(4,\)"),
        (lambda: nl.ones(2, 3).reshape(4), ValueError, r"\[reshape\].*\(2, 3\).*\(4,\)"),
        (lambda: nl.ones(2, 3).sum(2), IndexError, r"\[sum\] dim 2"),
        (lambda: nl.ones(2)[2], IndexError, r"index 2.*\(2,\)"),
        (lambda: nl.ones(2)[np.array([0, 5])], IndexError, r"index 5 at position 1"),
        (lambda: nl.ones(2)[0.5], IndexError, "indexed by"),
        (lambda: nl.concatenate([nl.ones(2, 3), nl.ones(2, 4)]), ValueError, r"tensor 1.*\(2, 4\)"),
        (lambda: nl.ones(2).to("float16"), TypeError, "float16"),
        (lambda: nl.zeros(3).max(0).values.reshape(-1, -1), ValueError, "one size may be -1"),
    ],
)  # fmt: skip
def test_errors_name_operation_and_shapes(call, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_each_thread_has_its_own_no_grad() -> None:
    import threading

    seen = []
    with nl.no_grad():
        thread = threading.Thread(target=lambda: seen.append(nl.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]
