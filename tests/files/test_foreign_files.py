"""Files from other programs, and our files in other programs."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from nnlite import nn
from nnlite.errors import ModelFileError
from nnlite.files.model_file import load, load_with_metadata, save

STATE = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "count": np.array(3),
    "none": np.ones((0, 2)),
}


def test_a_file_of_another_program_is_read(tmp_path) -> None:
    for metadata in (None, {"format": "pt"}, {"epoch": "3"}):
        (tmp_path / "m").write_bytes(safetensors.numpy.save(STATE, metadata))
        found = load(tmp_path / "m")
        assert sorted(found) == sorted(STATE)
        for name, array in STATE.items():
            np.testing.assert_array_equal(found[name], array)
        with pytest.raises(ModelFileError, match=r"not in the format 1 that save\(\) writes"):
            load_with_metadata(tmp_path / "m")


def test_files_have_the_metadata_that_libraries_around_pytorch_expect(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    save(tmp_path / "m.safetensors", model)
    with safetensors.safe_open(tmp_path / "m.safetensors", "pt") as file:
        assert file.metadata()["format"] == "pt"
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    theirs.load_state_dict(load_file(tmp_path / "m.safetensors"))


def test_the_error_for_a_zip_file_says_what_to_do(tmp_path) -> None:
    np.savez(tmp_path / "m", a=np.ones(3))
    with pytest.raises(ModelFileError, match=r"zip archive, such as torch.save and np.savez write"):
        load(tmp_path / "m.npz")
