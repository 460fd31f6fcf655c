"""Learning-rate schedules as callbacks."""

from typing import Any

from ...nn.options import number
from ...optim import LRScheduler, ReduceLROnPlateau
from .base import Callback, Logs
from .figures import direction, missing, require_at_start, require_mode


class LearningRateScheduler(Callback):
    """Steps a schedule of `optim` after each epoch, or sets lr = schedule(epoch, lr) before it.

    A ReduceLROnPlateau is shown the figure `monitor`: by default the validation loss where there is one, else the loss.
    Its own mode must be the figure's direction, which `mode` says for figures that nnlite does not know ("auto"); ValueError
    at the start of the fit otherwise.
    """

    adds_figures = False

    def __init__(self, schedule: Any, monitor: str | None = None, mode: str = "auto") -> None:
        require_mode(mode)
        if not (callable(schedule) or hasattr(schedule, "step")):
            raise TypeError(f"schedule must be a schedule of optim or a function, got {type(schedule).__name__}")
        if monitor is not None and not isinstance(schedule, ReduceLROnPlateau):
            raise ValueError(f"monitor is for a ReduceLROnPlateau; {type(schedule).__name__} looks at no figure")
        self._schedule = schedule
        self.monitor = monitor
        self.mode = mode

    def _figure(self) -> str:
        return self.monitor or ("val_loss" if "val_loss" in self.trainer.figures else "loss")

    def on_train_begin(self) -> None:
        schedule = self._schedule
        if isinstance(schedule, LRScheduler) and schedule.optimizer is not self.trainer.optimizer:
            raise ValueError(f"the {type(schedule).__name__} belongs to another optimizer than the trainer's")
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
                f"{'larger' if wanted == 'max' else 'smaller'}: pass LearningRateScheduler(schedule, monitor=...) the figure "
                f"to follow, or make the schedule with mode={wanted!r}"
            )
        require_at_start("LearningRateScheduler watches", [figure], self.trainer)

    def _is_unknown(self, figure: str) -> bool:
        from ...metrics import greater_is_better

        return greater_is_better(figure, self.trainer.metrics) is None

    def on_epoch_begin(self, epoch: int) -> None:
        if callable(self._schedule):
            for group in self.trainer.optimizer.param_groups:
                group["lr"] = number("what the schedule gives", self._schedule(epoch, group["lr"]))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if callable(self._schedule):
            return
        if not isinstance(self._schedule, ReduceLROnPlateau):
            self._schedule.step()
            return
        if self._figure() not in logs:
            raise missing("LearningRateScheduler watches", self._figure(), logs)
        self._schedule.step(logs[self._figure()])

    def state_dict(self) -> dict[str, Any]:
        return {} if callable(self._schedule) else {"schedule": self._schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not callable(self._schedule):
            self._schedule.load_state_dict(state_dict["schedule"])
