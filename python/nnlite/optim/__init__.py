"""Optimizers, learning-rate schedules and gradient clipping."""

from ..naming import publish
from . import lr_scheduler
from .clip import clip_grad_norm_, clip_grad_value_
from .lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    ReduceLROnPlateau,
    StepLR,
)
from .optimizer import Optimizer
from .sgd import SGD

__all__ = [
    "SGD", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "MultiStepLR", "Optimizer",
    "ReduceLROnPlateau", "StepLR", "clip_grad_norm_", "clip_grad_value_", "lr_scheduler",
]  # fmt: skip

publish(__name__)
publish(lr_scheduler.__name__)
