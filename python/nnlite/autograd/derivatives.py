"""Derivatives as functions of recorded tensors, so that they have derivatives in turn.

A rule returns the gradients of a node's inputs, or None for those without. It reads the values that the operation's own
backward pass reads, as far as the formula allows: others may have changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .normalization import batch_norm, layer_norm
from .recorded import Gradients, Recorded


def gradients(*node: Any) -> Gradients:
    """The gradients of the inputs that the node, given by its fields, wants."""
    recorded = Recorded(*node)
    rule = _RULES.get(recorded.name)
    if rule is None:
        raise NotImplementedError(f"create_graph=True: [{recorded.name}] has no second derivative in nnlite")
    return rule(recorded)


def _unary(name: str, x: Tensor, alpha: float = 0.0, beta: float = 0.0) -> Tensor:
    return _core.unary(name, x, alpha, beta)


def _gelu(x: Tensor) -> Tensor:
    return _unary("erf", x * -math.sqrt(0.5), 1.0) * 0.5 + x * _unary("exp", x * x * -0.5) * (
        0.5 * math.sqrt(2 / math.pi)
    )


def _gelu_tanh(x: Tensor) -> Tensor:
    square, factor = x * x, math.sqrt(2 / math.pi)
    t = (x * (square * 0.044715 + 1.0) * factor).tanh()
    return (t + 1.0) * 0.5 + x * (1.0 - t * t) * (square * (3 * 0.044715) + 1.0) * (0.5 * factor)


def _silu(x: Tensor) -> Tensor:
    s = x.sigmoid()
    return s * (x * (1.0 - s) + 1.0)


_where = _core.where


def _elu(node: Recorded) -> Tensor:
    x = node.input(0)
    return _where(x > 0, 1.0, x.clip(None, 0.0).exp() * node.attribute("alpha"))


def _softplus(node: Recorded) -> Tensor:
    x = node.input(0) * node.attribute("alpha")
    return _where(x > node.attribute("beta"), 1.0, x.sigmoid())


# dy/dx of input x, output y
_OF_INPUT: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "log": lambda x: 1.0 / x,
    "log1p": lambda x: 1.0 / (x + 1.0),
    "silu": _silu,
}
_OF_OUTPUT: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda y: y,
    "expm1": lambda y: y + 1.0,
    "sigmoid": lambda y: y * (1.0 - y),
    "sqrt": lambda y: 0.5 / y,
    "tanh": lambda y: 1.0 - y * y,
}
_OF_NODE: dict[str, Callable[[Recorded], Tensor]] = {
    "elu": _elu,
    "erf": lambda node: _erf(node.input(0), node.attribute("alpha")),
    "sin": lambda node: _unary("sin", node.input(0), node.attribute("alpha") + 1.0),
    "softplus": _softplus,
}


def _erf(x: Tensor, complement: float) -> Tensor:
    return (x * x * -1.0).exp() * math.copysign(2 / math.sqrt(math.pi), -1 if complement else 1)


def _slopes(node: Recorded) -> Gradients:
    """Of an operation whose derivative does not change with its inputs, up to jumps."""
    return [node.gradient * node.slope(i) if node.wanted[i] else None for i in range(len(node.wanted))]


def _adjoint(node: Recorded) -> Gradients:
    return [node.adjoint(i, node.gradient) if node.wanted[i] else None for i in range(len(node.wanted))]


def _embedding(node: Recorded) -> Gradients:
    dy, padding = node.gradient, node.attribute("padding_index")
    if padding >= 0:
        indices = node.input(1)
        dy = dy * (indices != padding).reshape((*indices.shape, 1)).to(dy.dtype)
    return [node.adjoint(0, dy), None]


def _fitted(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The sum over what broadcasting repeated."""
    while x.ndim > len(shape):
        x = x.sum(0)
    for dim, size in enumerate(shape):
        if size != x.shape[dim]:
            x = x.sum(dim, True)
    return x


def _binary(by_a: Callable[[Recorded], Tensor], by_b: Callable[[Recorded], Tensor]) -> Callable[[Recorded], Gradients]:
    """A rule from the gradients of both operands before they are summed to their shapes."""
    return lambda node: [
        _fitted(rule(node), node.shapes[i]) if node.wanted[i] else None for i, rule in enumerate((by_a, by_b))
    ]


