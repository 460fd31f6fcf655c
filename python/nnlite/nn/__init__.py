"""Layers, activations and losses."""

from typing import TYPE_CHECKING

from ..naming import publish
from . import activations, containers, dropout, embedding, functional, init, linear, losses, normalization
from .activations import *
from .containers import *
from .dropout import *
from .embedding import *
from .linear import *
from .losses import *
from .module import Module
from .normalization import *
from .parameter import Parameter

if TYPE_CHECKING:
    from . import utils as utils
    from .composed import *
    from .distances import *
    from .margin_losses import *
    from .parameter_containers import *

# Imported when first used.
LAZY = {
    "composed": (
        "CELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LogSigmoid", "Mish", "PReLU", "ReLU6", "SELU", "Softmin",
        "Softshrink", "Softsign", "Tanhshrink", "Threshold",
    ),
    "distances": ("CosineSimilarity", "PairwiseDistance"),
    "margin_losses": (
        "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
        "MultiLabelSoftMarginLoss", "MultiMarginLoss", "PoissonNLLLoss", "SoftMarginLoss", "TripletMarginLoss",
    ),
    "parameter_containers": ("ParameterDict", "ParameterList"),
    "utils": ("utils",),
}  # fmt: skip

__all__ = ["Module", "Parameter", "functional", "init"]
__all__ += activations.__all__ + containers.__all__ + dropout.__all__ + embedding.__all__ + linear.__all__
__all__ += losses.__all__ + normalization.__all__
__all__ += [name for names in LAZY.values() for name in names]

publish(__name__, LAZY)
publish(init.__name__)
