"""Lines of PyTorch programs run unchanged, with the same results, when `torch` is nnlite."""

from __future__ import annotations

import ast
import sys
import types
from typing import Any

import numpy as np
import pytest

import idioms_of_networks
import idioms_of_tensors
import nnlite
from idioms import COMMONEST, LEFT_OUT, PREAMBLE

torch = pytest.importorskip("torch")


COMMON = idioms_of_tensors.LINES + idioms_of_networks.LINES


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def modules_of(library: types.ModuleType) -> dict[str, types.ModuleType]:
    """What `import torch...` finds when torch is the library."""
    if library is torch:
        return {}
    data = types.ModuleType("torch.utils.data")
    data.__dict__.update({name: getattr(nnlite.utils.data, name) for name in dir(nnlite.utils.data)})
    return {"torch": nnlite, "torch.utils": nnlite.utils, "torch.utils.data": data}


def value_of(line: str, library: types.ModuleType, monkeypatch) -> Any:
    """The value of the line's last expression."""
    for name, module in modules_of(library).items():
        monkeypatch.setitem(sys.modules, name, module)
    names: dict[str, Any] = {"torch": library, "nn": library.nn, "F": library.nn.functional, "optim": library.optim}
    try:
        exec(PREAMBLE, names)
        body = ast.parse(line.removesuffix("# shape").strip()).body
        last = body.pop()
        assert isinstance(last, ast.Expr), f"the line does not end in an expression: {line}"
        exec(compile(ast.Module(body, []), "<idiom>", "exec"), names)
        return eval(compile(ast.Expression(last.value), "<idiom>", "eval"), names)
    finally:
        names.clear()  # a hook that refers to these names would keep its tensor


def plain(value: Any) -> Any:
    """A value of either library as one that both share: tensors as (dtype, array), names of classes without modules."""
    if isinstance(value, torch.Tensor | nnlite.Tensor):
        return [str(value.dtype).rpartition(".")[2], np.array(value.detach().numpy())]
    if isinstance(value, torch.dtype | np.dtype):
        return str(value).rpartition(".")[2]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, torch.nn.Module | nnlite.nn.Module):
        return repr(value)
    return value


def assert_same(ours: Any, theirs: Any, random: bool) -> None:
    if isinstance(theirs, list):
        assert isinstance(ours, list), ours
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b, random)
    elif isinstance(theirs, np.ndarray):
        assert isinstance(ours, np.ndarray), ours
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if not random:
            np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)  # one float32 operation or a few
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=2e-6, abs=1e-6, nan_ok=True)
    else:
        assert type(ours) is type(theirs), (type(ours), type(theirs))
        assert ours == theirs


@pytest.mark.parametrize("line", lines_of(COMMONEST + COMMON))
def test_runs_with_the_same_result(line: str, monkeypatch, capsys) -> None:
    theirs = plain(value_of(line, torch, monkeypatch))
    ours = plain(value_of(line, nnlite, monkeypatch))
    assert_same(ours, theirs, line.endswith("# shape"))


@pytest.mark.parametrize("line", lines_of(LEFT_OUT))
def test_what_is_left_out_names_the_alternative(line: str, monkeypatch) -> None:
    with pytest.raises(
        (AttributeError, ValueError, RuntimeError, TypeError, NotImplementedError),
        match=r"nnlite (runs|has)|use n[pl]\.|Trainer|float32",
    ):
        value_of(line, nnlite, monkeypatch)


def test_there_are_enough_lines() -> None:
    lines = lines_of(COMMONEST + COMMON)
    assert len(lines) == len(set(lines)) >= 200
