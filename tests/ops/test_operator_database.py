"""Functions and methods of tensors on the samples of PyTorch's own operator database: value, shape, type, two gradients."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

import nnlite as nl
from nnlite import ops

PAGE = Path(__file__).parents[2] / "docs/pytorch.md"
RANDOM = {
    "bernoulli",
    "empty",
    "empty_like",
    "multinomial",
    "new_empty",
    "normal",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
}  # compared by shape and type
MOST = 60  # samples of one variant under `stress`; linspace and logspace have a thousand each
FEW = 4
SELECTING = {"argsort", "kthvalue", "sort", "topk"}  # PyTorch leaves open which of equal elements has an index
NOT_OF = {torch.int64: {"linspace", "logspace"}, torch.bool: {"square"}}
# Variants of an operator that nnlite does not take, and arguments of a sample.
LEFT_OUT = {
    ("item", ""): "a number of Python's",
    ("int", ""): "int64 is the only integer type",
    ("zero_", ""): "a leaf that requires a gradient refuses to change",
    ("norm", "nuc"): "no singular values",
    ("normal", "in_place"): "fills a tensor",
    ("normal", "number_mean"): "takes a layout",
    ("squeeze", "multiple"): "one dimension",
}  # fmt: skip
PROPERTIES = {"T", "mT"}
DTYPES = (torch.float32, torch.float64, torch.int64, torch.bool)
TOLERANCE = {torch.float32: (3e-6, 2e-5, 1e-4), torch.float64: (1e-9, 1e-9, 1e-8)}  # relative, absolute, of gradients


def function_of(name: str) -> Callable[..., Any] | None:
    """What computes the operator here, if anything does."""
    if name in PROPERTIES:
        return lambda x: getattr(x, name)
    if name == "where":  # the operator takes the condition second
        return lambda x, condition, other: nl.where(condition, x, other)
    function = getattr(nl, name, None)
    return function if callable(function) and not isinstance(function, nl.dtype) else getattr(nl.Tensor, name, None)


def operators() -> Iterator[tuple[str, Any]]:
    for info in op_db:
        for name in sorted({info.name, *(alias.name for alias in info.aliases if alias.name in ops.FUNCTIONS)}):
            if name.isidentifier() and function_of(name) and (name, info.variant_test_name) not in LEFT_OUT:
                yield name, info


OPERATORS = list(operators())


def is_left_out(name: str, sample: Any, dtype: torch.dtype) -> bool:
    if name in NOT_OF.get(dtype, ()) or "reduce" in sample.kwargs:
        return True
    if name in ("addmm", "baddbmm") and dtype == torch.int64:
        return any(factor % 1 for factor in sample.kwargs.values())  # which PyTorch truncates
    if name == "__rpow__" and dtype == torch.int64:  # negative powers, which PyTorch rounds to 0, are an error
        return bool((sample.input < 0).any())
    if name == "cdist" and "use_mm_for_euclid_dist" in sample.args:
        return True  # PyTorch's products of rows lose digits that differences keep
    if name in ("max", "min") and sample.input.ndim == 0 and sample.args:
        return True  # a single value has no dimension 0
    return (
        name in ("cat", "concat") and len({x.ndim for x in sample.input}) > 1
    )  # PyTorch lets tensors of shape (0,) pass


def ours_of(value: Any, leaves: list[tuple[torch.Tensor, nl.Tensor]]) -> Any:
    if isinstance(value, torch.Tensor):
        array = value.detach().numpy()
        if array.dtype.kind != "f":
            return nl.tensor(array)
        leaves.append((value, nl.tensor(array, requires_grad=value.requires_grad)))
        return leaves[-1][1]
    if isinstance(value, torch.dtype):
        return np.dtype(str(value).removeprefix("torch."))
    if isinstance(value, dict):
        return {key: ours_of(item, leaves) for key, item in value.items() if key != "memory_format"}
    if isinstance(value, list | tuple):
        items = [ours_of(item, leaves) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def listed(result: Any) -> list[Any]:
    return [item for part in result for item in listed(part)] if isinstance(result, list | tuple) else [result]


def check(name: str, info: Any, sample: Any, dtype: torch.dtype) -> None:
    leaves: list[tuple[torch.Tensor, nl.Tensor]] = []
    expected = listed(info(sample.input, *sample.args, **sample.kwargs))
    args = [ours_of(sample.input, leaves), *ours_of(sample.args, leaves)]
    if name == "einsum":
        args = [args[1], *args[0]]
    function = function_of(name)
    assert function is not None
    got = listed(function(*args, **ours_of(sample.kwargs, leaves)))
    rtol, atol, gradient_rtol = TOLERANCE.get(dtype, TOLERANCE[torch.float32])
    assert len(got) == len(expected)
    terms, seeds = [], []
    for mine, other in zip(got, expected, strict=True):
        values = np.asarray(mine.detach() if isinstance(mine, nl.Tensor) else mine)
        other = torch.as_tensor(other)
        theirs = other.detach().numpy()
        assert (values.shape, values.dtype) == (theirs.shape, theirs.dtype)
        if name in RANDOM or (name in SELECTING and not dtype.is_floating_point and mine is got[-1]):
            continue
        np.testing.assert_allclose(values, theirs, rtol=rtol, atol=atol)
        if other.requires_grad:
            assert mine.requires_grad
            seeds.append((other, torch.randn(other.shape, dtype=other.dtype)))
            terms.append((mine * nl.tensor(seeds[-1][1].numpy())).sum())
    wanted = [pair for pair in leaves if pair[0].requires_grad]
    if not terms:
        return
    total = sum(terms[1:], terms[0])
    total.backward(retain_graph=True)
    outputs, ones = zip(*seeds, strict=True)
    twice = dtype == torch.float64 and info.supports_gradgrad
    inputs = [theirs for theirs, _ in wanted]
    gradients = torch.autograd.grad(outputs, inputs, ones, allow_unused=True, create_graph=twice)
    for (_, mine), other in zip(wanted, gradients, strict=True):
        assert_same_gradient(mine, mine.grad, other, gradient_rtol, atol, "gradient")
    if twice:
        check_second_gradients(total, [mine for _, mine in wanted], inputs, gradients)


def assert_same_gradient(leaf: Any, mine: Any, other: Any, rtol: float, atol: float, what: str) -> None:
    """A gradient that neither library has counts as 0."""
    a = np.zeros(leaf.shape) if mine is None else mine.detach().numpy()
    b = np.zeros(leaf.shape) if other is None else other.detach().numpy(force=True)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def check_second_gradients(total: nl.Tensor, leaves: list[nl.Tensor], inputs: list[Any], gradients: Any) -> None:
    """The gradient of a random combination of the gradients."""
    combined = []
    for gradient in gradients:
        weights = None if gradient is None else torch.randn(gradient.shape, dtype=gradient.dtype)
        combined.append(weights)
    theirs = [(g * w).sum() for g, w in zip(gradients, combined, strict=True) if g is not None and g.requires_grad]
    if not theirs:
        return
    expected = torch.autograd.grad(sum(theirs), inputs, allow_unused=True)
    ours = nl.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
    terms = [
        (g * nl.tensor(w.numpy())).sum() for g, w in zip(ours, combined, strict=True) if g is not None and w is not None
    ]
    terms = [term for term in terms if term.requires_grad]
    got = nl.autograd.grad(sum(terms[1:], terms[0]), leaves, allow_unused=True) if terms else [None] * len(leaves)
    for leaf, mine, other in zip(leaves, got, expected, strict=True):
        assert_same_gradient(leaf, mine, other, 1e-7, 1e-8, "second gradient")


def samples(name: str, info: Any, dtype: torch.dtype, most: int) -> list[Any]:
    drawn = info.sample_inputs("cpu", dtype, requires_grad=dtype in info.supported_backward_dtypes("cpu"))
    return [sample for sample in itertools.islice(drawn, most) if not is_left_out(name, sample, dtype)]


def compared(name: str, info: Any, most: int) -> list[int]:
    """The number of samples that agree, by type."""
    counts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in DTYPES:
            taken = samples(name, info, dtype, most) if info.supports_dtype(dtype, "cpu") else []
            for number, sample in enumerate(taken):
                try:
                    check(name, info, sample, dtype)
                except (Exception, AssertionError) as error:
                    raise AssertionError(f"{name}, sample {number} of {dtype}: {sample.summary()[:300]}") from error
            counts.append(len(taken))
    return counts


@pytest.mark.parametrize(("name", "info"), OPERATORS, ids=[f"{n}-{i.variant_test_name}" for n, i in OPERATORS])
def test_first_samples(name: str, info: Any) -> None:
    compared(name, info, FEW)


@pytest.mark.stress
@pytest.mark.skipif(not PAGE.exists(), reason="needs the documentation")
def test_all_samples_and_their_count_on_the_page() -> None:
    counts = {(name, info.variant_test_name): compared(name, info, MOST) for name, info in OPERATORS}
    names = [len({name for (name, _), each in counts.items() if each[i]}) for i in range(len(DTYPES))]
    totals = [sum(each[i] for each in counts.values()) for i in range(len(DTYPES))]
    table = "\n".join(
        "| " + " | ".join([label, *map(str, row)]) + " |" for label, row in (("operators", names), ("samples", totals))
    )
    assert table in PAGE.read_text(), f"docs/pytorch.md should have these counts:\n{table}"


@pytest.mark.skipif(not PAGE.exists(), reason="needs the documentation")
def test_the_page_counts_the_names() -> None:
    names = {name for name, _ in OPERATORS}
    assert f"{len(names)} of the operators in PyTorch's database" in PAGE.read_text(), f"there are {len(names)}"
