"""On a processor without AVX, the library imports, reports the instruction set, and trains to the same bits."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

import pytest

import nnlite as nl

CODE = """
import nnlite as nl
from nnlite import nn, optim
x, y = nl.data.make_moons(100, noise=0.1, seed=0)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)).fit(x, y, epochs=2, progress=False)
print(nl.show_config()["isa"], model.fingerprint())
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates an x86-64 processor")
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="needs qemu-user (a Debian package)")
def test_without_avx() -> None:
    command = ["qemu-x86_64", "-cpu", "Nehalem", sys.executable, "-c", CODE]
    isa, fingerprint = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert isa == "scalar"
    own = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout.split()
    assert own == [nl.show_config()["isa"], fingerprint]
