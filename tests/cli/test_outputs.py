"""Outputs of the command line: checked before the first epoch, complete afterwards, and never written over an input."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl
from command_line import run
from nnlite.cli import main, outputs, train
from nnlite.plots import curves

QUICK = ["--epochs", "2", "--hidden", "4"]
LONG = ["--epochs", "1000000000"]  # an error found only after these was not found in time


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,kind\n" + "".join(f"{i % 7},{i % 3},{'yes' if i % 2 else 'no'}\n" for i in range(60)))
    return path


@pytest.fixture
def model(capsys, table, tmp_path):
    path = tmp_path / "model"
    assert run(capsys, "train", table, *QUICK, "--save", path, "--quiet")[0] == 0
    return path


@pytest.mark.parametrize(
    ("option", "path", "words"),
    [
        ("--plot", "c.xyz", "picture format '.xyz' is unknown"), ("--plot", "nowhere/c.png", "the folder does not exist"),
        ("--plot", "folder", "it is a folder"), ("--plot", "folder.png", "it is a folder"), ("--save", "folder", "it is a folder"),
        ("--save", "folder/", "it is a folder"), ("--save", "nowhere/m", "the folder does not exist"), ("--save", "", "the name is empty"),
        ("--save", "m" * 256, "too long"), ("--plot", "m" * 256 + ".png", "too long"), ("--save", "/dev/full", "not a regular file"),
        ("--save", "/dev/stdout", "not a regular file"), ("--save", "/proc/1/m", "cannot write"), ("--save", "file/m", "Not a directory"),
        ("--save", "loop", "cannot write"), ("--save", "a\0b", "cannot contain NUL"), ("--plot", "a\0b.png", "cannot contain NUL"),
        ("--checkpoint", "file", "file: File exists"), ("--checkpoint", "file/folder", "Not a directory"),
    ],
)  # fmt: skip
def test_impossible_outputs_are_found_before_the_first_epoch(capsys, tmp_path, monkeypatch, option, path, words):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.png"):
        Path(folder).mkdir()
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    before = sorted(os.listdir())
    code, _, err = run(capsys, "train", "moons", *LONG, option, path)
    assert code == 1
    assert words in err
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == before


def test_a_missing_matplotlib_is_found_before_the_first_epoch(capsys, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run(capsys, "train", "moons", *LONG, "--plot", tmp_path / "c.png")
    assert (code, out) == (1, "")
    assert "pip install 'nnlite[plot]'" in err


def test_two_outputs_in_one_file(capsys, tmp_path):
    path = tmp_path / "m.png"
    code, _, err = run(capsys, "train", "moons", *LONG, "--plot", path, "--save", path)
    assert code == 1
    assert "--save and --plot name the same file" in err
    assert not path.exists()


@pytest.mark.parametrize("way", ["itself", "link", "hard link", "another spelling"])
def test_a_model_does_not_replace_its_data(capsys, table, tmp_path, way):
    before = table.read_bytes()
    target = tmp_path / "target"
    if way == "link":
        target.symlink_to(table)
    elif way == "hard link":
        os.link(table, target)
    else:
        target = table if way == "itself" else tmp_path / ".." / tmp_path.name / "table.csv"
    code, _, err = run(capsys, "train", table, *LONG, "--save", target)
    assert code == 1
    assert "--overwrite" in err
    assert table.read_bytes() == before
    code, _, err = run(capsys, "train", table, *QUICK, "--save", target, "--overwrite", "--quiet")
    assert code == 0, err
    nl.load(target)


def test_a_model_does_not_replace_a_file_of_a_data_folder(capsys, tmp_path):
    for part in ("train", "t10k"):
        nl.data.write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((8, 2, 2), np.uint8))
        nl.data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(8, dtype=np.uint8) % 2)
    code, _, err = run(capsys, "train", tmp_path, *LONG, "--save", tmp_path / "train-labels-idx1-ubyte")
    assert code == 1
    assert "--overwrite" in err
    for _ in range(2):  # an older model may be replaced
        assert run(capsys, "train", tmp_path, *QUICK, "--save", tmp_path / "model", "--quiet")[0] == 0


@pytest.mark.parametrize("onto", ["table", "model"])
def test_predictions_do_not_replace_their_inputs(capsys, table, model, onto):
    target = {"table": table, "model": model}[onto]
    before = target.read_bytes()
    code, out, err = run(capsys, "predict", model, table, "--output", target)
    assert (code, out) == (1, "")
    assert "--overwrite" in err
    assert target.read_bytes() == before
    assert run(capsys, "predict", model, table, "--output", target, "--overwrite")[0] == 0
    assert len(target.read_text().splitlines()) == 60


def test_the_result_comes_first_and_a_failed_plot_does_not_lose_the_model(capsys, tmp_path, monkeypatch):
    def fail(*_):
        assert (tmp_path / "model").exists()
        assert "held-out accuracy" in capsys.readouterr().out
        raise RuntimeError("no picture today")

    monkeypatch.setattr(curves, "plot_training", fail)
    code, _, err = run(capsys, "train", "moons", *QUICK, "--save", tmp_path / "model", "--plot", tmp_path / "c.png")
    assert code == 1
    assert "no picture today" in err
    assert nl.load(tmp_path / "model")


def test_a_result_that_cannot_be_written_does_not_lose_the_model(capsys, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "_report", fail)
    assert run(capsys, "train", "moons", *QUICK, "--save", tmp_path / "model")[0] == 1
    assert nl.load(tmp_path / "model")


def test_a_model_that_cannot_be_saved_to_its_path_is_saved_elsewhere(capsys, tmp_path, monkeypatch):
    genuine = outputs.save

    def save(model, path, **options):
        if str(path).startswith(str(tmp_path)):
            raise OSError(28, "cannot save the model: No space left on device", str(path))
        genuine(model, path, **options)

    monkeypatch.setattr(outputs, "save", save)
    code, out, err = run(capsys, "train", "moons", *QUICK, "--save", tmp_path / "model")
    assert code == 1
    assert "held-out accuracy" in out
    kept = re.search(r"the model is in (\S+) instead", err)
    assert kept
    assert nl.load(kept[1])


def test_the_message_names_the_actual_plot_file(capsys, tmp_path):
    _, _, err = run(capsys, "train", "moons", *QUICK, "--plot", tmp_path / "curves", "--quiet")
    assert f"curves saved to {tmp_path / 'curves.png'}\n" in err
    assert (tmp_path / "curves.png").exists()


def test_predictions_are_complete_utf8_in_any_locale(capsys, tmp_path, run_python):
    table, model, output = tmp_path / "t.csv", tmp_path / "m", tmp_path / "out"
    table.write_text("a,kind\n" + "".join(f"{i % 5},{'猫' if i % 5 < 2 else 'köter'}\n" for i in range(60)), "utf-8")
    code = f"""
