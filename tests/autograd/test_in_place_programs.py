"""Random programs of tensor operations with in-place steps against PyTorch in float64: the same values and gradients, or
both raise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl

UNARY = ["exp", "tanh", "sigmoid", "relu", "abs", "sqrt"]
BINARY = ["add", "sub", "mul", "div"]
SHAPES = [(2, 3), (3,), (1, 3), (2, 1), ()]


class Step:
    """One step of a program, the same for both libraries: tensors are named by their numbers."""

    def __init__(self, kind: str, run: Callable[[Any, list[Any]], Any], text: str) -> None:
        self.kind, self.run, self.text = kind, run, text

    def __repr__(self) -> str:
        return self.text


def operate(name: str, a: Any, b: Any) -> Any:
    return {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b, "div": lambda: a / b}[name]()


def operate_in_place(name: str, a: Any, b: Any) -> Any:
    if name == "add":
        a += b
    elif name == "sub":
        a -= b
    elif name == "mul":
        a *= b
    else:
        a /= b
    return a


def random_key(rng: np.random.Generator) -> Any:
    keys = [0, 1, -1, slice(1, None), slice(0, 1), ..., (..., 0), (slice(None), 1), (0, 1), (slice(None), slice(1, None)), [0, 1], (..., [0, 2])]  # fmt: skip
    return keys[rng.integers(len(keys))]


def random_step(rng: np.random.Generator, count: int) -> Step:
    """A step on some of `count` tensors; it may not fit their shapes, and then raises in both libraries."""
    i, j = int(rng.integers(count)), int(rng.integers(count))
    name, binary = str(rng.choice(UNARY)), str(rng.choice(BINARY))
    key, number = random_key(rng), float(np.round(rng.normal(), 2)) or 0.5
    shape = [(-1,), (3, 2), (1, -1), (2, 3)][rng.integers(4)]

    def item(lib: Any, t: list[Any]) -> None:
        t[i][key] = t[j]

    def number_item(lib: Any, t: list[Any]) -> None:
        t[i][key] = number

    def item_in_place(lib: Any, t: list[Any]) -> None:
        t[i][key] = operate_in_place(binary, t[i][key], t[j])

    def without_grad(lib: Any, t: list[Any]) -> None:
        with lib.no_grad():
            operate_in_place(binary, t[i], number)

    steps: list[tuple[float, str, Callable[[Any, list[Any]], Any], str]] = [
        (4, "new", lambda lib, t: getattr(t[i], name)(), f"t{i}.{name}()"),
        (6, "new", lambda lib, t: operate(binary, t[i], t[j]), f"{binary}(t{i}, t{j})"),
        (1, "new", lambda lib, t: t[i] @ t[j], f"t{i} @ t{j}"),
        (3, "new", lambda lib, t: t[i][key], f"t{i}[{key}]"),
        (2, "new", lambda lib, t: t[i].reshape(*shape), f"t{i}.reshape{shape}"),
        (1, "new", lambda lib, t: t[i].sum(), f"t{i}.sum()"),
        (1, "new", lambda lib, t: t[i].detach(), f"t{i}.detach()"),
        (1, "new", lambda lib, t: t[i].clone(), f"t{i}.clone()"),
        (1, "new", lambda lib, t: t[i].unsqueeze(0), f"t{i}.unsqueeze(0)"),
        (1, "new", lambda lib, t: t[i].softmax(-1), f"t{i}.softmax(-1)"),
        (6, "in place", lambda lib, t: operate_in_place(binary, t[i], t[j]), f"{binary}_(t{i}, t{j})"),
        (2, "in place", lambda lib, t: operate_in_place(binary, t[i], number), f"{binary}_(t{i}, {number})"),
        (2, "in place", lambda lib, t: getattr(t[i], name + "_")(), f"t{i}.{name}_()"),
        (1, "in place", lambda lib, t: t[i].zero_(), f"t{i}.zero_()"),
        (2, "in place", lambda lib, t: t[i].copy_(t[j]), f"t{i}.copy_(t{j})"),
        (2, "in place", lambda lib, t: t[i].add_(t[j], alpha=number), f"t{i}.add_(t{j}, alpha={number})"),
        (4, "in place", item, f"t{i}[{key}] = t{j}"),
        (2, "in place", number_item, f"t{i}[{key}] = {number}"),
        (2, "in place", item_in_place, f"t{i}[{key}] {binary}= t{j}"),
        (2, "in place", without_grad, f"no_grad: {binary}_(t{i}, {number})"),
    ]
    weights = np.array([step[0] for step in steps])
    _, kind, run, text = steps[rng.choice(len(steps), p=weights / weights.sum())]
    return Step(kind, run, text)


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        return error


def fits(step: Step, tensors: list[Any]) -> bool:
    """Whether the shapes allow a step, even if the tape refuses it."""
    copies = [t.detach().clone() for t in tensors]
    return not isinstance(outcome(lambda: step.run(torch, copies)), Exception)


def is_copy(theirs: Any) -> bool:
    """A view in PyTorch that is a copy here: columns."""
    return bool(theirs._is_view()) and not theirs.is_contiguous()


def run_program(seed: int, length: int) -> str:
    """Runs one program in both; returns how it ended."""
    rng = np.random.default_rng(seed)
    ours: list[Any] = []
    theirs: list[Any] = []
    for _ in range(3):
        values = rng.uniform(0.5, 1.5, SHAPES[rng.integers(len(SHAPES))])
        wanted = bool(rng.random() < 0.6)
        ours.append(nl.tensor(values, requires_grad=wanted))
        theirs.append(torch.tensor(values, requires_grad=wanted))
    leaves = list(zip(ours, theirs, strict=True))
    ours += [t.clone() for t in ours[:2]]
    theirs += [t.clone() for t in theirs[:2]]
    program: list[Step] = []
    for _ in range(length):
        step = random_step(rng, len(ours))
        if rng.random() < 0.95 and not fits(step, theirs):
            continue
        program.append(step)
        mine, other = outcome(lambda s=step: s.run(nl, ours)), outcome(lambda s=step: s.run(torch, theirs))
        if isinstance(other, Exception) and "single memory location" in str(other):
            return "overlap"  # reads first, then writes, as NumPy does
        context = f"seed {seed}: {program}"
        assert isinstance(mine, Exception) == isinstance(other, Exception), f"{context}: {mine!r}, PyTorch {other!r}"
        if isinstance(mine, Exception):
            if step.kind == "in place":  # PyTorch may have written part of it
                return "step raises"
            program.pop()
        elif step.kind == "new":
            if is_copy(other):
                return "copy"
            ours.append(mine)
            theirs.append(other)
        for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            np.testing.assert_allclose(
                a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=f"t{n}, {context}"
            )
            assert (a.requires_grad, a.is_leaf) == (b.requires_grad, b.is_leaf), f"t{n}, {context}"
    return finish(ours, theirs, leaves, f"seed {seed}: {program}")


def finish(ours: list[Any], theirs: list[Any], leaves: list[tuple[Any, Any]], context: str) -> str:
    """The backward pass from the sum of everything that requires a gradient."""

    def total(tensors: list[Any]) -> Any:
        parts = [(t * t).sum() for t in tensors if t.requires_grad]
        return sum(parts[1:], parts[0]) if parts else None

    mine, other = total(ours), total(theirs)
    if other is None:
        return "no gradient"
    if not torch.isfinite(other):
        return "not finite"  # whether 0 times infinity occurs in a gradient depends on how it is written
    raised, expected = outcome(mine.backward), outcome(other.backward)
    assert isinstance(raised, Exception) == isinstance(expected, Exception), (
        f"{context}: {raised!r}, PyTorch {expected!r}"
    )
    if isinstance(raised, Exception):
        assert "modified by an inplace operation" in str(raised)
        return "backward raises"
    for n, (a, b) in enumerate(leaves):
        if b.grad is None:
            assert a.grad is None or not a.grad.numpy().any(), f"gradient of t{n}, {context}"
            continue
        gradient = np.zeros(a.shape) if a.grad is None else a.grad.numpy()
        np.testing.assert_allclose(
            gradient, b.grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=f"gradient of t{n}, {context}"
        )
    return "gradients"


def run_programs(seeds: range) -> dict[str, int]:
    ends: dict[str, int] = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:
            end = run_program(seed, 2 + seed % 12)
            ends[end] = ends.get(end, 0) + 1
    return ends


def test_random_programs_match_pytorch() -> None:
    ends = run_programs(range(500))
    assert ends["gradients"] > 150
    assert ends["backward raises"] > 5


@pytest.mark.stress
@pytest.mark.parametrize("part", range(10))
def test_many_random_programs(part: int) -> None:
    run_programs(range(1000 + 2000 * part, 3000 + 2000 * part))
