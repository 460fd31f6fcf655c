"""Out of memory anywhere: MemoryError, weights as of a batch boundary, and the next call works."""

from __future__ import annotations

import shutil

import pytest

from faults import run_with_faults


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_every_allocation_fails_in_turn(tmp_path, proof):
    """Each of the library's allocations, and every other of at least 4 KB, on one thread."""
    one_in = 1000 // proof.trials(1000, 50)
    found = run_with_faults("memory_under_faults.py", str(tmp_path), str(one_in), NNLITE_NUM_THREADS="1")
    for stage, (trials, failed) in found.items():
        assert trials > 0, stage
        # Some are recovered from: a step that cannot be captured or cached runs another way.
        assert failed > trials / 2, f"{stage}: of {trials} failures only {failed} showed"
    trials = sum(trials for trials, _ in found.values())
    proof.report("the n-th allocation fails: MemoryError, weights whole, the next call works", trials, f"{found}")
