"""Layers, activations and losses."""

from typing import TYPE_CHECKING

from ..naming import publish
from . import activations, containers, dropout, functional, init, linear, losses, normalization
from .activations import *
from .containers import *
from .dropout import *
from .linear import *
from .losses import *
from .module import Module
from .normalization import *
from .parameter import Parameter

if TYPE_CHECKING:
    from . import utils as utils
    from .composed import *
    from .margin_losses import *

# Imported when first used.
LAZY = {
    "composed": (
        "CELU", "CosineSimilarity", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LogSigmoid", "Mish", "PReLU",
        "PairwiseDistance", "ReLU6", "SELU", "Softmin", "Softshrink", "Softsign", "Tanhshrink", "Threshold",
    ),
    "margin_losses": (
        "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
        "MultiLabelSoftMarginLoss", "MultiMarginLoss", "PoissonNLLLoss", "SoftMarginLoss", "TripletMarginLoss",
    ),
    "utils": ("utils",),
}  # fmt: skip

__all__ = ["Module", "Parameter", "functional", "init"]
__all__ += activations.__all__ + containers.__all__ + dropout.__all__ + linear.__all__
__all__ += losses.__all__ + normalization.__all__
__all__ += [name for names in LAZY.values() for name in names]

publish(__name__, LAZY)
publish(init.__name__)
