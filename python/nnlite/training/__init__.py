"""Training, evaluation and prediction over arrays."""

from .trainer import Trainer

__all__ = ["Trainer"]
