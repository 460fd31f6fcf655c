"""nnlite's exceptions."""

from ._core import CaptureError

__all__ = ["CaptureError", "DivergenceError", "ModelFileError"]


class DivergenceError(RuntimeError):
    """The loss became NaN or infinite; the weights are those before that batch.

    Attributes: `epoch` and `batch` (from 0), `loss`, `layer` (the parameter with the largest gradient, or the first that is
    not finite), `lr` (of the first parameter group).
    """

    def __init__(self, message: str, *, epoch: int, batch: int, loss: float, layer: str, lr: float) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.batch = batch
        self.loss = loss
        self.layer = layer
        self.lr = lr


class ModelFileError(ValueError):
    """The file is incomplete, not a model, or unreadable by this version."""
