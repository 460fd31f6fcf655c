"""Functions of tensors under PyTorch's names, nl.f(x) and x.f(): compositions of what the core computes.

A family is a file, imported when one of its names is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from .._core import Tensor

_FAMILIES = {
    "elementwise": """sin cos tan asin acos atan atan2 sinh cosh erf erfc expm1 log1p log2 log10 exp2 rsqrt square
        sign neg reciprocal floor ceil round trunc frac remainder fmod floor_divide lerp hypot nan_to_num add sub mul div
        addcmul addcdiv""",
    "reductions": "prod cumsum cumprod diff std var std_mean var_mean norm logsumexp",
    "products": "mm bmm mv dot outer einsum addmm baddbmm kron tensordot cdist",
    "shaping": """expand expand_as repeat repeat_interleave tile chunk split unbind flip roll t tril triu diag movedim
        meshgrid cartesian_prod broadcast_tensors hstack view_as vstack""",
    "selection": """masked_fill masked_select gather scatter scatter_add index_select index_add index_fill
        take_along_dim""",
    "order": """allclose argsort bincount count_nonzero cummax cummin equal isclose kthvalue median nonzero quantile sort
        topk unique""",
    "tensors": """eye from_dlpack full_like linspace logspace rand_like randint randint_like randn_like randperm
        is_tensor new_full new_ones new_tensor new_zeros""",
    "sampling": "bernoulli multinomial normal",
}
ALIASES = {
    "absolute": "abs", "arccos": "acos", "arcsin": "asin", "arctan": "atan", "arctan2": "atan2", "broadcast_to": "expand",
    "concat": "cat", "divide": "div", "empty": "zeros", "empty_like": "zeros_like", "fix": "trunc", "ger": "outer", "greater": "gt",
    "greater_equal": "ge", "less": "lt", "less_equal": "le", "moveaxis": "movedim", "multiply": "mul", "negative": "neg",
    "new_empty": "new_zeros", "not_equal": "ne", "reshape_as": "view_as", "row_stack": "vstack", "subtract": "sub",
    "swapaxes": "transpose", "swapdims": "transpose", "true_divide": "div",
}  # fmt: skip
_NATIVE = """abs all amax amin any argmax argmin bitwise_and bitwise_not bitwise_or bitwise_xor clamp clip clone detach eq exp
    flatten ge gt is_floating_point isfinite isinf isnan isneginf isposinf le log log_softmax logical_and logical_not logical_or
    logical_xor lt matmul max mean min ne numel permute pow relu reshape sigmoid signbit softmax sqrt squeeze sum tanh transpose
    unsqueeze"""
_ONLY_FUNCTIONS = {
    "broadcast_tensors",
    "cartesian_prod",
    "cdist",
    "einsum",
    "normal",
    "tensordot",
    "hstack",
    "meshgrid",
    "row_stack",
    "std_mean",
    "var_mean",
    "vstack",
}
_ONLY_METHODS = {
    "expand", "expand_as", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "repeat", "reshape_as", "view_as",
}  # fmt: skip
# In place: these, and what is elementwise.
_IN_PLACE = {
    "absolute", "clip", "cumprod", "cumsum", "index_add", "index_fill", "log", "masked_fill", "scatter", "scatter_add", "tril", "triu",
}  # fmt: skip
OPERATORS = {
    "__mod__": "remainder",
    "__rmod__": "remainder",
    "__floordiv__": "floor_divide",
    "__rfloordiv__": "floor_divide",
}

NATIVE = set(_NATIVE.split())
_WHERE = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_WHERE.update(dict.fromkeys(NATIVE, "native"))
_WHERE.update({alias: _WHERE.get(name, "tensors") for alias, name in ALIASES.items()})
FUNCTIONS = _WHERE.keys() - _ONLY_METHODS
METHODS = {
    name
    for name in [
        *_WHERE,
        *(f"{name}_" for name, family in _WHERE.items() if family == "elementwise" or name in _IN_PLACE),
    ]
    if name not in _ONLY_FUNCTIONS
    and (_WHERE.get(name) != "tensors" or name in _ONLY_METHODS)
    and not hasattr(Tensor, name)
}


def load(name: str) -> Any:
    """The function that is called `name`, or changes its first argument in place where it ends in `_`."""
    calling = importlib.import_module(f"{__name__}.calling")
    if name in OPERATORS:
        function = load(OPERATORS[name])
        return calling.reflected(function) if name.startswith("__r") else function
    if name.endswith("_"):
        return calling.in_place(load(name[:-1]), name)
    family, original = _WHERE[name], ALIASES.get(name, name)
    if family == "native":
        return calling.function_of(original)
    if family == "tensors":
        return getattr(importlib.import_module("nnlite.tensors"), original)
    return calling.with_numpy_names(getattr(importlib.import_module(f"{__name__}.{family}"), original))


class _Method:
    """Stands for a method of Tensor until it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Tensor | None, owner: type[Tensor]) -> Any:
        function = load(self._name)
        setattr(Tensor, self._name, function)
        return function if instance is None else function.__get__(instance, owner)


for _name in [*METHODS, *OPERATORS]:
    setattr(Tensor, _name, _Method(_name))
