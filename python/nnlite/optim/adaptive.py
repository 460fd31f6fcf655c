"""Optimizers that scale each weight's step by its gradients so far, without Adam's mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .optimizer import Optimizer, Parameters


class RMSprop(Optimizer):
    """RMSprop, in PyTorch's order of operations.

    With g the gradient of a weight w (negated under `maximize`, plus weight_decay w):

        v = alpha v + (1 - alpha) g^2
        a = alpha a + (1 - alpha) g, v - a^2 instead of v in the next line      (only with centered)
        d = g / (sqrt(v) + eps)
        b = d = momentum b + d                                                  (only with momentum)
        w = w - lr d

    Tieleman, Hinton 2012; centered: Graves 2013. Raises ValueError for options out of range, TypeError for options that
    are not numbers.
    """

    _rule = "RMSprop"
    _not_negative = ("lr", "alpha", "eps", "weight_decay", "momentum")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class Adagrad(Optimizer):
    """Adagrad: g as in `RMSprop`, t the number of the step, from 1, and s from `initial_accumulator_value` on:

        s = s + g^2
        w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Duchi, Hazan, Singer, JMLR 2011. Errors as for `RMSprop`.
    """

    _rule = "Adagrad"
    _not_negative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class Adadelta(Optimizer):
    """Adadelta: g as in `RMSprop`, then

        v = rho v + (1 - rho) g^2
        d = g sqrt(u + eps) / sqrt(v + eps)
        u = rho u + (1 - rho) d^2
        w = w - lr d

    Zeiler 2012, arXiv:1212.5701. Errors as for `RMSprop`.
    """

    _rule = "Adadelta"
    _not_negative = ("lr", "eps", "weight_decay")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, options: Mapping[str, Any]) -> None:
        super()._check(options)
        if not 0 <= options["rho"] <= 1:
            raise ValueError(f"Adadelta: rho must be between 0 and 1, got {options['rho']}")
