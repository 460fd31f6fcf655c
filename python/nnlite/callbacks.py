"""Code that runs between epochs and batches, with Keras's names."""

from .naming import publish
from .training.callbacks.base import Callback, CallbackList, LambdaCallback, Logs
from .training.callbacks.logs import CSVLogger
from .training.callbacks.monitors import EarlyStopping, ModelCheckpoint
from .training.callbacks.schedules import LearningRateScheduler

__all__ = [
    "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "Logs",
    "ModelCheckpoint",
]  # fmt: skip

publish(__name__)
