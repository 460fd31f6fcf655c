"""Short calls of `fit`, `evaluate` and `predict`, and what is done between two epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..callbacks import Callback, EarlyStopping
from ..optim.lr_scheduler import StepLR
from ..training import Trainer
from .networks import Network
from .results import OWN, Subject, Work
from .timing import Repeat, repeated

FIT, EVALUATE, PREDICT = "fit of one epoch", "evaluate", "predict"
_NEVER = 10**9  # epochs


@dataclass(frozen=True)
class Call(Subject):
    """One call on some rows."""

    section = "calls"
    network: Network
    rows: int
    batch: int
    what: str

    @property
    def name(self) -> str:
        """The call, the network and the rows."""
        return f"{self.what}, {self.network.name} ({self.rows} rows, batch {self.batch})"

    def work(self) -> Work:
        """The flops of the products."""
        flops = self.network.step_flops if self.what == FIT else self.network.forward_flops
        return Work(flops=flops(self.rows))

    def contestants(self) -> dict[str, Repeat]:
        """One trainer, called again and again."""
        trainer = self.network.trainer()
        x, y = self.network.data(self.rows)
        calls: dict[str, Callable[[], object]] = {
            FIT: lambda: trainer.fit(x, y, batch_size=self.batch, progress=False),
            EVALUATE: lambda: trainer.evaluate(x, y),
            PREDICT: lambda: trainer.predict(x),
        }
        return {OWN: repeated(calls[self.what])}


BETWEEN: dict[str, Callable[[Trainer, Any], dict[str, Any]]] = {
    "nothing": lambda trainer, data: {},
    "a callback": lambda trainer, data: {"callbacks": [Callback()]},
    "a schedule": lambda trainer, data: {"scheduler": StepLR(trainer.optimizer, _NEVER)},
    "a metric": lambda trainer, data: {},
    "validation": lambda trainer, data: {"validation_data": data},
    "early stopping": lambda trainer, data: {"validation_data": data, "callbacks": [EarlyStopping(patience=_NEVER)]},
}
"""`fit`'s options by what an epoch ends with; validation is of 50 rows."""


@dataclass(frozen=True)
class Epoch(Subject):
    """An epoch of one fit, with what is asked for after each."""

    section = "calls"
    unit = "epoch"
    network: Network
    rows: int
    batch: int
    between: str

    @property
    def name(self) -> str:
        """What comes between epochs, the network and the rows."""
        return f"epoch and {self.between}, {self.network.name} ({self.rows} rows, batch {self.batch})"

    def work(self) -> Work:
        """The flops of the products."""
        return Work(flops=self.network.step_flops(self.rows))

    def contestants(self) -> dict[str, Repeat]:
        """One call of fit for all epochs."""
        x, y = self.network.data(self.rows)
        metrics = ["accuracy"] if self.between == "a metric" else []
        trainer = self.network.trainer()
        trainer = Trainer(trainer.model, trainer.criterion, trainer.optimizer, metrics=metrics)
        options = BETWEEN[self.between](trainer, self.network.data(50))
        return {OWN: lambda epochs: trainer.fit(x, y, epochs=epochs, batch_size=self.batch, progress=False, **options)}


def subjects(quick: bool = False) -> list[Subject]:
    """Two networks of one step an epoch, and 455 rows in 15 steps."""
    table = Network((30, 8, 2))
    one_step = [(Network((24, 8, 2), "Tanh", "MSELoss"), 200), (Network((2, 16, 16, 2)), 32)]
    calls = [Call(network, rows, rows, what) for network, rows in one_step for what in (FIT, EVALUATE, PREDICT)]
    epochs = [Epoch(table, 455, 32, between) for between in BETWEEN]
    return [*calls[3:], *epochs[:2]] if quick else [*calls, Call(table, 455, 32, FIT), *epochs]
