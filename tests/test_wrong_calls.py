"""Wrong calls of the extension: one line that names the function, the argument, the given value and what is allowed."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import _core, nn, ops
from nnlite.nn import functional as F

TENSOR = nl.tensor([[1.0, 2.0], [3.0, 4.0]])
WRONG: list[Any] = [
    None, "text", ["a", "b"], b"bytes", {}, object(), 1.5, [1.0, None], torch.ones(2, requires_grad=True),
    torch.ones(2, 2).to_sparse(), np.ones(2, complex), np.array([None]), np.array(["a"]), TENSOR, (), lambda: 0, 2**70,
]  # fmt: skip
# Valid without arguments, or with any; with a hook that stays on the tensor; a class whose objects the library alone makes.
SKIPPED = {
    "Recorded",
    "gradient_hooks",
    "register_hook",
    "retain_grad",
    "fma_burst",
    "train_epochs",
    "run_batches",
    "set_grad_enabled",
    "set_num_threads",
    "manual_seed",
}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dir(_core):
        value = getattr(_core, name)
        if name in SKIPPED or name.startswith("_"):
            continue
        if not isinstance(value, type):
            yield name, value
        elif not issubclass(value, Exception):
            yield name, value
            composed = ops.METHODS | ops.OPERATORS.keys() if value is _core.Tensor else set()
            members = [
                m
                for m in vars(value)
                if callable(getattr(value, m)) and m not in vars(object).keys() | composed | SKIPPED
            ]
            yield from ((f"{name}.{member}", getattr(value, member)) for member in members)


def complaint_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The text of the TypeError of a call; empty if the call is valid, fails in another way, or if the error
    comes from Python code that the call ran."""
    try:
        function(*args, **kwargs)
    except TypeError as error:
        assert error.__traceback__ is not None
        return str(error) if error.__traceback__.tb_next is None else ""
    except (ValueError, RuntimeError, IndexError, OverflowError, KeyError):
        pass
    return ""


def assert_good(name: str, message: str) -> None:
    assert "\n" not in message, message
    assert len(message) < 300, message
    assert name.split(".")[-1] in message, (name, message)
    for text in ("arg0", "arg1", "nnlite._core", "incompatible", "Invoked", "typing.", "SupportsInt"):
        assert text not in message, message


@pytest.mark.parametrize(
    ("name", "function"), list(functions()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_wrong_call_gets_one_line(name: str, function: Callable[..., Any]) -> None:
    seen = []
    for args in ([], *([w] for w in WRONG), *([w] * 2 for w in WRONG), *([TENSOR, w] for w in WRONG), [TENSOR] * 20):
        seen.append(complaint_of(function, *args))
        seen.append(complaint_of(function, *args, nonsense=1))
    messages = [message for message in seen if message]
    assert messages or name in ("Trace", "Trace.signature"), name
    for message in messages:
        assert_good(name, message)


def test_every_wrong_assignment_to_a_property_gets_one_line() -> None:
    for name, member in vars(_core.Tensor).items():
        if not isinstance(member, property) or member.fset is None:
            continue
        for wrong in ["text", [1], object(), np.ones(3)]:
            with pytest.raises((TypeError, ValueError)) as caught:
                setattr(nl.tensor([1.0]), name, wrong)
            assert_good(name, str(caught.value))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _core.linear(TENSOR, [1.0]), "linear(): weight must be a Tensor, got a list of 1"),
        (lambda: _core.linear(TENSOR), "linear(): needs weight"),
        (lambda: _core.linear(TENSOR, TENSOR, wieght=TENSOR), "linear(): has no argument wieght"),
        (lambda: _core.linear(TENSOR, TENSOR, weight=TENSOR), "linear(): got two values for weight"),
        (lambda: _core.linear(1, 2, 3, 4), "linear(): takes 3 arguments at most, got 4"),
        (lambda: F.linear(TENSOR, None), "linear(): weight must be a Tensor, got None"),
        (lambda: TENSOR.sum("rows"), "Tensor.sum(): dim must be an integer or a sequence or None, got 'rows' (str)"),
        (lambda: TENSOR.sum(1.5), "Tensor.sum(): dim must be an integer or a sequence or None, got 1.5 (float)"),
        (
            lambda: TENSOR.sum(2**70),
            "Tensor.sum(): dim must be an integer or a sequence or None, got 1180591620717411303424 (int)",
        ),
        (lambda: TENSOR.softmax(None), "Tensor.softmax(): dim must be an integer, got None"),
        (lambda: TENSOR.clamp(min="low"), "Tensor.clamp(): min must be a Tensor, an array or numbers, got 'low' (str)"),
        (lambda: TENSOR.relu(1), "Tensor.relu(): takes 0 arguments at most, got 1"),
        (lambda: nl.Tensor.relu(None), "Tensor.relu(): self must be a Tensor, got None"),
        (lambda: TENSOR.reshape("ab"), "Tensor.reshape(): a shape consists of integers, got <class 'str'>"),
        (lambda: nl.Tensor(), "Tensor(): needs data"),
        (lambda: _core.ParameterGroup("SGD", [3]), "ParameterGroup(): parameters[0] must be a Tensor, got 3 (int)"),
        (lambda: _core.unary("relu", None), "unary(): input must be a Tensor, an array or numbers, got None"),
        (lambda: nl.maximum(TENSOR, {"a": 1}), "maximum(): other must be a Tensor, an array or numbers, got a dict"),
    ],
)
def test_messages(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message


def test_a_tensor_that_requires_a_gradient_elsewhere_says_why() -> None:
    with pytest.raises(TypeError, match=r"^linear\(\): input: cannot make a tensor of .*torch.Tensor.*requires grad"):
        nn.Linear(2, 1)(torch.ones(1, 2, requires_grad=True))


def test_an_exception_of_python_code_is_unchanged() -> None:
    class Array:
        dtype = np.dtype(float)

        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            raise TypeError("first line\nsecond line")

    with pytest.raises(TypeError, match=r"first line"):
        _core.unary("relu", Array())


def test_none_in_place_of_a_tensor_does_not_crash() -> None:
    lines = [
        "nl.Tensor.shape.fget(None)", "nl.Tensor.__add__(None, 1)", "_core.FrozenProgram.__call__(None)",
        "_core.ParameterGroup('SGD', [None])", "_core.Trace.signature(None)", "nl.Tensor.data.fset(None, nl.ones(1))",
        "_core.batch_norm(np.ones((2, 3)), nl.ones(3), None, None, None, None, True, 0.1, 1e-5)",
        "_core.Program(_core.Trace(), [None], None)", "_core.Program(_core.Trace(), [None], nl.ones(1))",
        "train_epochs(EpochRequest({1: None}, [np.ones((2, 2))], 1, []))", "_core.train_epochs(None)",
        "_core.step_groups([None], [(0.1, 0, 0, 0, False, False)])",
    ]  # fmt: skip
    script = (
        "import numpy as np, nnlite as nl\nfrom nnlite import _core\n"
        "from nnlite.training.native_epochs import EpochRequest, train_epochs\n"
    )
    for line in lines:
        script += (
            f"try:\n    {line}\nexcept (AttributeError, TypeError, ValueError):\n    pass\nelse:\n    print({line!r})\n"
        )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_wrong_calls_keep_nothing_alive() -> None:
    argument = np.ones(3, complex)
    before = sys.getrefcount(argument)
    for _ in range(100):
        complaint_of(_core.unary, "relu", argument)
        complaint_of(_core.linear, argument, argument)
    gc.collect()
    assert sys.getrefcount(argument) == before
