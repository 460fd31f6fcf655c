"""Layers, activations and losses."""

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

__all__ = ["Module", "Parameter", "functional", "init"]
__all__ += (
    activations.__all__ + containers.__all__ + dropout.__all__ + linear.__all__ + losses.__all__ + normalization.__all__
)

publish(__name__)
publish(functional.__name__)
publish(init.__name__)
