"""create_graph=True: second gradients of every operation, against PyTorch's and finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import _core, nn
from nnlite.autograd import derivatives, gradgradcheck
from nnlite.nn import functional as F

TF = torch.nn.functional
LABELS = np.array([0, 2, 1, 2])
RNG = np.random.default_rng(0)
X, Y, W, B = (RNG.standard_normal(shape) for shape in ((4, 3), (4, 3), (2, 3), (2,)))
POSITIVE = np.abs(X) + 0.5
SHARES = np.exp(X) / np.exp(X).sum(1, keepdims=True)
ROW = Y[0]

# name: (function of a library's modules and tensors, arrays); the functions `lib` and `f` are the package and its functional
Case = tuple[Callable[..., Any], list[Any]]


def activation(name: str, *options: Any, x: Any = X) -> Case:
    return lambda lib, f, x: getattr(f, name)(x, *options), [x]


def loss(name: str, target: Any = Y, x: Any = X, **options: Any) -> dict[str, Case]:
    reductions = ["none", "mean", "sum", *(["batchmean"] if name == "kl_div" else [])]
    return {
        f"{name} {reduction} {options}": (
            lambda lib, f, x, t, r=reduction: getattr(f, name)(x, t, reduction=r, **options),
            [x, target],
        )
        for reduction in reductions
    }


def class_loss(name: str, target: Any, x: Any = X, **options: Any) -> dict[str, Case]:
    def called(lib: Any, f: Any, x: Any, reduction: str) -> Any:
        weight = options.get("weight")
        given = {**options, **({} if weight is None else {"weight": lib.tensor(weight)})}
        return getattr(f, name)(x, lib.tensor(target), reduction=reduction, **given)

    return {
        f"{name} {reduction} {sorted(options)} {np.asarray(target).ndim}": (
            lambda lib, f, x, r=reduction: called(lib, f, x, r),
            [x],
        )
        for reduction in ("none", "mean", "sum")
    }


def changed_rows(lib: Any, f: Any, x: Any, y: Any) -> Any:
    z = x * 1
    z[1] = y[0] * 2
    z[:, 0] = y[:, 1]
    return z * z


CASES: dict[str, Case] = {
    "add": (lambda lib, f, a, b: a + b, [X, ROW]),
    "sub": (lambda lib, f, a, b: (a - b) * a, [X, ROW]),
    "mul": (lambda lib, f, a, b: a * b, [X, ROW]),
    "mul of a column": (lambda lib, f, a, b: a * b, [X, X[:, :1]]),
    "div": (lambda lib, f, a, b: a / b, [ROW, POSITIVE]),
    "pow": (lambda lib, f, a, b: a**b, [POSITIVE, ROW]),
    "pow 3": (lambda lib, f, a: a**3, [X]),
    "pow 2": (lambda lib, f, a: a**2, [X]),
    "pow 0": (lambda lib, f, a: a**0 * a, [X]),
    "pow of 0": (lambda lib, f, a: a**2, [np.array([0.0, 1.0])]),
    "power of a number": (lambda lib, f, a: 2**a, [X]),
    "maximum": (lambda lib, f, a, b: lib.maximum(a * a, b), [X, ROW]),
    "minimum": (lambda lib, f, a, b: lib.minimum(a * a, b), [X, ROW]),
    "atan2": (lambda lib, f, a, b: lib.atan2(a, b), [X, ROW]),
    "atan": (lambda lib, f, a: a.atan(), [X]),
    "asin": (lambda lib, f, a: a.asin(), [np.tanh(X)]),
    "fmod": (lambda lib, f, a, b: lib.fmod(a * a * 3, b), [X, ROW]),
    "clamp": (lambda lib, f, a, b: (a * a * a).clamp(b - 1, b + 1) * a, [X, ROW]),
    "clip": (lambda lib, f, a: (a * a).clamp(0.3, 1.5), [X]),
    "where": (lambda lib, f, a, b: lib.where(lib.tensor(X > 0), a * a, b * a), [X, ROW]),
    "abs": (lambda lib, f, a: (a * a * a).abs(), [X]),
    "neg": (lambda lib, f, a: -(a * a), [X]),
    "exp": (lambda lib, f, a: a.exp(), [X]),
    "expm1": (lambda lib, f, a: a.expm1(), [X]),
    "log": (lambda lib, f, a: a.log(), [POSITIVE]),
    "log1p": (lambda lib, f, a: a.log1p(), [POSITIVE]),
    "sqrt": (lambda lib, f, a: a.sqrt(), [POSITIVE]),
    "sin": (lambda lib, f, a: a.sin(), [X]),
    "cos": (lambda lib, f, a: a.cos(), [X]),
    "tan": (lambda lib, f, a: a.tan(), [X * 0.3]),
    "erf": (lambda lib, f, a: a.erf(), [X]),
    "erfc": (lambda lib, f, a: a.erfc(), [X]),
    "floor": (lambda lib, f, a: a.floor() * a * a, [X]),
    "reciprocal": (lambda lib, f, a: a.reciprocal(), [POSITIVE]),
    "square": (lambda lib, f, a: a.square(), [X]),
    "relu": activation("relu"),
    "leaky_relu": activation("leaky_relu", 0.2),
    "elu": activation("elu", 0.7),
    "gelu": activation("gelu"),
    "gelu_tanh": (lambda lib, f, a: f.gelu(a, approximate="tanh"), [X]),
    "silu": activation("silu"),
    "sigmoid": activation("sigmoid"),
    "tanh": activation("tanh"),
    "softplus": activation("softplus", 2.0, 2.0),
    "mish": activation("mish"),
    "selu": activation("selu"),
    "celu": activation("celu", 0.5),
    "hardswish": activation("hardswish"),
    "softsign": activation("softsign"),
    "logsigmoid": activation("logsigmoid"),
    "threshold": (lambda lib, f, a: f.threshold(a * a, 0.5, 2.0), [X]),
    "glu": (lambda lib, f, a: f.glu(a, 0), [X]),
    "prelu": (lambda lib, f, a, w: f.prelu(a, w), [X, np.array([0.3])]),
    "softmax": (lambda lib, f, a: f.softmax(a, 1), [X]),
    "softmax of columns": (lambda lib, f, a: f.softmax(a, 0), [X]),
    "log_softmax": (lambda lib, f, a: f.log_softmax(a, 1), [X]),
    "linear": (lambda lib, f, x, w, b: f.linear(x, w, b).tanh(), [X, W, B]),
    "linear of a row": (lambda lib, f, x, w: f.linear(x, w).tanh(), [ROW, W]),
    "linear of a stack": (lambda lib, f, x, w, b: f.linear(x.reshape(2, 2, 3), w, b).tanh(), [X, W, B]),
    "matmul": (lambda lib, f, a, b: a @ b.T, [X, W]),
    "matmul of a stack": (lambda lib, f, a, b: a.reshape(2, 2, 3) @ b.T, [X, W]),
    "matmul of vectors": (lambda lib, f, a, b: (a @ b) * (a * b).sum(), [ROW, ROW + 1]),
    "sum": (lambda lib, f, a: (a * a).sum(0), [X]),
    "mean": (lambda lib, f, a: (a * a).mean(1, keepdim=True) * a, [X]),
    "var": (lambda lib, f, a: a.var(0), [X]),
    "max": (lambda lib, f, a: (a * a).max(1)[0], [X]),
    "max of all": (lambda lib, f, a: (a * a).max(), [X]),
    "amax": (lambda lib, f, a: (a * a).amax(1), [np.array([[1.0, 1.0, 0.5], [2.0, -1.0, 0.0]])]),
    "min": (lambda lib, f, a: (a * a).min(0)[0], [X]),
    "reshape": (lambda lib, f, a: (a * a).reshape(2, 6), [X]),
    "row": (lambda lib, f, a: (a * a)[1] * a[2], [X]),
    "column": (lambda lib, f, a: (a * a)[:, 1], [X]),
    "steps": (lambda lib, f, a: (a * a)[::2, 1:], [X]),
    "index": (lambda lib, f, a: (a * a)[[0, 0, 2]], [X]),
    "mask": (lambda lib, f, a: (a * a)[X > 0], [X]),
    "permute": (lambda lib, f, a: (a * a).reshape(2, 2, 3).permute(2, 0, 1) * a[0, 0], [X]),
    "concatenate": (lambda lib, f, a, b: lib.cat([a * a, b * a], 1), [X, Y]),
    "stack": (lambda lib, f, a, b: lib.stack([a * a, b * a]), [X, Y]),
    "embedding": (lambda lib, f, w: f.embedding(lib.tensor(LABELS), w) ** 3, [X]),
    "embedding with padding": (lambda lib, f, w: f.embedding(lib.tensor(LABELS), w, padding_idx=2) ** 3, [X]),
    "assign": (changed_rows, [X, Y]),
    "in place": (lambda lib, f, a: (a * 1).mul_(a).exp_() * a, [X]),
    "layer_norm": (lambda lib, f, x, w, b: f.layer_norm(x, (3,), w, b, 1e-3), [X, ROW + 2, ROW]),
    "layer_norm of matrices": (lambda lib, f, x: f.layer_norm(x.reshape(2, 2, 3), (2, 3), None, None, 1e-3), [X]),
    "batch_norm": (
        lambda lib, f, x, w, b: f.batch_norm(x, None, None, w, b, True, 0.1, 1e-3),
        [X, ROW + 2, ROW],
    ),
    "batch_norm in evaluation": (
        lambda lib, f, x, w, b: f.batch_norm(x, lib.tensor(ROW), lib.tensor(ROW**2), w, b, False, 0.1, 1e-3),
        [X, ROW + 2, ROW],
    ),
    "group_norm": (lambda lib, f, x: f.group_norm(x.reshape(2, 6), 2), [X]),
    "normalize": (lambda lib, f, x: f.normalize(x), [X]),
    "cosine_similarity": (lambda lib, f, a, b: f.cosine_similarity(a, b), [X, Y]),
    "cast": (lambda lib, f, a: (a * a).to(lib.tensor(X).dtype) * a, [X]),
    "clone": (lambda lib, f, a: (a * a).clone(), [X]),
    "logsumexp": (lambda lib, f, a: a.logsumexp(1), [X]),
    "prod": (lambda lib, f, a: a.prod(1), [X]),
    "norm": (lambda lib, f, a: a.norm(), [X]),
    **loss("mse_loss"),
    **loss("l1_loss"),
    **loss("huber_loss", delta=0.7),
    **loss("smooth_l1_loss", beta=0.7),
    **loss("binary_cross_entropy_with_logits", 1 / (1 + np.exp(-Y))),
    **loss("binary_cross_entropy", SHARES, 1 / (1 + np.exp(-Y))),
    **loss("kl_div", SHARES),
    **loss("kl_div", X, log_target=True),
    **class_loss("cross_entropy", LABELS),
    **class_loss("cross_entropy", LABELS, weight=np.array([0.5, 2.0, 1.0]), label_smoothing=0.1, ignore_index=1),
    **class_loss("cross_entropy", SHARES, weight=np.array([0.5, 2.0, 1.0]), label_smoothing=0.1),
    **class_loss("nll_loss", LABELS, weight=np.array([0.5, 2.0, 1.0]), ignore_index=1),
    "cross_entropy of target": (lambda lib, f, x, t: f.cross_entropy(x, t), [X, SHARES]),
    "poisson_nll_loss": (lambda lib, f, x: f.poisson_nll_loss(x, lib.tensor(POSITIVE)), [X]),
    "gaussian_nll_loss": (lambda lib, f, x, v: f.gaussian_nll_loss(x, lib.tensor(Y), v), [X, POSITIVE]),
}


def derivatives_of(lib: Any, f: Any, function: Callable[..., Any], arrays: list[Any]) -> list[Any]:
    """First gradients, weighted; then the gradients of a function of them by the inputs and the weights."""
    inputs = [lib.tensor(array, requires_grad=True) for array in arrays]
    output = function(lib, f, *inputs)
    seed = lib.tensor(np.random.default_rng(1).standard_normal(tuple(output.shape)), requires_grad=True)
    first = lib.autograd.grad(output, inputs, seed, create_graph=True, allow_unused=True)
    used = [g for g in first if g is not None and g.requires_grad]
    total = sum(((g * g * (i + 1.0)).sum() + g.sum() for i, g in enumerate(used)), lib.tensor(0.0))
    second = lib.autograd.grad(total, [*inputs, seed], allow_unused=True)
    return [None if g is None else np.array((g.detach() + 0.0).tolist()) for g in (*first, *second)]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", CASES)
def test_gradients_and_second_gradients_are_pytorchs(name: str) -> None:
    function, arrays = CASES[name]
    expected = derivatives_of(torch, TF, function, arrays)
    found = derivatives_of(nl, F, function, arrays)
    for i, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        both = [0.0 if g is None else g for g in (ours, theirs)]  # no gradient is the gradient 0
        np.testing.assert_allclose(*both, rtol=1e-9, atol=1e-10, err_msg=f"{name}: gradient {i}")


SMOOTH = sorted(
    name for name in CASES if not name.startswith(("l1", "huber", "smooth", "floor", "pow of 0", "amax", "power"))
)


@pytest.mark.parametrize("name", SMOOTH)
def test_second_gradients_are_the_differences_of_first_ones(name: str) -> None:
    function, arrays = CASES[name]
    inputs = [nl.tensor(np.array(array), requires_grad=True) for array in arrays]
    assert gradgradcheck(lambda *x: function(nl, F, *x), inputs)


def test_rules_are_for_operations_that_exist() -> None:
    """Those of the kernels' tables, and the structured ones."""
    tables = [*_core.unary_names(), *_core.binary_names(), *_core.loss_names()]
    structured = [
        "assign", "batch_norm", "cast", "clamp", "concatenate", "cross_entropy", "dropout", "embedding", "index", "layer_norm",
        "linear", "log_softmax", "matmul", "max", "mean", "nll_loss", "permute", "reduced_loss", "reshape", "slice", "softmax",
        "sum", "where",
    ]  # fmt: skip
    assert set(derivatives._RULES) <= {*tables, *structured, "linear_map"}


