"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core import step_groups
from ..autograd.grad_mode import enable_grad
from .optimizer import Optimizer, Parameters

Options = tuple[float, float, float, float, bool, bool]


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, weight decay and Nesterov's variant, in PyTorch's order of operations.

    With g the gradient (negated under `maximize`) of a weight w:

        g = g + weight_decay w
        v = g at the first step, then momentum v + (1 - dampening) g
        g = g + momentum v with nesterov, else v            (only where momentum is not 0)
        w = w - lr g

    While momentum is 0 the buffers v rest; they go on when it is set again. Polyak 1964; Sutskever et al., ICML 2013.

    Raises ValueError for negative options, and for nesterov without momentum or with dampening; TypeError for options that
    are not numbers.

    >>> from nnlite import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> loss = nn.MSELoss()(model([[1.0, 2.0]]), [[3.0]])
    >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, options: Mapping[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            if not options[name] >= 0.0:
                raise ValueError(f"SGD: {name} must not be negative, got {options[name]}")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs a momentum and no dampening, got "
                f"momentum={options['momentum']}, dampening={options['dampening']}"
            )

    def native_options(self) -> list[Options]:
        """(lr, momentum, dampening, weight_decay, nesterov, maximize) of each group."""
        return [_options_of(group) for group in self.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from the gradients; parameters without one are left alone."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        groups, held = self.param_groups, self._held
        try:
            if len(groups) == len(held) == 1:  # an own loop pays for each microsecond
                group = groups[0]
                if self._native[0].step(group["params"], held[0], *_options_of(group)):
                    return loss
            step_groups(self.native_groups(), self.native_options())
        except (KeyError, TypeError):
            self.require_options()
            raise
        return loss


def _options_of(group: Mapping[str, Any]) -> Options:
    return (
        group["lr"],
        group["momentum"],
        group["dampening"],
        group["weight_decay"],
        group["nesterov"],
        group["maximize"],
    )
