"""What to do between epochs and batches, with Keras's names."""

from ..naming import publish
from .base import Callback, CallbackList, LambdaCallback, Logs
from .logs import CSVLogger
from .monitors import EarlyStopping, ModelCheckpoint
from .schedules import LearningRateScheduler

__all__ = [
    "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "Logs",
    "ModelCheckpoint",
]  # fmt: skip

publish(__name__)
