"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .optimizer import Optimizer, Parameters


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, weight decay and Nesterov's variant, in PyTorch's order of operations.

    With g the gradient (negated under `maximize`) of a weight w:

        g = g + weight_decay w
        v = g at the first step, then momentum v + (1 - dampening) g
        g = g + momentum v with nesterov, else v            (only where momentum is not 0)
        w = w - lr g

    While momentum is 0 the buffers v do not change. Polyak 1964; Sutskever et al., ICML 2013.

    Raises ValueError for negative options, and for nesterov without momentum or with dampening; TypeError for options that
    are not numbers.

    >>> from nnlite import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> loss = nn.MSELoss()(model([[1.0, 2.0]]), [[3.0]])
    >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _rule = "SGD"
    _not_negative = ("lr", "momentum", "weight_decay")

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
        super()._check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs a momentum and no dampening, got "
                f"momentum={options['momentum']}, dampening={options['dampening']}"
            )