from nnlite.cli import main
assert main(["train", {str(table)!r}, "--save", {str(model)!r}, "--quiet", "--epochs", "30"]) == 0
assert main(["predict", {str(model)!r}, {str(table)!r}, "--output", {str(output)!r}]) == 0
assert main(["predict", {str(model)!r}, {str(table)!r}]) == 0
"""
    out = run_python(code, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    lines = output.read_bytes().decode().splitlines()
    assert {line.split("\t")[0] for line in lines} == {"猫", "köter"}
    assert out.endswith(lines[-1].replace("ö", "\\xf6").replace("猫", "\\u732b"))


def test_file_names_that_are_not_valid_text(capfd, tmp_path):
    folder = os.fsencode(tmp_path)
    table = os.fsdecode(folder + b"/caf\xe9.csv")
    Path(table).write_text("a,kind\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    files = [os.fsdecode(folder + name) for name in (b"/m\xff", b"/p\xff.png", b"/o\xff")]
    assert main(["train", table, *QUICK, "--save", files[0], "--plot", files[1], "--quiet"]) == 0
    assert main(["train", table, *QUICK, "--json"]) == 0
    assert main(["info", files[0]]) == 0
    assert main(["predict", files[0], table, "--output", files[2]]) == 0
    assert all(os.path.exists(file) for file in files)
    assert "Traceback" not in capfd.readouterr().err


def test_json_replaces_nan_and_says_so(capsys, tmp_path, monkeypatch):
    result = {"loss": float("nan"), "more": [1.0, float("-inf")], "epochs": 2}
    monkeypatch.setattr(train, "_result", lambda *_: result)
    code, out, err = run(capsys, "train", "moons", *QUICK, "--json", "--quiet")
    assert code == 0
    assert json.loads(out, parse_constant=pytest.fail) == {"loss": None, "more": [1.0, None], "epochs": 2}
    assert err == "nnlite: note: loss, more[1]: not a finite number, null in the JSON\n"


def test_a_dash_is_standard_output(capsys, model, table):
    code, out, _ = run(capsys, "predict", model, table, "--output", "-")
    assert code == 0
    assert len(out.splitlines()) == 60


class TestCheckpoint:
    def test_resuming_gives_the_same_model(self, capsys, tmp_path):
        folder = tmp_path / "run"
        whole = json.loads(run(capsys, "train", "moons", "--epochs", "6", "--json", "--quiet")[1])
        keep = ["--checkpoint", folder, "--json", "--quiet"]
        assert run(capsys, "train", "moons", "--epochs", "2", *keep)[0] == 0
        code, out, err = run(capsys, "train", "moons", "--epochs", "6", *keep)
        assert (code, out) == (1, "")
        assert "--resume" in err
        code, out, _ = run(capsys, "train", "moons", "--epochs", "6", *keep, "--resume")
        resumed = json.loads(out)
        assert (code, resumed["fingerprint"], resumed["epochs"]) == (0, whole["fingerprint"], 6)
        code, out, _ = run(capsys, "train", "moons", "--epochs", "6", *keep, "--resume")
        assert json.loads(out)["rows_per_second"] == 0.0  # nothing was left to do

    def test_resume_needs_a_folder(self, capsys):
        code, _, err = run(capsys, "train", "moons", *LONG, "--resume")
        assert code == 1
        assert "--checkpoint FOLDER" in err


@pytest.mark.parametrize(
    ("options", "shown"), [(["--progress", "plain"], 2), (["--progress", "none"], 0), (["--quiet"], 0), ([], 0)]
)
def test_progress(capsys, options, shown):
    code, out, err = run(capsys, "train", "moons", *QUICK, *options)
    assert code == 0
    assert err.count("epoch ") == shown
    assert "epoch " not in out.replace("epochs", "")
