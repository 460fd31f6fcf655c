"""The arguments of save, in PyTorch's order and in reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import nn
from nnlite.files.model_file import load, save


def test_both_orders_of_arguments_are_accepted(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    for number, arguments in enumerate(
        [(model, "{}"), ("{}", model), (model.state_dict(), "{}"), ("{}", model.state_dict())]
    ):
        for kind in (str, Path):
            path = tmp_path / f"{number}-{kind.__name__}"
            save(*(kind(path) if argument == "{}" else argument for argument in arguments))  # type: ignore[arg-type]
            np.testing.assert_array_equal(load(path)["weight"], model.weight.detach().numpy())
    save(path=tmp_path / "named", model=model)
    assert list(load(tmp_path / "named")) == ["weight", "bias"]


@pytest.mark.parametrize(
    "arguments", [(nn.Linear(1, 1), None), ("a", "b"), (nn.Linear(1, 1), nn.Linear(1, 1)), (3, "a")]
)
def test_arguments_that_are_neither_model_nor_path_are_named(arguments: tuple[Any, Any]) -> None:
    kinds = " and a ".join(type(argument).__name__ for argument in arguments)
    with pytest.raises(TypeError, match=f"a Module or a state dict, then a path: got a {kinds}"):
        save(*arguments)
