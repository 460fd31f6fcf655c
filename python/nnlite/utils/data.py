"""`nnlite.data` under PyTorch's name."""

from ..data import *  # noqa: F403
