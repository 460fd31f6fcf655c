"""The layers and losses as functions, with PyTorch's names and arguments. They take tensors and arrays and return a Tensor.

In formulas x is the input and t the target. `inplace` changes nothing: the result is always a new tensor.
"""

from typing import TYPE_CHECKING

from ...naming import publish
from . import activations, layers, losses, normalization
from .activations import *
from .layers import *
from .losses import *
from .normalization import *

if TYPE_CHECKING:
    from .distances import *
    from .margin_losses import *
    from .piecewise import *

# Imported when first used.
LAZY = {
    "distances": ("cosine_similarity", "normalize", "pairwise_distance"),
    "margin_losses": (
        "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
        "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss", "triplet_margin_loss",
    ),
    "piecewise": ("hardshrink", "hardsigmoid", "hardswish", "hardtanh", "prelu", "relu6", "softshrink", "threshold"),
}  # fmt: skip

__all__: list[str] = []
__all__ += activations.__all__ + layers.__all__ + losses.__all__ + normalization.__all__
__all__ += [name for names in LAZY.values() for name in names]

publish(__name__, LAZY)
