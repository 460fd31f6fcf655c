"""History: Keras's keys, JSON, tables and plots."""

from __future__ import annotations

import json
import os
import sys

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


def test_a_missing_key_lists_the_existing_ones(history):
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


def test_plot_draws_one_panel_per_figure_with_its_validation(history, tmp_path):
    figure = history.plot(tmp_path / "curves.png")
    (axes,) = figure.axes
    assert axes.get_ylabel() == "loss"
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [[3, 4], [3, 4]]
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[0.5, 0.25], [0.75, 0.5]]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_json_has_no_nan(history):
    history.append(5, {"loss": float("nan"), "val_loss": float("inf")})
    text = history.to_json()
    assert json.loads(text, parse_constant=pytest.fail)["history"]["loss"] == [0.5, 0.25, None]
    assert str(nl.History.from_json(text)["loss"]) == "[0.5, 0.25, nan]"
    assert nl.History.from_json('{"epoch": [0], "history": {"loss": [Infinity]}}')["loss"] == [float("inf")]


def many(epochs: int, *keys: str) -> nl.History:
    return nl.History({key: [1 / (1 + at) for at in range(epochs)] for key in keys}, list(range(epochs)))


def test_one_epoch_has_a_marker_and_many_have_none():
    (axes,) = many(1, "loss", "val_loss").plot().axes
    assert [line.get_marker() for line in axes.get_lines()] == ["o", "o"]
    (axes,) = many(200, "loss").plot().axes
    assert axes.get_lines()[0].get_marker() in ("None", None, "")


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 30, 1000])
def test_ticks_are_whole_epochs(epochs):
    figure = many(epochs, "loss").plot()
    figure.canvas.draw()
    assert all(tick == int(tick) for tick in figure.axes[0].get_xticks())
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert all(label.lstrip("−-").isdigit() for label in labels if label)


@pytest.mark.parametrize(("keys", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (4, 2, 2), (5, 2, 3), (7, 3, 3)])
def test_many_figures_are_a_grid(keys, rows, columns):
    figure = many(3, *(f"metric{i}" for i in range(keys))).plot()
    assert len(figure.axes) == keys
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)


def test_a_notebook_shows_history_and_plots(history, monkeypatch):
    html = nl.History({"a<b": [0.5]}, [0])._repr_html_()
    assert "a&lt;b" in html
    assert "<td>0.5</td>" in html
    assert history._repr_png_().startswith(b"\x89PNG")
    assert history.plot()._repr_png_().startswith(b"\x89PNG")
    assert "data:image/png;base64" in history._repr_html_()
    assert "the last 10 of 40 epochs" in many(40, "loss")._repr_html_()
    assert nl.History()._repr_png_() is None
    assert "<table>" in nl.History()._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert history._repr_png_() is None
    assert "<img" not in history._repr_html_()


def test_a_plot_is_written_completely_under_its_name(history, tmp_path):
    history.plot(tmp_path / "curves")
    history.plot(str(tmp_path / "curves.PDF"))
    assert sorted(os.listdir(tmp_path)) == ["curves.PDF", "curves.png"]
    assert (tmp_path / "curves.PDF").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match=r"picture format '\.xyz' is unknown; use one of .*png"):
        history.plot(tmp_path / "c.xyz")
    with pytest.raises(OSError, match="the folder does not exist"):
        history.plot(tmp_path / "nowhere" / "c.png")


@pytest.mark.parametrize("backend", ["nonsense", "qtagg", "module://nowhere"])
def test_a_backend_for_windows_does_not_matter(run_python, tmp_path, backend):
    code = f"import nnlite as nl; nl.History({{'loss': [1.0]}}, [0]).plot({str(tmp_path / 'c.png')!r}); import os; print(os.environ['MPLBACKEND'])"
    assert run_python(code, MPLBACKEND=backend) == backend
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_an_empty_history_says_so():
    assert repr(nl.History()) == "History(0 epochs)"
    with pytest.raises(ValueError, match="nothing to plot"):
        nl.History().plot()


@pytest.mark.parametrize(("module", "extra", "use"), [("pandas", "pandas", "to_frame"), ("matplotlib", "plot", "plot")])
def test_missing_extras_are_named(history, monkeypatch, module, extra, use):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'nnlite\[{extra}\]'"):
        getattr(history, use)()
