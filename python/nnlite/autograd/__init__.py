"""Gradients: modes, `grad`, functions with a backward pass of their own, and checks."""

from typing import TYPE_CHECKING

from ..naming import publish
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import functional
    from .function import Function
    from .gradients import backward, grad

__all__ = [
    "Function", "backward", "enable_grad", "functional", "grad", "gradcheck", "gradgradcheck", "inference_mode", "no_grad",
    "set_grad_enabled",
]  # fmt: skip

publish(__name__, {"function": ("Function",), "functional": ("functional",), "gradients": ("backward", "grad")})
