"""autograd.grad, hooks, retained gradients and modes: the same program with PyTorch and with nnlite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn

X = np.array([[1.0, -2.0], [0.5, 3.0]])
LIBRARIES = [torch, nl]
Program = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """Results of either library in a form that can be compared."""
    if isinstance(value, torch.Tensor | nl.Tensor):
        return np.asarray(value.detach()).tolist()
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value


def assert_same(found: Any, expected: Any) -> None:
    """Up to the last bits of exp and the like."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-14) if isinstance(expected, float) else expected)


def leaf(lib: Any, values: Any = X) -> Any:
    return lib.tensor(values, requires_grad=True)


def several_outputs_and_inputs(lib: Any) -> Any:
    x, w = leaf(lib), leaf(lib, X + 1)
    return lib.autograd.grad([(x * w).sum(), x.exp()], [w, x], [None, lib.tensor(X)]), x.grad, w.grad


def intermediate_inputs(lib: Any) -> Any:
    x = leaf(lib)
    h = x * 3
    return lib.autograd.grad((h * h).sum(), [h, x, h])


def unused_inputs(lib: Any) -> Any:
    x, w = leaf(lib), leaf(lib)
    y = (x * x).sum()
    return (
        lib.autograd.grad(y, [x, w], retain_graph=True, allow_unused=True),
        lib.autograd.grad(y, [x, w], materialize_grads=True),
    )


def an_output_by_itself(lib: Any) -> Any:
    x = leaf(lib, 2.0)
    y = x * 2
    return lib.autograd.grad(y, y, retain_graph=True), lib.autograd.grad(y, [x, y])


def an_output_behind_another(lib: Any) -> Any:
    x = leaf(lib)
    h = x * x
    seed = lib.tensor(X)
    gradients = lib.autograd.grad([(h * 3).sum(), h], x, [None, seed])
    return gradients, seed


def backward_of_several(lib: Any) -> Any:
    x = leaf(lib)
    lib.autograd.backward([(x * 2).sum(), x.exp()], [None, lib.tensor(X)])
    return x.grad


def backward_to_chosen_tensors(lib: Any) -> Any:
    x, w = leaf(lib), leaf(lib)
    h = x * w
    (h * h).sum().backward(inputs=[w], retain_graph=True)
    (h * h).sum().backward(inputs=w)
    return x.grad, w.grad


def hook_on_a_leaf(lib: Any) -> Any:
    """Called once with the whole gradient; what is there already stays apart."""
    x, seen = leaf(lib), []
    handle = x.register_hook(lambda g: seen.append(plain(g)))
    x.register_hook(lambda g: g * 10)
    for _ in range(2):
        (x * x + x).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    return x.grad, seen


def hook_on_a_result(lib: Any) -> Any:
    x, seen = leaf(lib), []
    h = x * 2
    y = (h * h + h).sum()
    with h.register_hook(lambda g: seen.append(plain(g))):
        h.register_hook(lambda g: g + 1)
        y.backward(retain_graph=True)
    y.backward()
    return x.grad, seen


def hook_that_removes_itself(lib: Any) -> Any:
    x, seen = leaf(lib), []

    def once(g: Any) -> None:
        seen.append(plain(g))
        handle.remove()

    handle = x.register_hook(once)
    for _ in range(2):
        (x * x).sum().backward()
    return x.grad, seen


def hooks_run_unrecorded(lib: Any) -> Any:
    x, seen = leaf(lib), []
    x.register_hook(lambda g: seen.append((lib.is_grad_enabled(), g.requires_grad)))
    (x * x).sum().backward()
    return seen


def retained(lib: Any) -> Any:
    x = leaf(lib)
    h = x * 2
    h.register_hook(lambda g: g * 5)
    h.retain_grad()
    h.retain_grad()
    x.retain_grad()
    for _ in range(2):
        (h * h).sum().backward(retain_graph=True)
    return h.grad, x.grad, h.retains_grad, x.retains_grad, (h * 1).retains_grad


def retained_through_a_change(lib: Any) -> Any:
    x = leaf(lib)
    h = x * 2
    h.retain_grad()
    h.mul_(3)
    (h * h).sum().backward()
    return h.grad, x.grad


def where_it_comes_from(lib: Any) -> Any:
    x = leaf(lib)
    y = (x * 2).exp()
    return (
        x.grad_fn is None,
        y.grad_fn.name(),
        y.is_leaf,
        y.detach().grad_fn is None,
        "<ExpBackward0>" in repr(y),
    )


def inference(lib: Any) -> Any:
    x = leaf(lib)

    @lib.inference_mode()
    def called(x: Any) -> Any:
        return x * 2

    @lib.inference_mode
    def bare(x: Any) -> Any:
        return x * 2

    @lib.inference_mode(False)
    def off(x: Any) -> Any:
        return x * 2

    with lib.inference_mode():
        inside = (x * 2).requires_grad
    with lib.inference_mode(mode=False):
        outside = (x * 2).requires_grad
    return inside, outside, called(x).requires_grad, bare(x).requires_grad, off(x).requires_grad, lib.is_grad_enabled()


