"""The programs of examples/pytorch print the same under nnlite and under PyTorch, which gets nnlite's random numbers."""

from __future__ import annotations

import contextlib
import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import nnlite as nl

PROGRAMS = sorted((Path(__file__).parents[1] / "examples" / "pytorch").glob("*.py"))
NUMBER = re.compile(r"-?\d+\.\d+")


def printed(source: str) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
    return out.getvalue().splitlines()


def with_nnlites_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes PyTorch initialise, shuffle and sample as nnlite does."""

    def drawn(name: str) -> Any:
        return lambda *size: torch.from_numpy(getattr(nl, name)(*size).numpy())

    def initialised(layer: torch.nn.Linear) -> None:
        twin = nl.nn.Linear(layer.in_features, layer.out_features)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(twin.weight.detach().numpy()))
            layer.bias.copy_(torch.from_numpy(twin.bias.detach().numpy()))

    def sampled(self: torch.distributions.Categorical) -> torch.Tensor:
        choices = nl.distributions.Categorical(logits=nl.tensor(self.logits.detach().numpy()))
        return torch.tensor(choices.sample().numpy())

    monkeypatch.setattr(torch, "manual_seed", nl.manual_seed)
    monkeypatch.setattr(torch, "rand", drawn("rand"))
    monkeypatch.setattr(torch, "randn", drawn("randn"))
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", initialised)
    monkeypatch.setattr(torch.distributions.Categorical, "sample", sampled)
    order = nl._core.default_generator
    monkeypatch.setattr(
        torch.utils.data.RandomSampler,
        "__iter__",
        lambda self: iter(order().permutation(len(self.data_source), "shuffle").tolist()),
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_prints_the_same(program: Path, monkeypatch: pytest.MonkeyPatch, record_property) -> None:
    source = program.read_text()
    begin = time.perf_counter()
    ours = printed(source)
    between = time.perf_counter()
    with_nnlites_random_numbers(monkeypatch)
    theirs = printed(source.replace("nnlite", "torch"))
    record_property("seconds", {"nnlite": between - begin, "torch": time.perf_counter() - between})
    assert [NUMBER.sub("#", line) for line in ours] == [NUMBER.sub("#", line) for line in theirs]
    for own, other in zip(ours, theirs, strict=True):
        # The last bits of the two libraries differ, and training carries the difference on.
        assert list(map(float, NUMBER.findall(own))) == pytest.approx(
            list(map(float, NUMBER.findall(other))), rel=2e-3, abs=2e-3
        ), (own, other)
    print(f"{program.stem}: nnlite {between - begin:.2f} s, PyTorch {time.perf_counter() - between:.2f} s")
