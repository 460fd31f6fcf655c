"""The layers and losses as functions, with PyTorch's names and arguments. They take tensors and arrays and return a Tensor.

In formulas x is the input and t the target. `inplace` changes nothing: the result is always a new tensor.
"""

from typing import TYPE_CHECKING

from ...naming import publish

if TYPE_CHECKING:
    from .activations import *
    from .distances import *
    from .layers import *
    from .losses import *
    from .margin_losses import *
    from .normalization import *
    from .piecewise import *

# Imported when first used.
LAZY = {
    "activations": (
        "celu", "elu", "gelu", "glu", "leaky_relu", "log_softmax", "logsigmoid", "mish", "relu", "selu", "sigmoid", "silu",
        "softmax", "softmin", "softplus", "softsign", "tanh", "tanhshrink",
    ),
    "distances": (
        "cosine_similarity", "normalize", "pairwise_distance",
    ),
    "layers": (
        "alpha_dropout", "bilinear", "dropout", "embedding", "embedding_bag", "linear", "one_hot",
    ),
    "losses": (
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss",
        "mse_loss", "nll_loss", "smooth_l1_loss",
    ),
    "margin_losses": (
        "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
        "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss",
        "triplet_margin_loss",
    ),
    "normalization": (
        "batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm",
    ),
    "piecewise": (
        "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "prelu", "relu6", "softshrink", "threshold",
    ),
}  # fmt: skip

__all__: list[str] = []
__all__ += [name for names in LAZY.values() for name in names]

publish(__name__, LAZY)