PROGRAMS = [
    several_outputs_and_inputs, intermediate_inputs, unused_inputs, an_output_by_itself, an_output_behind_another,
    backward_of_several, backward_to_chosen_tensors, hook_on_a_leaf, hook_on_a_result, hook_that_removes_itself,
    hooks_run_unrecorded, retained, retained_through_a_change, where_it_comes_from, inference,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_give_pytorchs_results(program: Program) -> None:
    expected, found = (plain(program(lib)) for lib in LIBRARIES)
    assert_same(found, expected)


def unused(lib: Any) -> None:
    lib.autograd.grad(leaf(lib).sum(), leaf(lib))


def unused_without_permission(lib: Any) -> None:
    lib.autograd.grad(leaf(lib).sum(), leaf(lib), allow_unused=False)


def without_gradient(lib: Any) -> None:
    lib.autograd.grad(leaf(lib).sum(), lib.tensor(X))


def from_nothing(lib: Any) -> None:
    lib.autograd.grad(lib.tensor(X).sum(), leaf(lib))


def of_many_elements(lib: Any) -> None:
    x = leaf(lib)
    lib.autograd.grad(x * 2, x)


def twice(lib: Any) -> None:
    x = leaf(lib)
    y = (x * x).sum()
    lib.autograd.grad(y, x)
    lib.autograd.grad(y, x)


def too_few_seeds(lib: Any) -> None:
    x = leaf(lib)
    lib.autograd.grad([x.sum(), x.sum()], x, [lib.tensor(1.0)])


def hook_without_gradient(lib: Any) -> None:
    lib.tensor(X).register_hook(print)


def retain_without_gradient(lib: Any) -> None:
    lib.tensor(X).retain_grad()


def no_inputs(lib: Any) -> None:
    leaf(lib).sum().backward(inputs=[])


ERRORS = [
    unused, unused_without_permission, without_gradient, from_nothing, of_many_elements, twice, too_few_seeds, no_inputs,
    hook_without_gradient, retain_without_gradient,
]  # fmt: skip


@pytest.mark.parametrize("program", ERRORS)
def test_mistakes_raise_as_in_pytorch(program: Program) -> None:
    for lib in LIBRARIES:
        with pytest.raises(RuntimeError):
            program(lib)


def test_other_mistakes_are_named() -> None:
    x = leaf(nl)
    with pytest.raises(TypeError, match="inputs must be a Tensor or several, got str"):
        nl.autograd.grad(x.sum(), "x")  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        nl.autograd.grad(x.sum(), x, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="inputs is empty"):
        no_inputs(nl)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ValueError, match=r"gradient of shape \(\) .* instead of shape \(2, 2\)"):
        (x * x).sum().backward()


def test_grad_computes_the_bits_of_backward() -> None:
    """With a hook that does nothing too, and where a gradient is already there."""
    nl.manual_seed(0)
    model = nn.MLP([5, 16, 16, 3])
    data = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)

    def loss() -> nl.Tensor:
        return (model(data) ** 2).mean() + sum(((p * p).sum() for p in model.parameters()), nl.tensor(0.0))

    parameters = list(model.parameters())
    first = nl.autograd.grad(loss(), parameters)
    loss().backward()
    assert all((p.grad.numpy() == g.numpy()).all() for p, g in zip(parameters, first, strict=True))
    loss().backward()
    summed = [p.grad.numpy().copy() for p in parameters]
    model.zero_grad()
    other = nl.ones(1, requires_grad=True)
    handle = other.register_hook(lambda g: None)
    for _ in range(2):
        loss().backward()
    handle.remove()
    assert all((p.grad.numpy() == g).all() for p, g in zip(parameters, summed, strict=True))


def test_a_hooks_gradient_is_not_changed_by_later_sums() -> None:
    x, kept = leaf(nl), nl.tensor(X)
    x.register_hook(lambda g: kept)
    for _ in range(2):
        (x * 2).sum().backward()
    assert plain(kept) == X.tolist()
    assert plain(x.grad) == (2 * X).tolist()


def test_hooks_refuse_capture() -> None:
    """A parameter's hook before the fit, and a result's within the forward pass."""
    y = np.zeros(8, np.int64)

    def fitted(trainer: nl.Trainer, compile: bool) -> None:
        trainer.fit(np.ones((8, 2), np.float32), y, epochs=1, progress=False, compile=compile)

    class Watched(nn.Linear):
        def forward(self, input: Any) -> nl.Tensor:
            output = super().forward(input)
            output.register_hook(seen.append)
            return output

    seen: list[Any] = []
    layer = nn.Linear(2, 2)
    trainers = [
        nl.Trainer(model, nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1))
        for model in (layer, Watched(2, 2))
    ]
    for _ in range(3):
        fitted(trainers[0], True)
    handle = layer.weight.register_hook(seen.append)
    for trainer in trainers:
        with pytest.raises(nl.CaptureError, match="hooks.*compile=False"):
            fitted(trainer, True)
        assert not seen
        fitted(trainer, False)
        assert len(seen) == 1
        seen.clear()
    handle.remove()
    fitted(trainers[0], True)


def test_grad_refuses_capture() -> None:
    class Penalised(nn.Linear):
        def forward(self, input: Any) -> nl.Tensor:
            output = super().forward(input)
            return output + nl.autograd.grad(output.sum(), self.weight)[0].sum()

    model = Penalised(2, 2)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.CaptureError, match="requests gradients; pass compile=False"):
        trainer.fit(np.ones((8, 2), np.float32), np.zeros(8, np.int64), epochs=1, progress=False)


def test_results_let_go_of_their_hooks() -> None:
    import gc
    import weakref

    class Hook:
        def __call__(self, g: Any) -> None: ...

    hook = Hook()
    gone = weakref.ref(hook)
    h = leaf(nl) * 2
    h.register_hook(hook)
    h.retain_grad()
    h.sum().backward()
    del h, hook
    gc.collect()
    assert gone() is None


def test_a_circle_of_parameter_and_gradient_is_announced() -> None:
    x = leaf(nl, 2.0)
    with pytest.warns(UserWarning, match="circle"):
        x.backward(create_graph=True)
