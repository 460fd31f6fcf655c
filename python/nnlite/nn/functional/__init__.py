"""The layers and losses as functions, with PyTorch's names and arguments. They take tensors and arrays and return a Tensor.

In formulas x is the input and t the target. `inplace` changes nothing: the result is always a new tensor.
"""

from typing import TYPE_CHECKING

from ...naming import publish

if TYPE_CHECKING:
    from .activations import *
    from .layers import *
    from .losses import *

# Imported when first used.
LAZY = {
    "activations": (
        "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
        "logsigmoid", "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus",
        "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
    ),
    "layers": (
        "alpha_dropout", "batch_norm", "bilinear", "cosine_similarity", "dropout", "embedding", "embedding_bag", "group_norm",
        "instance_norm", "layer_norm", "linear", "normalize", "one_hot", "pairwise_distance", "rms_norm",
    ),
    "losses": (
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
        "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss",
        "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss",
        "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
    ),
}  # fmt: skip

__all__: list[str] = []
__all__ += [name for names in LAZY.values() for name in names]

publish(__name__, LAZY)
