"""Learning-rate schedules as callbacks."""

from collections.abc import Iterable
from typing import Any

from ...nn.options import number
from ...optim import LRScheduler, ReduceLROnPlateau
from .base import Callback, Logs
from .figures import direction, missing, require_at_start, require_mode


class LearningRateScheduler(Callback):
    """Steps a schedule of `optim` after each epoch, or after each batch if its `interval` says so.

    A function sets lr = schedule(epoch, lr) before each epoch. A ReduceLROnPlateau follows the metric `monitor`, by default
    the schedule's own `monitor`, else the validation loss, else the loss; its mode must be the metric's direction, which
    `mode` gives for metrics unknown to nnlite. ValueError at the start of the fit otherwise.
    """

    adds_figures = False

    def __init__(self, schedule: Any, monitor: str | None = None, mode: str = "auto") -> None:
        require_mode(mode)
        if isinstance(schedule, type):
            raise TypeError(
                f"schedule is the class {schedule.__name__} itself; pass {schedule.__name__}(optimizer, ...)"
            )
        if not (callable(schedule) or hasattr(schedule, "step")):
            raise TypeError(f"schedule must be a schedule of optim or a function, got {type(schedule).__name__}")
        if monitor is not None and not isinstance(schedule, ReduceLROnPlateau):
            raise ValueError(f"monitor is for ReduceLROnPlateau; {type(schedule).__name__} follows no metric")
        self.schedule = schedule
        self.monitor = monitor
        self.mode = mode

    def _figure(self) -> str:
        return self.monitor or self.schedule.monitor or ("val_loss" if "val_loss" in self.trainer.figures else "loss")

    def on_train_begin(self) -> None:
        schedule = self.schedule
        if isinstance(schedule, LRScheduler) and schedule.optimizer is not self.trainer.optimizer:
            raise ValueError(f"the {type(schedule).__name__} belongs to an optimizer other than the trainer's")
        if not isinstance(schedule, ReduceLROnPlateau):
            return
        figure = self._figure()
        # A plateau with mode="max" has said which way; "min" may be just the default.
        mode = (
            schedule.mode if self.mode == "auto" and self._is_unknown(figure) and schedule.mode == "max" else self.mode
        )
        wanted = direction("LearningRateScheduler", figure, mode, self.trainer)
        if wanted != schedule.mode:
            raise ValueError(
                f"ReduceLROnPlateau(mode={schedule.mode!r}) cannot follow {figure!r}, which is better when "
                f"{'larger' if wanted == 'max' else 'smaller'}: set schedule.monitor to another metric, or "
                f"create the schedule with mode={wanted!r}"
            )
        require_at_start("LearningRateScheduler watches", [figure], self.trainer)

    def _is_unknown(self, figure: str) -> bool:
        from ...metrics import greater_is_better

        return greater_is_better(figure, self.trainer.metrics) is None

    def on_epoch_begin(self, epoch: int) -> None:
        if callable(self.schedule):
            for group in self.trainer.optimizer.param_groups:
                group["lr"] = number("the schedule's value", self.schedule(epoch, group["lr"]))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if callable(self.schedule) or _steps_per_batch(self.schedule):
            return
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
            return
        if self._figure() not in logs:
            raise missing("LearningRateScheduler watches", self._figure(), logs)
        self.schedule.step(logs[self._figure()])

    def state_dict(self) -> dict[str, Any]:
        return {} if callable(self.schedule) else {"schedule": self.schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not callable(self.schedule):
            self.schedule.load_state_dict(state_dict["schedule"])


def _steps_per_batch(schedule: Any) -> bool:
    return isinstance(schedule, LRScheduler) and schedule.interval == "batch"


def with_schedules(callbacks: Any, scheduler: Any) -> Any:
    """`fit`'s callbacks, with schedules among them as callbacks, and `scheduler` as the last."""
    if callbacks is not None and not isinstance(callbacks, Iterable):
        return callbacks  # CallbackList raises
    if isinstance(scheduler, list | tuple):
        raise TypeError(
            "scheduler must be one schedule: make a SequentialLR or a ChainedScheduler of several, or pass them as callbacks"
        )
    given = [*(callbacks or ()), *([] if scheduler is None else [scheduler])]
    last = len(given) - 1 if scheduler is not None else len(given)
    return [
        LearningRateScheduler(each)
        if isinstance(each, LRScheduler) or (at == last and not isinstance(each, Callback))
        else each
        for at, each in enumerate(given)
    ]


def schedules_of(callbacks: Iterable[Callback]) -> list[Any]:
    """The schedules among callbacks."""
    return [callback.schedule for callback in callbacks if isinstance(callback, LearningRateScheduler)]


def stepped_per_batch(callbacks: Iterable[Callback]) -> list[LRScheduler]:
    """Those that the fit steps after each batch."""
    return [schedule for schedule in schedules_of(callbacks) if _steps_per_batch(schedule)]