def _extreme(sign: float) -> Callable[[Recorded], Gradients]:
    """Of maximum (sign 1) and minimum (-1): ties share, and a NaN gives all to both."""

    def part(node: Recorded, own: int) -> Tensor:
        a, b = node.input(own).detach() * sign, node.input(1 - own).detach() * sign
        return node.gradient * _where(a < b, 0.0, _where(a == b, 0.5, 1.0))

    return _binary(lambda node: part(node, 0), lambda node: part(node, 1))


def _power_base(node: Recorded) -> Tensor:
    a, b = node.input(0), node.input(1)
    if b.numel() == 1 and not b.requires_grad:
        exponent = b.item()
        return node.gradient * (a ** (exponent - 1.0) * exponent if exponent else a * 0.0)
    rises = b != 0
    return node.gradient * _where(rises, b * a ** _where(rises, b - 1.0, 1.0), 0.0)


def _power_exponent(node: Recorded) -> Tensor:
    a, b, y = node.input(0), node.input(1), node.output()
    is_flat = (a == 0) & (b >= 0)
    return node.gradient * _where(is_flat, 0.0, y * _where(is_flat, 1.0, a).log())


def _angle(node: Recorded, other: int, sign: float) -> Tensor:
    y, x = node.input(0), node.input(1)
    return node.gradient * node.input(other) * sign / (x * x + y * y)


def _quotient(node: Recorded) -> Tensor:
    whole: Tensor = (node.input(0).detach() / node.input(1).detach()).trunc()
    return -node.gradient * whole


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def _linear(node: Recorded) -> Gradients:
    dy = node.gradient.reshape(-1, node.shapes[1][0])
    return [
        (dy @ node.input(1)).reshape(node.shapes[0]) if node.wanted[0] else None,
        dy.T @ _rows(node.input(0)) if node.wanted[1] else None,
        dy.sum(0) if node.wanted[2] else None,
    ]


def _matmul(node: Recorded) -> Gradients:
    return [
        _fitted(node.gradient @ node.input(1).transpose(-1, -2), node.shapes[0]) if node.wanted[0] else None,
        _fitted(node.input(0).transpose(-1, -2) @ node.gradient, node.shapes[1]) if node.wanted[1] else None,
    ]


def _concatenate(node: Recorded) -> Gradients:
    dim, end, parts = node.attribute("dim"), 0, []
    for i in range(len(node.wanted)):
        begin, end = end, end + node.shapes[i][dim]
        key = (*(slice(None),) * dim, slice(begin, end))
        parts.append(node.gradient[key] if node.wanted[i] else None)
    return parts


def _softmax(node: Recorded) -> Gradients:
    y, dy = node.output(), node.gradient
    return [y * (dy - (dy * y).sum(-1, True))]


def _log_softmax(node: Recorded) -> Gradients:
    return [node.gradient - node.output().exp() * node.gradient.sum(-1, True)]


def _max(node: Recorded) -> Gradients:
    return [node.gradient.reshape((*node.gradient.shape, 1)) * node.slope(0)]


def _assign(node: Recorded) -> Gradients:
    return [
        node.gradient * node.slope(0) if node.wanted[0] else None,
        node.adjoint(1, node.gradient) if node.wanted[1] else None,
    ]


# Losses of input x, target t and parameter p: (dloss/dx, dloss/dt)
Pair = tuple[Callable[[Tensor, Tensor, float], Tensor], Callable[[Tensor, Tensor, float], Tensor]]


def _opposite(slope: Callable[[Tensor, Tensor, float], Tensor]) -> Pair:
    return slope, lambda x, t, p: -slope(x, t, p)


def _smooth_slope(x: Tensor, t: Tensor, p: float) -> Tensor:
    return ((x - t) / p).clip(-1.0, 1.0)


_LOSSES: dict[str, Pair] = {
    "mse": _opposite(lambda x, t, p: (x - t) * 2.0),
    "huber": _opposite(lambda x, t, p: (x - t).clip(-p, p)),
    "smooth_l1": _opposite(_smooth_slope),
    "bce": (lambda x, t, p: (x - t) / ((1.0 - x) * x).clip(1e-12), lambda x, t, p: _unary("log1p", -x) - x.log()),
    "bce_with_logits": (lambda x, t, p: x.sigmoid() - t, lambda x, t, p: -x),
    "kl_div": (lambda x, t, p: -t, lambda x, t, p: t.log() + 1.0 - x),
    "kl_div_log_target": (lambda x, t, p: -t.exp(), lambda x, t, p: t.exp() * (t - x + 1.0)),
}


def _divisor(node: Recorded, weight: float, each: int) -> float:
    """What a reduced loss divides its sum by: NaN gradients of an empty batch are 0, as without create_graph."""
    reduction = node.attribute("reduction")
    if reduction in ("none", "sum"):
        return 1.0
    return (weight if reduction == "batchmean" else weight * each) or math.inf


