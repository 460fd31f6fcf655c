"""Arguments and defaults are PyTorch's, in PyTorch's order; docs/pytorch.md lists the missing ones, which raise a TypeError."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, ops, optim
from nnlite.autograd.function import FunctionCtx
from nnlite.nn import functional as F

PAGE = Path(__file__).parents[1] / "docs/pytorch.md"

LEFT_OUT = {
    "size_average", "reduce", "device", "dtype", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    "_weight", "_freeze", "foreach", "fused", "differentiable", "capturable", "generator", "out", "memory_format", "non_blocking",
    "layout", "pin_memory", "copy",
}  # fmt: skip
CHECKS = {
    "check_backward_ad", "check_batched_forward_grad", "check_batched_grad", "check_forward_ad", "check_fwd_over_rev",
    "check_grad_dtypes", "check_rev_over_rev", "check_undefined_grad", "fast_mode", "gen_non_contig_grad_outputs", "masked",
    "nondet_tol",
}  # fmt: skip
LEFT_OUT_HERE = {
    "autograd.gradcheck": CHECKS, "autograd.gradgradcheck": CHECKS, "autograd.backward": {"grad_variables"},
    "BatchNorm1d": {"bias"}, "GroupNorm": {"bias"}, "InstanceNorm1d": {"bias"}, "Hardtanh": {"min_value", "max_value"},
    "mse_loss": {"weight"}, "l1_loss": {"weight"}, "huber_loss": {"weight"},
}  # fmt: skip
ONLY_OURS = {"MLP"}
FREE = {"args", "kwargs", "_stacklevel"}  # not specified by PyTorch's signature, or not for users
FUNCTIONS = ["cat", "inference_mode", "maximum", "minimum", "stack"]
# Methods whose documentation in PyTorch does not give their signature (overloads, separate sizes, other names than they
# accept), or that have an option for other devices.
NOT_COMPARED = {
    "max", "min", "permute", "reshape", "view", "div_", "matmul", "mul_", "pow_", "requires_grad_", "sub_", "to", "cuda", "type_as", "uniform_",
    "numpy",
}  # fmt: skip
# Functions with several signatures, or whose documentation names arguments differently than they are called.
OVERLOADED = {
    "bernoulli", "broadcast_to", "einsum", "fix", "flip", "kthvalue", "meshgrid", "normal", "prod", "randperm", "scatter", "split", "std", "std_mean", "swapdims",
    "tile", "topk", "true_divide", "var", "var_mean",
}  # fmt: skip
METHODS = [
    "load_state_dict", "state_dict", "named_parameters", "named_buffers", "named_modules", "parameters", "buffers", "zero_grad",
    "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook", "register_state_dict_post_hook", "register_state_dict_pre_hook",
    "register_load_state_dict_pre_hook", "register_load_state_dict_post_hook", "get_submodule", "set_submodule", "get_parameter",
    "get_buffer", "get_extra_state", "set_extra_state", "type", "half", "bfloat16", "cuda",
    "train", "eval", "requires_grad_", "register_buffer", "register_parameter", "add_module", "apply", "named_children",
]  # fmt: skip


def pairs() -> list[tuple[str, Callable[..., Any], Callable[..., Any]]]:
    found: list[tuple[str, Any, Any]] = []
    for name in nn.__all__:
        ours = getattr(nn, name)
        if inspect.isclass(ours) and name not in ONLY_OURS and ours not in (nn.Module, nn.Parameter):
            theirs = getattr(torch.nn, name)
            found.append((name, ours.__init__, theirs.__init__))
            if "forward" in vars(theirs):
                found.append((f"{name}.forward", ours.forward, theirs.forward))
    for module, theirs in [(F, torch.nn.functional), (nn.init, torch.nn.init), (nn.utils, torch.nn.utils)]:
        found += [(name, getattr(module, name), getattr(theirs, name)) for name in dir(module)]
    for name in nl.data.__all__:
        if hasattr(torch.utils.data, name):
            both = (getattr(nl.data, name), getattr(torch.utils.data, name))
            ours, theirs = ((x.__init__ if inspect.isclass(x) else x) for x in both)
            found.append((name, ours, theirs))
    for name in optim.__all__:
        for theirs in (torch.optim, torch.optim.lr_scheduler, torch.nn.utils):
            if hasattr(theirs, name) and not inspect.ismodule(getattr(optim, name)):
                found.append((name, getattr(optim, name), getattr(theirs, name)))
                break
    found += [(name, getattr(nn.Module, name), getattr(torch.nn.Module, name)) for name in METHODS]
    composed = {name for name in ops.FUNCTIONS - OVERLOADED if ops.ALIASES.get(name, name) not in ops.NATIVE}
    found += [(name, getattr(nl, name), getattr(torch, name)) for name in [*FUNCTIONS, *sorted(composed)]]
    for name in ("backward", "grad", "gradcheck", "gradgradcheck"):
        found.append((f"autograd.{name}", getattr(nl.autograd, name), getattr(torch.autograd, name)))
    for name in dir(nl.autograd.functional):
        found.append((name, getattr(nl.autograd.functional, name), getattr(torch.autograd.functional, name)))
    for name in ("save_for_backward", "mark_non_differentiable", "mark_dirty", "set_materialize_grads"):
        found.append((name, getattr(FunctionCtx, name), getattr(torch.autograd.function.FunctionCtx, name)))
    for name, ours in vars(nl.Tensor).items():
        if callable(ours) and not name.startswith("_") and name not in NOT_COMPARED | ops.METHODS:
            found.append((f"Tensor.{name}", ours, getattr(torch.Tensor, name)))
    return [pair for pair in found if signature_of(pair[2]) is not None]


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature; for a native function, the first line of its documentation; None if that has none."""
    try:
        return inspect.signature(function)
    except ValueError:
        first = (function.__doc__ or "").strip().partition("\n")[0].partition(" ->")[0]
    scope = {"torch": torch}
    try:
        exec(f"def documented{first[first.find('(') :]}: ...", scope)
    except SyntaxError:
        return None
    return inspect.signature(scope["documented"])


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    signature = signature_of(function)
    assert signature is not None
    return {name: p.default for name, p in signature.parameters.items() if name not in {"self", *FREE}}


