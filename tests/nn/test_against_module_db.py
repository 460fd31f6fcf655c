"""Every module that nnlite has, on PyTorch's own samples of arguments and inputs: outputs, gradients, states."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing._internal.common_modules import ModuleInfo, module_db

import nnlite as nl
from comparison import assert_close
from nnlite import nn

INFOS = {info.name.removeprefix("nn."): info for info in module_db if info.module_cls.__module__.startswith("torch.nn")}
COMPARED = {name: info for name, info in INFOS.items() if name in nn.__all__}
DRAWN = {"Dropout", "AlphaDropout"}  # random numbers are nnlite's own

NORMS_WITHOUT_BIAS_OPTION = {"BatchNorm1d", "GroupNorm", "InstanceNorm1d"}


def samples(info: ModuleInfo, training: bool) -> Iterator[Any]:
    torch.manual_seed(0)
    yield from info.module_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=info.name not in DRAWN, training=training
    )


def converted(value: Any) -> Any:
    """PyTorch's tensors as nnlite's, in whatever holds them."""
    if isinstance(value, torch.Tensor):
        return nl.tensor(value.detach().numpy(), requires_grad=value.requires_grad and value.is_floating_point())
    if isinstance(value, tuple | list):
        return type(value)(map(converted, value))
    if isinstance(value, dict):
        return {key: converted(entry) for key, entry in value.items()}
    return value


def leaves(value: Any) -> Any:
    """Copies of PyTorch's tensors, in a tuple or list of them, to differentiate by."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return type(value)(map(leaves, value)) if isinstance(value, tuple | list) else value


def is_left_out(name: str, sample: Any, training: bool) -> bool:
    """Options that docs/pytorch.md lists as left out, and batches without rows, which nnlite does not normalise."""
    if "bias" in sample.constructor_input.kwargs and name in NORMS_WITHOUT_BIAS_OPTION:
        return True
    return name == "BatchNorm1d" and sample.forward_input.args[0].numel() == 0


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", sorted(COMPARED))
def test_module(name: str, training: bool) -> None:
    compared = 0
    for number, sample in enumerate(samples(COMPARED[name], training)):
        arguments, inputs = sample.constructor_input, sample.forward_input
        if is_left_out(name, sample, training):
            continue
        where = f"{name} sample {number} ({sample.desc})"
        theirs = getattr(torch.nn, name)(*arguments.args, **arguments.kwargs).double().train(training)
        ours = getattr(nn, name)(*converted(arguments.args), **converted(arguments.kwargs)).double().train(training)
        state = theirs.state_dict()
        assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in state.items()}, (
            where
        )
        ours.load_state_dict(state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine, other = converted(inputs.args), leaves(inputs.args)
            y, z = ours(*mine, **converted(inputs.kwargs)), theirs(*other, **inputs.kwargs)
        if name in DRAWN and training:
            assert y.shape == tuple(z.shape), where
            continue
        assert_close(y.detach().numpy(), z.detach().numpy(), 1e-11, where)
        if z.requires_grad:
            direction = np.random.default_rng(0).standard_normal(tuple(z.shape))
            y.backward(direction)
            z.backward(torch.from_numpy(np.asarray(direction)))
            pairs = [(a, b) for a, b in zip(mine, other, strict=True) if getattr(b, "grad", None) is not None]
            for a, b in [*pairs, *zip(ours.parameters(), theirs.parameters(), strict=True)]:
                got = np.zeros(a.shape) if a.grad is None else a.grad.numpy()
                expected = np.zeros(a.shape) if b.grad is None else b.grad.numpy()
                assert_close(got, expected, 1e-10, f"{where}: gradient")
        for key, value in theirs.state_dict().items():
            assert_close(ours.state_dict()[key], value.numpy(), 1e-11, f"{where}: {key}")
        compared += 1
    assert compared or name in DRAWN or name in ("Identity",), f"no sample of {name} was compared"
