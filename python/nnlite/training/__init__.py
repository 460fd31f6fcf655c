"""Training, evaluation and prediction over arrays."""

from ..naming import publish
from .predictor import Predictor
from .trainer import Trainer

__all__ = ["Predictor", "Trainer"]

publish(__name__)