def same_default(ours: Any, theirs: Any) -> bool:
    if theirs is torch.float32 or (ours is np.float32 and theirs is None):
        return ours in (None, np.float32)
    if isinstance(theirs, torch.Generator):  # PyTorch's default one
        return ours is None
    return bool(ours == theirs)


@pytest.mark.parametrize(("name", "ours", "theirs"), pairs(), ids=lambda value: value if isinstance(value, str) else "")
def test_arguments_match_pytorch(name: str, ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    taken, known = parameters_of(ours), parameters_of(theirs)
    missing = set(known) - set(taken)
    assert missing <= LEFT_OUT | LEFT_OUT_HERE.get(name, set())
    assert [n for n in taken if n in known] == [n for n in known if n in taken]
    for argument in set(taken) & set(known):
        assert same_default(taken[argument], known[argument]), argument
    for argument in missing:
        with pytest.raises(TypeError, match=f"'{argument}'"):
            signature_of(ours).bind_partial(**{argument: None})


def test_every_pair_is_compared() -> None:
    names = [name for name, _, _ in pairs()]
    assert {
        "Linear",
        "CrossEntropyLoss.forward",
        "cross_entropy",
        "gelu",
        "kaiming_uniform_",
        "SGD",
        "StepLR",
        "train",
    } <= set(names)
    assert {"stack", "Tensor.sum"} <= set(names)
    assert len(names) > 150


@pytest.mark.skipif(not PAGE.exists(), reason="needs the documentation")
def test_the_page_lists_missing_options() -> None:
    page = PAGE.read_text()
    for name in LEFT_OUT.union(*LEFT_OUT_HERE.values()):
        assert f"`{name}`" in page, name
