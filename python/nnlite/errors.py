"""Exceptions that are nnlite's own."""

from ._core import CaptureError

__all__ = ["CaptureError", "DivergenceError", "ModelFileError"]


class DivergenceError(RuntimeError):
    """The loss became NaN or infinite; the weights are those before the batch that showed it.

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
    """A model file that is not whole, not a model, or not one that this version can read."""