def _loss(node: Recorded) -> Gradients:
    shape, p = node.shapes[0], node.attribute("parameter")
    if node.name == "l1" or (node.name == "smooth_l1" and p == 0):
        return _slopes(node)
    x, t = node.input(0), node.input(1)
    rows = shape[0] if shape else 1
    share = node.gradient / _divisor(node, rows, math.prod(shape[1:]))
    return [share * slope(x, t, p) if node.wanted[i] else None for i, slope in enumerate(_LOSSES[node.name])]


def _by_rows(node: Recorded) -> Tensor:
    """The gradient of the losses beside the rows of the input."""
    return node.gradient.reshape(-1, 1) if node.attribute("reduction") == "none" else node.gradient


def _nll_loss(node: Recorded) -> Gradients:
    return [_by_rows(node) * node.slope(0)]


def _cross_entropy(node: Recorded) -> Gradients:
    """softmax(x) sum(q) - q of a row's weighted targets q."""
    x, t = node.input(0), node.input(1).detach().numpy()
    rows, classes = x.shape
    smoothing = node.attribute("label_smoothing")
    weight = node.input(2).detach().numpy().astype(np.float64) if node.shapes[2] is not None else np.ones(classes)
    labels = t.dtype.kind == "i"
    kept = t != node.attribute("ignore_index") if labels else np.ones(rows, bool)
    q = np.eye(classes)[np.where(kept, t, 0)] if labels else t.astype(np.float64)
    q = ((1 - smoothing) * q + smoothing / classes) * weight * kept[:, None]
    total = float((weight[np.where(kept, t, 0)] * kept).sum()) if labels else float(rows)
    share = _by_rows(node) / _divisor(node, total, 1)
    constant = [Tensor(part.astype(x.dtype)) for part in (q.sum(1, keepdims=True), q)]
    return [share * (_core.softmax(x, 1) * constant[0] - constant[1])]


def _slope_times(slope: Callable[[Recorded], Tensor]) -> Callable[[Recorded], Gradients]:
    return lambda node: [node.gradient * slope(node)]


def _of_input(slope: Callable[[Tensor], Tensor]) -> Callable[[Recorded], Gradients]:
    return lambda node: [node.gradient * slope(node.input(0))]


def _of_output(slope: Callable[[Tensor], Tensor]) -> Callable[[Recorded], Gradients]:
    return lambda node: [node.gradient * slope(node.output())]


_RULES: dict[str, Callable[[Recorded], Gradients]] = {
    **{name: _of_input(slope) for name, slope in _OF_INPUT.items()},
    **{name: _of_output(slope) for name, slope in _OF_OUTPUT.items()},
    **{name: _slope_times(slope) for name, slope in _OF_NODE.items()},
    **dict.fromkeys((*_LOSSES, "l1"), _loss),
    **dict.fromkeys(
        (
            "abs",
            "clamp",
            "clip",
            "dropout",
            "leaky_relu",
            "neg",
            "reduced_loss",
            "relu",
            "scale",
            "shift",
            "step",
            "threshold",
            "where",
        ),
        _slopes,
    ),
    **dict.fromkeys(("cast", "index", "linear_map", "mean", "permute", "reshape", "slice", "sum"), _adjoint),
    "add": _binary(lambda node: node.gradient, lambda node: node.gradient),
    "sub": _binary(lambda node: node.gradient, lambda node: -node.gradient),
    "mul": _binary(lambda node: node.gradient * node.input(1), lambda node: node.gradient * node.input(0)),
    "div": _binary(
        lambda node: node.gradient / node.input(1),
        lambda node: -node.gradient * (node.input(0) / node.input(1) / node.input(1)),
    ),
    "maximum": _extreme(1.0),
    "minimum": _extreme(-1.0),
    "atan2": _binary(lambda node: _angle(node, 1, 1.0), lambda node: _angle(node, 0, -1.0)),
    "fmod": _binary(lambda node: node.gradient, _quotient),
    "pow": _binary(_power_base, _power_exponent),
    "assign": _assign,
    "batch_norm": batch_norm,
    "concatenate": _concatenate,
    "embedding": _embedding,
    "cross_entropy": _cross_entropy,
    "layer_norm": layer_norm,
    "linear": _linear,
    "log_softmax": _log_softmax,
    "matmul": _matmul,
    "max": _max,
    "nll_loss": _nll_loss,
    "softmax": _softmax,
}
