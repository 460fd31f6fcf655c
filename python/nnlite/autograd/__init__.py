"""Gradient modes and gradcheck."""

from ..naming import publish
from .grad_mode import enable_grad, no_grad, set_grad_enabled
from .gradcheck import gradcheck

__all__ = ["enable_grad", "gradcheck", "no_grad", "set_grad_enabled"]

publish(__name__)
