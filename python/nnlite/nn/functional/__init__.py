"""The layers and losses as functions, with PyTorch's names and arguments. They take tensors and arrays and return a Tensor.

In formulas x is the input and t the target. `inplace` changes nothing: the result is always a new tensor.
"""

from typing import TYPE_CHECKING

from ...naming import publish

if TYPE_CHECKING:
    from .activations import *
    from .layers import *
    from .losses import *

publish(__name__, {"activations": None, "layers": None, "losses": None})  # imported when first used
