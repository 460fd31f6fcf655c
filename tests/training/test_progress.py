"""The progress of a fit, and that no state of standard error ends it."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.training.progress import line_of

X, Y = nl.data.make_moons(100, noise=0.1, seed=0)


def trainer(metrics=("accuracy",)) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.MLP([2, 4, 2])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), metrics)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Broken(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        self.write("")


class Ascii(Terminal):
    encoding = "ascii"

    def write(self, text: str) -> int:
        text.encode("ascii")
        return super().write(text)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "without isatty": lambda: types.SimpleNamespace(write=lambda text: len(text), flush=lambda: None),
    "with nothing": object,
    "broken": Broken,
    "not a terminal": io.StringIO,
}


@pytest.mark.parametrize("progress", [None, True, False, "bar", "lines"])
@pytest.mark.parametrize("name", STREAMS)
def test_fit_trains_whatever_standard_error_is(monkeypatch, capsys, name, progress):
    monkeypatch.setattr(sys, "stderr", STREAMS[name]())
    assert len(trainer().fit(X, Y, epochs=3, progress=progress)) == 3
    assert capsys.readouterr().out == ""


def test_one_line_per_epoch(capsys):
    trainer().fit(X, Y, epochs=3, validation_split=0.2, progress="lines")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    for line in lines:
        assert [word.split("=")[0] for word in line.split(": ")[1].split(", ")[:4]] == [
            "loss",
            "accuracy",
            "val_loss",
            "val_accuracy",
        ]
        assert line.endswith("batches/s")


def test_a_terminal_gets_a_bar_with_the_epoch_first_and_the_rate_last(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    made = trainer()
    made.fit(X, Y, epochs=2, batch_size=10)
    shown = terminal.getvalue().strip().split("\r")
    assert all(line.startswith("epoch ") for line in shown if line.strip())
    assert shown[-1].startswith("epoch 2/2 ")
    assert "loss=0." in shown[-1]
    assert shown[-1].endswith("batches/s")
    made.fit(X, Y, epochs=1, batch_size=10)
    assert terminal.getvalue().strip().split("\r")[-1].startswith("epoch 3/3 ")


def test_an_ascii_terminal_gets_ascii(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Ascii())
    trainer().fit(X, Y, epochs=2)
    assert "#" in sys.stderr.getvalue()


@pytest.mark.parametrize("progress", [None, True, "bar"])
def test_tqdm_disable(monkeypatch, progress):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TQDM_DISABLE", "1")
    trainer().fit(X, Y, epochs=2, progress=progress)
    assert sys.stderr.getvalue() == ""
    monkeypatch.setenv("TQDM_DISABLE", "0")
    trainer().fit(X, Y, epochs=2, progress=progress)
    assert "epoch 2/2" in sys.stderr.getvalue()


def test_there_are_no_colours(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    trainer().fit(X, Y, epochs=2)
    assert "\x1b" not in sys.stderr.getvalue()


def test_a_notebook_gets_a_bar(monkeypatch):
    made = []

    class Bar:
        n = 0

        def __init__(self, **options) -> None:
            made.append(options)

        def update(self, count: int) -> None:
            self.n += count

        def set_description_str(self, text: str, refresh: bool) -> None:
            made.append(text)

        def set_postfix_str(self, text: str, refresh: bool) -> None: ...
        def close(self) -> None: ...

    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    trainer().fit(X, Y, epochs=2, batch_size=10)
    assert made[0]["total"] == 20
    assert made[-1] == "epoch 2/2"


@pytest.mark.parametrize("wrong", ["plan", 3, "", [], 0.5])
def test_other_values_are_refused_before_anything_changes(wrong):
    made = trainer()
    before = made.model.fingerprint()
    with pytest.raises(ValueError, match="progress must be None, True, False, 'bar' or 'lines'"):
        made.fit(X, Y, progress=wrong)
    assert (made.model.fingerprint(), made.epoch) == (before, 0)


def test_figures_are_complete_at_any_width():
    for width in range(1, 160):
        require_whole_figures(width)


def require_whole_figures(width: int) -> None:
    figures = ["loss=0.1234", "accuracy=0.9876", "val_loss=12.5", "val_accuracy=0.5"]
    line = line_of(width, "epoch 3/20", " ".join(figures), "3/20, 00:07 left, 1,234 batches/s", 0.15)
    assert len(line) <= width
    assert line.startswith("epoch 3/20"[:width])
    shown = line.rpartition("| ")[2] if "|" in line else line.removeprefix("epoch 3/20").strip()
    whole = [" ".join(figures[:count]) for count in range(5)]
    assert width < 10 or any(shown in (text, f"{text} 3/20, 00:07 left, 1,234 batches/s") for text in whole)


def test_a_resumed_fit_shows_where_it_is(tmp_path, monkeypatch):
    trainer().fit(X, Y, epochs=2, checkpoint=tmp_path, progress=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    trainer().fit(X, Y, epochs=3, checkpoint=tmp_path, resume=True, progress="lines")
    assert sys.stderr.getvalue().startswith("epoch 3/3: loss=")
    assert np.array(sys.stderr.getvalue().count("\n")) == 1
