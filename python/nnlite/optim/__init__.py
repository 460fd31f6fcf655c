"""Optimizers, learning-rate schedules and gradient clipping."""

from ..naming import publish
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from . import lr_scheduler
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .lbfgs import LBFGS
from .lr_scheduler import *
from .optimizer import Optimizer
from .sgd import SGD

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop",
    "clip_grad_norm_", "clip_grad_value_", "lr_scheduler",
]  # fmt: skip
__all__ += lr_scheduler.__all__

# Those that run natively, by the names that the command line takes.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.__name__.lower(): each for each in (SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Adamax, NAdam, RAdam)
}

publish(__name__)
