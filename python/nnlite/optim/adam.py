"""Adam and its relatives: steps from running means of gradients and of their squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .arguments import require_betas
from .optimizer import Optimizer, Parameters

Betas = tuple[float, float]


class MomentOptimizer(Optimizer):
    """The base of optimizers that average gradients and their squares with `betas`."""

    _not_negative: ClassVar[tuple[str, ...]] = ("lr", "eps", "weight_decay")

    def _check(self, options: Mapping[str, Any]) -> None:
        super()._check(options)
        require_betas(type(self).__name__, options)


class Adam(MomentOptimizer):
    """Adam, in PyTorch's order of operations.

    With g the gradient of a weight w (negated under `maximize`), and t the number of the step, from 1:

        g = g + weight_decay w            or w = w - lr weight_decay w with decoupled_weight_decay
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2     with amsgrad, the next line takes the largest v so far
        w = w - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    Kingma, Ba, ICLR 2015; amsgrad: Reddi, Kale, Kumar, ICLR 2018. Raises ValueError for options out of range, TypeError for
    options that are not numbers.

    >>> from nnlite import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.Adam(model.parameters(), lr=1e-2)
    >>> loss = nn.MSELoss()(model([[1.0, 2.0]]), [[3.0]])
    >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _rule = "Adam"

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)


class AdamW(Adam):
    """Adam with decoupled weight decay: w = w - lr weight_decay w, apart from the gradient. Loshchilov, Hutter, ICLR 2019."""

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class Adamax(MomentOptimizer):
    """Adam with the largest gradient instead of the mean square: g as in Adam, then

        m = beta1 m + (1 - beta1) g
        u = max(beta2 u, |g| + eps)
        w = w - lr m / (1 - beta1^t) / u

    Kingma, Ba, ICLR 2015, section 7.1. Errors as for `Adam`.
    """

    _rule = "Adamax"

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)


class NAdam(MomentOptimizer):
    """Adam with Nesterov's momentum: g, m and v as in Adam, and mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2), then

        M = mu(1) mu(2) ... mu(t)
        d = lr / (sqrt(v / (1 - beta2^t)) + eps)
        w = w - d g (1 - mu(t)) / (1 - M) - d m mu(t + 1) / (1 - M mu(t + 1))

    Dozat, ICLR 2016 workshop. Errors as for `Adam`.
    """

    _rule = "NAdam"
    _not_negative = (*MomentOptimizer._not_negative, "momentum_decay")

    def __init__(
        self,
        params: Parameters,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)


class RAdam(MomentOptimizer):
    """Adam whose step is rectified while its mean square rests on few gradients: g, m and v as in Adam, then

        r = 2 / (1 - beta2) - 1,  s = r - 2 t beta2^t / (1 - beta2^t)
        w = w - lr m / (1 - beta1^t)       where s <= 5, otherwise this step times
        sqrt(1 - beta2^t) / (sqrt(v) + eps) sqrt((s - 4) (s - 2) r / ((r - 4) (r - 2) s))

    Liu et al., ICLR 2020. Errors as for `Adam`.
    """

    _rule = "RAdam"

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