def test_an_operation_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(derivatives._RULES, "tanh")
    x = nl.tensor(X, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"\[tanh\] has no second derivative"):
        nl.autograd.grad(x.tanh().sum(), x, create_graph=True)
    nl.autograd.grad(x.tanh().sum(), x)


def test_third_and_fourth_derivatives() -> None:
    def chain(lib: Any) -> list[Any]:
        x = lib.tensor(X, requires_grad=True)
        y, seen = (x.tanh() * (x * 0.5).exp()).sum(), []
        for _ in range(4):
            (g,) = lib.autograd.grad(y, x, create_graph=True)
            seen.append(np.array(g.tolist()))
            y = (g * x).sum()
        return seen

    for ours, theirs in zip(chain(nl), chain(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_dropout_keeps_its_mask(p: float) -> None:
    nl.manual_seed(3)
    x = nl.tensor(X, requires_grad=True)
    y = F.dropout(x, p)
    mask = y.detach().numpy() / X
    (g,) = nl.autograd.grad((y * y * y).sum(), x, create_graph=True)
    (second,) = nl.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(second.numpy(), 6 * X * mask**3, rtol=1e-12)


def test_first_gradients_agree_with_the_kernels() -> None:
    """In float32, to the last bits: a recorded gradient is computed by another formula of the same accuracy."""
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 3))
    x = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 3, 40)
    parameters = list(model.parameters())
    for create_graph in (False, True):
        loss = nn.CrossEntropyLoss()(model(x), y)
        gradients = nl.autograd.grad(loss, parameters, create_graph=create_graph)
        if not create_graph:
            expected = gradients
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.numpy(), rtol=1e-5, atol=1e-8)


def test_values_that_have_changed_are_refused() -> None:
    """Also those that only the recorded gradient reads, and a parameter's replaced data."""
    x = nl.tensor(X, requires_grad=True)
    h = x * 1
    y = F.cross_entropy(h, LABELS)
    with nl.no_grad():
        h.mul_(2)
    nl.autograd.grad(y, x, retain_graph=True)  # its kernel keeps all that it needs
    with pytest.raises(RuntimeError, match=r"\[cross_entropy\] needs its input 0"):
        nl.autograd.grad(y, x, create_graph=True)
    layer = nn.Linear(3, 2, dtype=np.float64)
    y = layer(x).sum()
    layer.weight.data = nl.tensor(W * 2)
    with pytest.raises(RuntimeError, match=r"data of input 1 of \[linear\] was replaced"):
        nl.autograd.grad(y, x, create_graph=True)
