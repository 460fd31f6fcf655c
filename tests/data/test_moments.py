"""Means and deviations for scaling: correct, and the same on every processor that NumPy dispatches for."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import nnlite as nl
from nnlite.data.moments import mean_and_deviation

PROGRAM = """
import numpy as np
import nnlite as nl
from nnlite.data.moments import mean_and_deviation
values = nl.Generator(3).normal((5000, 3), dtype=np.float64) * 1e3 + 7
found = [mean_and_deviation(values), mean_and_deviation(values[:, 0]), mean_and_deviation(values.astype(np.float32))]
print([part.tobytes().hex() for pair in found for part in pair])
"""


@pytest.mark.parametrize("shape", [(1, 2), (2,), (127, 3), (129, 1), (3000, 5)])
def test_they_match_numpy(shape):
    values = nl.Generator(1).normal(shape, dtype=np.float64) * 3 + 5
    mean, deviation = mean_and_deviation(values)
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-14)
    np.testing.assert_allclose(deviation, values.std(0), rtol=1e-12, atol=1e-15)


def test_numbers_whose_sum_overflows():
    mean, deviation = mean_and_deviation(np.full((4, 1), 1e308))
    assert not np.isfinite(mean).all()
    assert not np.isfinite(deviation).all()


def test_the_bits_do_not_depend_on_the_processor():
    def run(**environment: str) -> str:
        variables = {**os.environ, **environment}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM], env=variables, text=True, capture_output=True, check=True
        ).stdout

    expected = run()
    features = "AVX512F AVX512CD AVX512_SKX AVX2 FMA3"
    assert run(NPY_DISABLE_CPU_FEATURES=features) == expected
    assert run(NNLITE_ISA="scalar", NNLITE_NUM_THREADS="2") == expected
