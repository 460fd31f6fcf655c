"""Prediction, NumPy arrays in and out: one row, where Python's overhead dominates, and many."""

from dataclasses import dataclass

from ..autograd.grad_mode import no_grad
from ..training import Predictor
from .networks import Network
from .results import OWN, Subject, Work
from .timing import Repeat, repeated

CALL, PREDICT = "model(x)", "Trainer.predict"


@dataclass(frozen=True)
class Prediction(Subject):
    """The outputs of a network for some rows at once."""

    section = "prediction"
    network: Network
    rows: int

    @property
    def name(self) -> str:
        """Rows and network."""
        return f"{self.rows:,} row{'s' if self.rows > 1 else ''} of {self.network.name}"

    def work(self) -> Work:
        """The flops of the products."""
        return Work(flops=self.network.forward_flops(self.rows))

    def contestants(self) -> dict[str, Repeat]:
        """A `Predictor`, calling the model, and `Trainer.predict`."""
        trainer = self.network.trainer()
        model = trainer.model.eval()
        predictor = Predictor(model)
        x, _ = self.network.data(self.rows)

        def call(times: int) -> None:
            with no_grad():
                for _ in range(times):
                    model(x).numpy()

        return {OWN: repeated(lambda: predictor(x)), CALL: call, PREDICT: repeated(lambda: trainer.predict(x))}


def subjects(quick: bool = False) -> list[Subject]:
    """One row through two networks, 10,000 through one."""
    many = Prediction(Network((784, 512, 10)), 10_000)
    return [
        Prediction(Network((784, 128, 10)), 1),
        Prediction(Network((24, 8, 2), "Tanh"), 1),
        *([] if quick else [many]),
    ]
