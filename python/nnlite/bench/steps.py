"""Training steps: native epochs and your own loop, on the design's six networks, two of them with Adam, and over widths and batches."""

from dataclasses import dataclass

from .. import _core
from ..data import DataLoader, TensorDataset
from .networks import Network
from .results import OWN, Subject, Work
from .timing import Repeat, repeated

OWN_LOOP = "own loop"
ONE_THREAD, TWO_THREADS = OWN, "two threads"


@dataclass(frozen=True)
class Step(Subject):
    """A training step of a network on shuffled batches; one repetition is an epoch of `steps` of them."""

    unit = "step"
    network: Network
    batch: int
    steps: int
    section: str = "steps"  # in "threads" the contestants are one thread and two
    optimizer: str = "SGD"

    @property
    def patience(self) -> float:
        """Enough that the overhead of a call of fit is below 2 %."""
        return 5.0 if self.section == "steps" else 1.0

    @property
    def name(self) -> str:
        """Network and batch size."""
        unusual = [self.network.activation] * (self.network.activation != "ReLU") + [self.optimizer] * (
            self.optimizer != "SGD"
        )
        return f"{' '.join([self.network.name, *unusual])} (batch {self.batch})"

    def work(self) -> Work:
        """The flops of the products; what the networks hold mostly stays in the caches."""
        return Work(self.steps, self.network.step_flops(self.batch))

    def contestants(self) -> dict[str, Repeat]:
        """Native epochs; in the section of steps, your own loop too."""
        if self.section == "threads":
            return {ONE_THREAD: self._on_threads(1), TWO_THREADS: self._on_threads(2)}
        contestants = {OWN: self._native()}
        if self.section == "steps":
            contestants[OWN_LOOP] = self._own_loop()
        return contestants

    def _native(self) -> Repeat:
        """One call of fit, so that what a fit costs once is shared by all its epochs."""
        x, y = self.network.data(self.batch * self.steps)
        trainer = self.network.trainer(self.optimizer)
        return lambda epochs: trainer.fit(x, y, epochs=epochs, batch_size=self.batch, progress=False)

    def _own_loop(self) -> Repeat:
        x, y = self.network.data(self.batch * self.steps)
        trainer = self.network.trainer(self.optimizer)
        model, criterion, optimizer = trainer.model, trainer.criterion, trainer.optimizer
        loader = DataLoader(TensorDataset(x, y), self.batch, shuffle=True)

        def epoch() -> None:
            for xb, yb in loader:
                optimizer.zero_grad()
                loss = criterion(model(xb), yb)
                loss.backward()
                optimizer.step()

        return repeated(epoch)

    def _on_threads(self, threads: int) -> Repeat:
        native = self._native()

        def run(epochs: int) -> None:
            before = _core.get_num_threads()
            _core.set_num_threads(threads)
            try:
                native(epochs)
            finally:
                _core.set_num_threads(before)

        return run


NETWORKS = (
    (Network((24, 8, 2), "Tanh", "MSELoss"), 200, 200),
    (Network((2, 16, 16, 2)), 32, 400),
    (Network((64, 128, 10)), 32, 200),
    (Network((784, 128, 10)), 64, 60),
    (Network((784, 512, 512, 10)), 128, 8),
    (Network((784, 2048, 2048, 10)), 512, 1),
)
WITH_ADAM = (NETWORKS[1], NETWORKS[3])

WIDTHS = (1, 2, 4, 8, 16, 31, 32, 45, 46, 64, 128, 256)
DENSE_WIDTHS = (
    1, 2, 3, 4, 6, 8, 12, 15, 16, 17, 24, 31, 32, 33, 45, 46, 47, 48, 63, 64, 65, 80, 96, 112, 127, 128, 129, 160, 192,
    224, 255, 256,
)  # fmt: skip
BATCHES = (1, 8, 32, 128, 1024)


def square(width: int, batch: int, section: str) -> Step:
    """Two layers of one width, ReLU between them, mean squared error; an epoch of about 4,096 rows."""
    return Step(Network((width, width, width), "ReLU", "MSELoss"), batch, max(4, min(256, 4096 // batch)), section)


def subjects(quick: bool = False) -> list[Subject]:
    """The table of the design."""
    table = [Step(*row) for row in (NETWORKS[:4] if quick else NETWORKS)]
    return [*table, *(Step(*row, optimizer="Adam") for row in WITH_ADAM)]


def widths(quick: bool = False) -> list[Subject]:
    """From one number to 256, rows from one to 1,024."""
    chosen, batches = ((1, 16, 46), (1, 32)) if quick else (WIDTHS, BATCHES)
    return [square(width, batch, "widths") for batch in batches for width in chosen]


def threads(quick: bool = False) -> list[Subject]:
    """The table of the design and a close series of widths, each on one thread and on two."""
    table = [Step(*row, "threads") for row in (NETWORKS[1:4] if quick else NETWORKS)]
    chosen, batches = ((45, 46), (32,)) if quick else (DENSE_WIDTHS, (1, 32, 1024))
    return [*table, *(square(width, batch, "threads") for batch in batches for width in chosen)]
