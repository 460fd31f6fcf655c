"""PyTorch's twin of every native function and elementwise loss. A new one needs one row here; the tests read their cases from it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import torch
import torch.nn.functional as F

import nnlite as nl
from comparison import normal, uniform
from nnlite import nn

Number = Any  # mpmath has no types


class Exact(NamedTuple):
    """Value and derivative in exact arithmetic, at `options`, and the bounds of their errors in ulp.

    A derivative computed from the value, as in PyTorch, has the bound None: it is accurate to an ulp of 1.
    """

    value: Callable[[Number], Number]
    derivative: Callable[[Number], Number]
    bounds: tuple[float, float | None]
    options: tuple[float, ...] = ()
    root: float = 0.0  # of the derivative; near it, only the absolute error is small
    low: float = -np.inf


class Unary(NamedTuple):
    """PyTorch's function at `options`, and the exact one; None if the function is exact or rounds once."""

    twin: Callable[[torch.Tensor], torch.Tensor]
    exact: Exact | None
    options: tuple[float, ...] = ()
    positive: bool = False  # defined, or smooth, only for positive numbers
    loses_nans: bool = False  # PyTorch's; nnlite returns a NaN wherever one came in


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mpmath.exp(-x))


def swish(x: Number, v: Number, slope: Number) -> Number:
    """The derivative of x sigmoid(v) where v has the derivative `slope`."""
    return sigmoid(v) * (1 + x * slope * sigmoid(-v))


def gelu_argument(x: Number) -> Number:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


def gelu_slope(x: Number) -> Number:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpmath.mpf("0.044715") * x**2)


UNARY = {
    "exp": Unary(torch.exp, Exact(mpmath.exp, mpmath.exp, (1.1, 1.1))),
    "expm1": Unary(torch.expm1, Exact(mpmath.expm1, mpmath.exp, (1.5, None))),
    "log": Unary(torch.log, Exact(mpmath.log, lambda x: 1 / x, (1, 0.51), low=0), positive=True),
    "log1p": Unary(torch.log1p, Exact(mpmath.log1p, lambda x: 1 / (1 + x), (1.6, 1.6), low=-1), positive=True),
    "sqrt": Unary(torch.sqrt, Exact(mpmath.sqrt, lambda x: 1 / (2 * mpmath.sqrt(x)), (0.51, 1.6), low=0), positive=True),
    "tanh": Unary(torch.tanh, Exact(mpmath.tanh, lambda x: mpmath.sech(x) ** 2, (1.5, None))),
    "sigmoid": Unary(torch.sigmoid, Exact(sigmoid, lambda x: sigmoid(x) * sigmoid(-x), (2, None))),
    "softplus": Unary(
        lambda x: F.softplus(x, 2.0, 5.0),
        Exact(lambda x: x if x > 20 else mpmath.log1p(mpmath.exp(x)), lambda x: 1 if x > 20 else sigmoid(x), (2.5, 2), (1, 20)),
        (2.0, 5.0),
    ),
    "elu": Unary(
        lambda x: F.elu(x, 1.5),
        Exact(lambda x: x if x > 0 else mpmath.expm1(x), lambda x: 1 if x > 0 else mpmath.exp(x), (1.5, 1.1), (1,)),
        (1.5,),
        loses_nans=True,
    ),
    "erf": Unary(torch.erf, Exact(mpmath.erf, lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(x**2)), (1.5, 2.5))),
    "sin": Unary(torch.sin, Exact(mpmath.sin, mpmath.cos, (1, 1.5))),
    "gelu": Unary(F.gelu, Exact(lambda x: x * mpmath.ncdf(x), lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x), (4, 6), root=-0.7518)),
    "gelu_tanh": Unary(
        lambda x: F.gelu(x, approximate="tanh"),
        Exact(lambda x: x * sigmoid(gelu_argument(x)), lambda x: swish(x, gelu_argument(x), gelu_slope(x)), (3, 6), root=-0.7525),
    ),
    "silu": Unary(F.silu, Exact(lambda x: x * sigmoid(x), lambda x: swish(x, x, 1), (3, 6), root=-1.2785)),
    "relu": Unary(torch.relu, None),
    "leaky_relu": Unary(lambda x: F.leaky_relu(x, 0.1), None, (0.1,)),
    "abs": Unary(torch.abs, None),
    "neg": Unary(torch.neg, None),
    "clip": Unary(lambda x: torch.clip(x, -0.5, 0.7), None, (-0.5, 0.7)),
    "threshold": Unary(lambda x: torch.nn.functional.threshold(x, 0.3, -2.0), None, (0.3, -2.0)),
    "step": Unary(torch.round, None),
    "scale": Unary(lambda x: 1.7 * x, None, (1.7,)),
    "shift": Unary(lambda x: x + 0.3, None, (0.3,)),
}  # fmt: skip

BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {  # ours, PyTorch's
    "add": (operator.add, operator.add),
    "sub": (operator.sub, operator.sub),
    "mul": (operator.mul, operator.mul),
    "div": (operator.truediv, operator.truediv),
    "pow": (operator.pow, operator.pow),
    "maximum": (nl.maximum, torch.maximum),
    "minimum": (nl.minimum, torch.minimum),
    "atan2": (nl.atan2, torch.atan2),
    "fmod": (nl.fmod, torch.fmod),
}


class Loss(NamedTuple):
    """Our class, PyTorch's, their options, and how to draw inputs and targets of a shape."""

    ours: type[nn.Module]
    twin: type[torch.nn.Module]
    options: dict[str, Any]
    draw_input: Callable[..., np.ndarray]
    draw_target: Callable[..., np.ndarray]
    loses_nans: bool = False  # PyTorch's, such as one that takes the sign of a NaN for 0


def probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    return uniform(*shape, seed=seed)


def inner_probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    """Not so near 0 or 1 that the gradient of a logarithm loses its digits."""
    return uniform(*shape, low=0.01, high=0.99, seed=seed)


def positive_probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    return uniform(*shape, low=0.1, seed=seed)


def log_probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    return -np.abs(normal(*shape, seed=seed))


# By native name, and what sets the case apart from others of that name.
LOSSES = {
    "mse": Loss(nn.MSELoss, torch.nn.MSELoss, {}, normal, normal),
    "l1": Loss(nn.L1Loss, torch.nn.L1Loss, {}, normal, normal, loses_nans=True),
    "huber": Loss(nn.HuberLoss, torch.nn.HuberLoss, {"delta": 0.7}, normal, normal),
    "smooth_l1": Loss(nn.SmoothL1Loss, torch.nn.SmoothL1Loss, {"beta": 0.5}, normal, normal),
    "smooth_l1 beta 0": Loss(nn.SmoothL1Loss, torch.nn.SmoothL1Loss, {"beta": 0.0}, normal, normal, loses_nans=True),
    "bce": Loss(nn.BCELoss, torch.nn.BCELoss, {}, inner_probabilities, probabilities),
    "bce_with_logits": Loss(nn.BCEWithLogitsLoss, torch.nn.BCEWithLogitsLoss, {}, normal, probabilities),
    "kl_div": Loss(nn.KLDivLoss, torch.nn.KLDivLoss, {}, log_probabilities, positive_probabilities),
    "kl_div_log_target": Loss(nn.KLDivLoss, torch.nn.KLDivLoss, {"log_target": True}, log_probabilities, log_probabilities),
}  # fmt: skip
