"""The base of all learning-rate schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from ..._core import Tensor
from ...descriptions import described
from ...nn.options import number
from ..optimizer import Optimizer


class _UnchangedOnError:
    """Puts attributes back if the block raises."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self._attributes = attributes
        self._before = attributes.copy()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._attributes.update(self._before)


class LRScheduler:
    """Sets the learning rate of each parameter group; a subclass defines `get_lr`, or overrides `step`.

    A new schedule stores each group's rate as "initial_lr", unless there is one, and sets the first rates. With `last_epoch`
    other than -1 it resumes after that epoch, from the groups' present rates; KeyError if a group then has no "initial_lr".

    >>> from nnlite import nn, optim
    >>> class Halving(optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> schedule = Halving(optim.SGD(nn.Linear(2, 1).parameters(), lr=0.8))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.4]
    """

    _LATER: ClassVar[tuple[str, ...]] = ("_step_count", "_last_lr", "_is_initial")  # absent from older state dicts
    _UNSAVED: ClassVar[tuple[str, ...]] = ("optimizer", "_interval", "monitor")
    _INTERVALS: ClassVar[tuple[str, ...]] = ("epoch", "batch")
    _interval = "epoch"
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = require_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                raise KeyError(
                    f"param_groups[{i}] has no 'initial_lr', which last_epoch={last_epoch} needs: "
                    "load the optimizer's state dict first, or set group['initial_lr'], or use last_epoch=-1"
                )
            group.setdefault("initial_lr", number("lr", group["lr"]))
        self.base_lrs: list[float] = rates_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        self._initial_step()

    def __repr__(self) -> str:
        return described(self)

    @property
    def interval(self) -> str:
        """Whether `Trainer.fit` steps the schedule after each "epoch" or each "batch"; may be set."""
        return self._interval

    @interval.setter
    def interval(self, value: str) -> None:
        if value not in self._INTERVALS:
            known = " or ".join(map(repr, self._INTERVALS))
            raise ValueError(f"the interval of a {type(self).__name__} must be {known}, got {value!r}")
        self._interval = value

    def get_lr(self) -> Iterable[float]:
        """The groups' rates at `last_epoch`, from the present ones; only `step` calls it."""
        raise NotImplementedError

    def _get_closed_form_lr(self) -> Iterable[float]:
        """The groups' rates at `last_epoch`, from their initial ones."""
        return self.get_lr()

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step set."""
        return list(self._last_lr)

    def step(self, epoch: int | None = None) -> None:
        """Advances one epoch (or batch), or jumps to `epoch`, with rates computed from the initial ones."""
        with self._unchanged_on_error():
            self._step_count += 1
            self._update_lr(epoch)

    def require_steps(self, count: int) -> None:
        """Raises ValueError if `count` more steps are too many."""

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._unchanged_on_error():
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            self._set_rates(self.get_lr() if epoch is None else self._get_closed_form_lr())

    def _set_rates(self, rates: Iterable[float]) -> None:
        groups, rates = self.optimizer.param_groups, list(rates)
        self._require_groups(len(rates))
        for group, rate in zip(groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = rates_of(self.optimizer)

    def _require_groups(self, count: int) -> None:
        groups = len(self.optimizer.param_groups)
        if groups != count:
            raise ValueError(
                f"{type(self).__name__} was made for {count} parameter groups but the optimizer has {groups}; make a new "
                "schedule after add_param_group"
            )

    def _unchanged_on_error(self) -> _UnchangedOnError:
        return _UnchangedOnError(self.__dict__)

    def state_dict(self) -> dict[str, Any]:
        """The position and other plain data, under PyTorch's keys."""
        return self._plain_state()

    def _plain_state(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in self._UNSAVED and not callable(value)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resumes from a saved position, PyTorch's too; the optimizer's state dict holds the rates.

        ValueError, and nothing changed, for anything that `state_dict` cannot have returned.
        """
        require_state_dict(state_dict)
        saved = self.state_dict()
        own = {key: value for key, value in self._plain_state().items() if key in saved}
        more = {key: value for key, value in state_dict.items() if key not in self._UNSAVED and not hasattr(self, key)}
        self.__dict__.update({**_checked(own, state_dict, self._LATER), **more})


def require_optimizer(optimizer: Any) -> Optimizer:
    """TypeError unless given an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a schedule needs an optimizer, got {type(optimizer).__name__}")
    return optimizer


def require_state_dict(state_dict: Any) -> None:
    """TypeError unless given a dictionary."""
    if not isinstance(state_dict, dict):
        raise TypeError(f"a schedule loads a dictionary, as from state_dict(), got {state_dict!r}")


def require_numbers(schedule: LRScheduler, **options: Any) -> None:
    """TypeError or ValueError for options that are not numbers."""
    for name, value in options.items():
        number(f"{type(schedule).__name__}: {name}", value)


def require_positive(schedule: LRScheduler, **options: Any) -> None:
    """ValueError for options not above 0."""
    require_numbers(schedule, **options)
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{type(schedule).__name__}: {name} must be above 0, got {value}")


def one_per_group(schedule: LRScheduler, optimizer: Optimizer, name: str, value: Any) -> list[float]:
    """An option given as one number for all groups or a list with one per group."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{type(schedule).__name__} got {len(values)} values of {name} for {count} parameter groups")
    return [number(f"{type(schedule).__name__}: {name}", each) for each in values]


def rates_of(optimizer: Optimizer, key: str = "lr") -> list[float]:
    """One option of every group."""
    return [number(key, group[key]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Changes a rate that the user gave as a tensor in place."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _checked(own: dict[str, Any], saved: dict[str, Any], later: Sequence[str]) -> dict[str, Any]:
    """The saved values of the entries in `own`, each of which must be of the same kind."""
    for key, value in own.items():
        if key not in saved and key not in later:
            raise ValueError(f"the schedule's state dict has no {key!r}")
        if key in saved and value is not None and _kind(saved[key]) != _kind(value):
            raise ValueError(f"the schedule's state dict has {key}={saved[key]!r}, expected a value like {value!r}")
    return {key: saved[key] for key in own if key in saved}


def _kind(value: Any) -> Any:
    """Equal for interchangeable values."""
    if isinstance(value, list | tuple):  # of any length: groups may have been added since
        kinds = [_kind(item) for item in value]
        return list, kinds[0] if kinds and kinds.count(kinds[0]) == len(kinds) else float if not kinds else None
    if isinstance(value, Counter):
        return Counter
    if isinstance(value, dict):
        return {key: _kind(item) for key, item in value.items()}
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
