"""Layers, activations and losses."""

from typing import TYPE_CHECKING

from ..naming import publish
from . import activations, containers, dropout, functional, init, linear, losses, mlp, normalization
from .activations import *
from .containers import *
from .dropout import *
from .linear import *
from .losses import *
from .mlp import *
from .module import Module
from .normalization import *
from .parameter import Parameter

if TYPE_CHECKING:
    from . import utils as utils
    from .composed import *
    from .margin_losses import *

__all__ = ["Module", "Parameter", "functional", "init", "utils"]
__all__ += activations.__all__ + containers.__all__ + dropout.__all__ + linear.__all__
__all__ += losses.__all__ + mlp.__all__ + normalization.__all__

publish(__name__, {"composed": None, "margin_losses": None, "utils": ("utils",)})  # imported when first used
publish(init.__name__)
