"""Schedules given by a user's function."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

from ...nn.options import number
from ..optimizer import Optimizer
from .base import LRScheduler, rates_of, require_state_dict

Factor = Callable[[int], float]


def state_of_function(function: Any) -> dict[str, Any] | None:
    """What a state dict keeps of a function: the attributes of a callable object."""
    is_plain = isinstance(function, types.FunctionType | types.MethodType | type)
    return None if is_plain or not hasattr(function, "__dict__") else vars(function).copy()


class _FunctionLR(LRScheduler):
    """One function of the epoch for all groups, or a list with one per group."""

    _UNSAVED = (*LRScheduler._UNSAVED, "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        name, given = type(self).__name__, lr_lambda
        if not callable(given) and not (isinstance(given, list | tuple) and all(map(callable, given))):
            raise TypeError(f"{name}: lr_lambda must be a function of the epoch or a list of them, got {lr_lambda!r}")
        count = len(optimizer.param_groups)
        self.lr_lambdas: list[Factor] = [given] * count if callable(given) else list(given)
        if len(self.lr_lambdas) != count:
            raise ValueError(f"{name} got {len(self.lr_lambdas)} functions for {count} parameter groups")
        super().__init__(optimizer, last_epoch)

    def _times_factors(self, rates: Sequence[float]) -> list[float]:
        """The rates times their functions' values; shorter if groups were added since."""
        factors = [number("the value of lr_lambda", function(self.last_epoch)) for function in self.lr_lambdas]
        return [rate * factor for rate, factor in zip(rates, factors, strict=False)]

    def state_dict(self) -> dict[str, Any]:
        """As in every schedule, plus the attributes of callable objects; functions are not saved."""
        return {**super().state_dict(), "lr_lambdas": [state_of_function(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in every schedule."""
        require_state_dict(state_dict)
        states = state_dict.get("lr_lambdas", [])
        if not isinstance(states, list) or len(states) > len(self.lr_lambdas):  # fewer if groups were added since
            raise ValueError(
                f"the schedule's state dict needs a list of {len(self.lr_lambdas)} entries as 'lr_lambdas'"
            )
        if any(state is not None and not isinstance(state, dict) for state in states):
            raise ValueError("each of the state dict's lr_lambdas must be None or a dictionary")
        super().load_state_dict(state_dict)
        for function, state in zip(self.lr_lambdas, states, strict=False):
            if state is not None:
                vars(function).update(state)


class LambdaLR(_FunctionLR):
    """lr = initial * lr_lambda(epoch), one function for all groups or a list with one per group."""

    def get_lr(self) -> list[float]:
        return self._times_factors(self.base_lrs)


class MultiplicativeLR(_FunctionLR):
    """lr is multiplied by lr_lambda(epoch) in each epoch, one function for all groups or a list with one per group."""

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        return rates if self._is_initial else self._times_factors(rates)
