"""Benchmarks count their measurements and estimate the time left."""

from __future__ import annotations

import re

from nnlite.bench.countdown import Countdown
from nnlite.bench.suite import Settings, run


def test_the_time_left_follows_the_pace() -> None:
    now, said = [0.0], []
    countdown = Countdown(said.append, 5, 10.0, 100.0, lambda: now[0])
    for weight in (1.0, 1.0, 2.0, 5.0, 1.0):
        countdown.begin("work", weight)
        now[0] += 3 * weight
    assert said == [
        "5 measurements, about 2 minutes on a quiet machine",
        "[1/5] work (about 2 minutes left)", "[2/5] work (about 2 minutes left)",
        "[3/5] work (about 80 s left)", "[4/5] work (about 20 s left)", "[5/5] work (about 5 s left)",
    ]  # fmt: skip


def test_a_run_counts_all_that_it_measures() -> None:
    said: list[str] = []
    run(Settings(("functions", "limits"), quick=True, rounds=1), progress=said.append)
    total = int(said[0].split()[0])
    assert re.fullmatch(r"\d+ measurements, about .* on a quiet machine", said[0])
    assert [line.split()[0] for line in said[1:]] == [f"[{i}/{total}]" for i in range(1, total + 1)]
    assert all(line.endswith("left)") for line in said[1:])
