"""History: Keras's keys, JSON, tables and pictures."""

from __future__ import annotations

import json

import pytest

import nnlite as nl


@pytest.fixture
def history() -> nl.History:
    history = nl.History()
    history.append(3, {"loss": 0.5, "val_loss": 0.75})
    history.append(4, {"loss": 0.25, "val_loss": 0.5})
    return history


def test_it_is_a_dictionary_of_lists(history):
    assert history["loss"] == [0.5, 0.25]
    assert history.history == {"loss": [0.5, 0.25], "val_loss": [0.75, 0.5]}
    assert history.epoch == [3, 4]
    assert list(history) == history.keys() == ["loss", "val_loss"]
    assert "loss" in history
    assert "accuracy" not in history
    assert len(history) == 2
    assert repr(history) == "History(2 epochs: loss=0.25, val_loss=0.5)"


def test_a_missing_key_lists_those_there_are(history):
    with pytest.raises(KeyError, match="no 'accuracy'; it has loss, val_loss"):
        history["accuracy"]
    with pytest.raises(KeyError, match="nothing yet"):
        nl.History()["loss"]


def test_json_round_trip(history):
    text = history.to_json()
    assert json.loads(text) == {"epoch": [3, 4], "history": history.history}
    back = nl.History.from_json(text)
    assert (back.epoch, back.history) == (history.epoch, history.history)


@pytest.mark.parametrize(
    "text", ["", "3", "{}", "[]", '{"epoch": 1, "history": {}}', '{"epoch": [], "history": {"a": ["b"]}}']
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="not the JSON of a history"):
        nl.History.from_json(text)


def test_data_frame(history):
    frame = history.to_frame()
    assert list(frame.columns) == ["loss", "val_loss"]
    assert frame.index.name == "epoch"
    assert frame.loc[4, "loss"] == 0.25


def test_plot_draws_a_panel_a_figure_with_its_validation(history, tmp_path):
    figure = history.plot(tmp_path / "curves.png")
    (axes,) = figure.axes
    assert axes.get_ylabel() == "loss"
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [[3, 4], [3, 4]]
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[0.5, 0.25], [0.75, 0.5]]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_empty_history_says_so():
    assert repr(nl.History()) == "History(0 epochs)"
    with pytest.raises(ValueError, match="nothing to plot"):
        nl.History().plot()


@pytest.mark.parametrize(("module", "extra", "use"), [("pandas", "pandas", "to_frame"), ("matplotlib", "plot", "plot")])
def test_missing_extras_are_named(history, monkeypatch, module, extra, use):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'nnlite\[{extra}\]'"):
        getattr(history, use)()
