"""The command line: train, predict, info; exit codes; standard output and standard error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import nnlite as nl
from children import begin_child
from command_line import run
from nnlite.metrics import METRICS
from nnlite.nn.activations import ELEMENTWISE
from nnlite.nn.losses import LOSSES

QUICK = ["--epochs", "2", "--quiet"]


def result(capsys, *arguments: str) -> dict:
    code, out, err = run(capsys, "train", *arguments, "--json", "--quiet")
    assert code == 0, err
    assert err == ""
    return json.loads(out)


@pytest.fixture
def animals(tmp_path):
    """A table with a categorical column, missing numbers and named classes."""
    rng = np.random.default_rng(0)
    lines = ["weight,fur,kind"]
    for _ in range(200):
        kind = rng.choice(["cat", "dog"])
        weight = rng.normal(4 if kind == "cat" else 20, 2)
        lines.append(f"{weight if rng.random() > 0.05 else '?'},{rng.choice(['long', 'short'])},{kind}")
    path = tmp_path / "animals.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


class TestTrain:
    def test_without_data_it_learns_the_spirals(self, capsys):
        found = result(capsys)
        assert found["data"] == "spirals"
        assert found["accuracy"] >= 0.97

    def test_digits_are_learnt_in_seconds(self, capsys):
        found = result(capsys, "digits")
        assert found["accuracy"] >= 0.97
        assert found["seconds"] < 10
        assert np.array(found["confusion_matrix"]).shape == (10, 10)
        assert np.sum(found["confusion_matrix"]) == 1797 // 5

    @pytest.mark.parametrize(("name", "least"), [("moons", 0.97), ("circles", 0.97), ("xor", 0.95), ("blobs", 0.9)])
    def test_toy_data(self, capsys, name, least):
        assert result(capsys, name, "--epochs", "30")["accuracy"] >= least

    @pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
    def test_small_sets_of_scikit_learn(self, capsys, name):
        assert result(capsys, name, "--epochs", "20", "--hidden", "16")["accuracy"] > 0.85

    def test_regression_reports_the_error_in_the_targets_unit(self, capsys):
        found = result(capsys, "regression", "--epochs", "30", "--metric", "mse", "--metric", "r2")
        assert "accuracy" not in found
        assert found["mse"] == pytest.approx(found["rmse"] ** 2, rel=1e-5)
        assert 0.5 < found["r2"] < 1
        assert 4 < found["rmse"] < 30  # the noise has a standard deviation of 5
        assert result(capsys, "diabetes", "--epochs", "10")["rmse"] < 80

    @pytest.mark.parametrize(("loss", "power"), [("mse", 2), ("l1", 1), ("huber", 2)])
    def test_regression_reports_the_loss_in_the_targets_unit(self, capsys, tmp_path, loss, power):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((200, 3)).astype(np.float32)
        found = []
        for factor in (1.0, 64.0):  # a power of two: the standardised targets keep their bits
            np.savez(tmp_path / "a.npz", x=x, y=factor * (x.sum(1) + rng.standard_normal(200) * 0))
            found.append(result(capsys, tmp_path / "a.npz", "--loss", loss, *QUICK))
        for key, exponent in (("loss", power), ("held_out_loss", power), ("rmse", 1)):
            assert found[1][key] == pytest.approx(64.0**exponent * found[0][key], rel=1e-6)
        trained = result(capsys, tmp_path / "a.npz", "--loss", loss, "--validation-split", "0", *QUICK)
        if loss == "mse":
            assert trained["rmse"] > 0
            assert found[0]["rmse"] ** 2 == pytest.approx(found[0]["held_out_loss"], rel=1e-5)

    def test_model_and_figures_go_to_standard_output_and_progress_to_standard_error(self, capsys):
        code, out, err = run(capsys, "train", "moons", "--epochs", "3")
        assert (code, err) == (0, "")
        assert "MLP(" in out
        assert "800 rows to train on, 200 held out" in out
        for figure in ("held-out loss", "held-out accuracy", "3 epochs in", "rows/s"):
            assert figure in out

    def test_same_seed_same_model(self, capsys):
        prints = [
            result(capsys, *QUICK, "--seed", seed, "--threads", t)["fingerprint"] for seed, t in ("01", "02", "11")
        ]
        assert prints[0] == prints[1] != prints[2]

    def test_without_validation_the_training_figures_are_reported(self, capsys):
        assert result(capsys, "--validation-split", "0", *QUICK)["held_out_loss"] is None
        assert "training accuracy" in run(capsys, "train", "--validation-split", "0", *QUICK)[1]

    @pytest.mark.parametrize("activation", ELEMENTWISE)
    def test_activations(self, capsys, activation):
        assert result(capsys, "--activation", activation, *QUICK)["loss"] > 0

    @pytest.mark.parametrize("loss", LOSSES)
    def test_losses(self, capsys, loss):
        data = "regression" if LOSSES[loss].targets == "quantities" else "moons"
        assert result(capsys, data, "--loss", loss, *QUICK)["loss"] > 0

    @pytest.mark.parametrize("metric", METRICS)
    def test_metrics(self, capsys, metric):
        several = "digits" if metric == "top_k" else "moons"  # the best 5 need more than 5 classes
        of_classes = METRICS[metric].thresholded or metric == "top_k"
        arguments = [several if of_classes else "regression", "--metric", metric, *QUICK]
        assert np.isfinite(result(capsys, *arguments)[metric])
        assert f"held-out {metric} " in run(capsys, "train", *arguments)[1]

    def test_help_names_what_the_tables_hold(self, capsys):
        text = run(capsys, "train", "--help")[1]
        assert all(name in text for name in [*ELEMENTWISE, *LOSSES, *METRICS])

    def test_no_hidden_layer(self, capsys):
        assert result(capsys, "moons", "--hidden", "", *QUICK)["parameters"] == 6

    def test_curves_and_boundary(self, capsys, tmp_path):
        code, _, err = run(capsys, "train", "moons", *QUICK, "--plot", tmp_path / "curves.png")
        assert code == 0
        assert "curves saved" in err
        assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")

    def test_a_folder_of_idx_files_uses_its_test_set(self, capsys, tmp_path):
        rng = np.random.default_rng(0)
        for part, rows in (("train", 60), ("t10k", 20)):
            images = rng.integers(0, 256, (rows, 4, 4)).astype(np.uint8)
            nl.data.write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
            nl.data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", (images[:, 0, 0] > 127).astype(np.uint8))
        found = result(capsys, tmp_path, "--epochs", "20")
        assert np.sum(found["confusion_matrix"]) == 20

    def test_npz(self, capsys, tmp_path):
        x, y = nl.data.make_moons(300, noise=0.1, seed=0)
        np.savez(tmp_path / "moons.npz", x=x, y=y)
        assert result(capsys, tmp_path / "moons.npz", "--epochs", "30")["accuracy"] > 0.9


class TestPredict:
    @pytest.mark.parametrize("options", [[], ["--loss", "bce"]])
    def test_a_table_is_trained_on_and_predicted(self, capsys, animals, tmp_path, options):
        model = tmp_path / "model.safetensors"
        assert run(capsys, "train", animals, "--target", "kind", "--save", model, "--quiet", *options)[0] == 0
        new = tmp_path / "new.csv"
        new.write_text("fur,weight\nlong,3.5\nshort,25\nlong,?\n")
        code, out, _ = run(capsys, "predict", model, new)
        assert code == 0
        rows = [line.split("\t") for line in out.splitlines()]
        assert [row[0] for row in rows[:2]] == ["cat", "dog"]
        assert all(0.5 <= float(row[1]) <= 1 for row in rows)
        code, out, _ = run(capsys, "predict", model, new, "--json")
        assert [row["class"] for row in json.loads(out)][:2] == ["cat", "dog"]
        code, out, _ = run(capsys, "predict", model, new, "--output", tmp_path / "out.txt")
        assert out == ""
        assert (tmp_path / "out.txt").read_text().splitlines()[0].startswith("cat\t")

    def test_unknown_categories_cause_a_warning(self, capsys, animals, tmp_path):
        model, new = tmp_path / "model.safetensors", tmp_path / "new.csv"
        run(capsys, "train", animals, "--save", model, *QUICK)
        new.write_text("weight,fur\n3.5,curly\n")
        with pytest.warns(UserWarning, match="curly"):
            assert run(capsys, "predict", model, new)[0] == 0

    def test_a_missing_column_lists_the_existing_ones(self, capsys, animals, tmp_path):
        model, new = tmp_path / "model.safetensors", tmp_path / "new.csv"
        run(capsys, "train", animals, "--save", model, *QUICK)
        new.write_text("weight,length\n3.5,40\n")
        code, _, err = run(capsys, "predict", model, new)
        assert code == 1
        assert err.startswith("nnlite: error: no column 'fur'; the columns are weight, length")

    def test_predictions_have_the_targets_unit(self, capsys, tmp_path):
        model = tmp_path / "model.safetensors"
        run(capsys, "train", "regression", "--save", model, "--quiet")
        rows = json.loads(run(capsys, "predict", model, "regression", "--json")[1])
        _, y = nl.data.make_regression(1000, noise=5.0, seed=0)
        assert np.std([row["value"] for row in rows] - y) < 0.2 * np.std(y)

    def test_predictions_equal_the_held_out_accuracy(self, capsys, tmp_path):
        model = tmp_path / "model.safetensors"
        run(capsys, "train", "digits", "--save", model, "--quiet")
        rows = json.loads(run(capsys, "predict", model, "digits", "--json")[1])
        from sklearn.datasets import load_digits

        assert np.mean([int(row["class"]) == y for row, y in zip(rows, load_digits().target, strict=True)]) > 0.97

    def test_a_model_with_other_features(self, capsys, tmp_path):
        model = tmp_path / "model.safetensors"
        run(capsys, "train", "moons", "--save", model, *QUICK)
        code, _, err = run(capsys, "predict", model, "digits")
        assert code == 1
        assert "64 features" in err

    def test_a_file_of_weights_without_architecture(self, capsys, tmp_path):
        nl.save(tmp_path / "weights.safetensors", nl.nn.Linear(2, 2))
        code, _, err = run(capsys, "predict", tmp_path / "weights.safetensors", "moons")
        assert code == 1
        assert "holds only weights" in err

    @pytest.mark.parametrize(
        "metadata",
        [
            {"scaling": 3}, {"scaling": {}}, {"scaling": {"mean": [0.0], "scale": "x"}}, {"scaling": {"preprocessor": []}},
            {"class_names": []}, {"class_names": 3}, {"target_mean": "a", "class_names": None}, {"architecture": []},
            {"architecture": [{"layer": "Linear"}]}, {"architecture": [{"layer": "Popen"}]}, {"architecture": "x"},
            {"architecture": [{"layer": ["Linear"]}]}, {"architecture": [{"layer": "Linear", "in_features": 10**12, "out_features": 2}]},
        ],
    )  # fmt: skip
    def test_hostile_model_files_give_one_line(self, capsys, tmp_path, metadata):
        good, bad = tmp_path / "good", tmp_path / "bad"
        run(capsys, "train", "moons", "--save", good, *QUICK)
        state, known = nl.files.model_file.load_with_metadata(good)
        nl.save(bad, state, metadata={**known, **metadata})
        code, out, err = run(capsys, "predict", bad, "moons")
        assert (code, out) == (1, "")
        assert err.startswith("nnlite: error: ")
        assert err.count("\n") == 1


class TestInfo:
    def test_library(self, capsys):
        code, out, _ = run(capsys, "info")
        assert code == 0
        assert nl.__version__ in out
        facts = json.loads(run(capsys, "info", "--json")[1])
        assert facts["instruction set"] in facts["available"]
        assert facts["threads"] >= 1

    def test_model_file(self, capsys, tmp_path):
        run(capsys, "train", "moons", "--hidden", "4", "--save", tmp_path / "model", *QUICK)
        facts = json.loads(run(capsys, "info", tmp_path / "model", "--json")[1])
        assert facts["parameters"] == 2 * 4 + 4 + 4 * 2 + 2
        assert facts["0.weight"] == "float32 (4, 2)"
        assert facts["loss"] == "CrossEntropyLoss"


USAGE = {
    "unknown command": ["fly"],
    "unknown option": ["train", "--speed", "9"],
    "letters for sizes": ["train", "--hidden", "a,b"],
    "a layer of nothing": ["train", "--hidden", "8,0"],
    "negative rate": ["train", "--lr", "-1"],
    "no number": ["train", "--lr", "nan"],
    "unknown optimizer": ["train", "--optimizer", "rprop"],
    "no epoch": ["train", "--epochs", "0"],
    "half a batch": ["train", "--batch-size", "1.5"],
    "whole share": ["train", "--validation-split", "1"],
    "negative seed": ["train", "--seed", "-1"],
    "no thread": ["train", "--threads", "0"],
    "unknown activation": ["train", "--activation", "swish"],
    "unknown loss": ["train", "--loss", "hinge"],
    "predict without data": ["predict", "model"],
}
FAILURES = {
    "no such data": (["train", "nosuch"], "no data 'nosuch'.*spirals.*digits"),
    "no such model": (["predict", "nosuch", "moons"], "nosuch: No such file"),
    "no such file": (["info", "nosuch"], "nosuch: No such file"),
    "missing folder": (["train", "--save", "/nosuch/model"], "cannot write /nosuch/model: the folder does not exist"),
    "a folder": (["train", "--plot", "/"], "cannot write /: it is a folder"),
    "classes by mse": (["train", "--loss", "mse"], "--loss mse does not fit targets that are classes"),
    "three classes by bce": (["train", "--loss", "bce"], "--loss bce is for 2 classes, spirals has 3"),
    "quantities by bce": (["train", "regression", "--loss", "bce"], "does not fit targets that are quantities"),
    "target of toy data": (["train", "--target", "y"], "--target names a column of a CSV file; spirals is not one"),
    "momentum of Adam": (["train", "--optimizer", "adam", "--momentum", "0.5"], "adam has no momentum"),
    "share of no row": (["train", "--validation-split", "0.0001"], "holds out none"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_exits_with_2(capsys, case):
    code, out, err = run(capsys, *USAGE[case])
    assert (code, out) == (2, "")
    assert "error: " in err


@pytest.mark.parametrize("case", FAILURES)
def test_failures_exit_with_1_and_one_line(capsys, case):
    import re

    arguments, message = FAILURES[case]
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"nnlite: error: .*{message}.*\n", err)


def test_no_arguments_print_help_and_version_is_shown(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert all(command in out for command in ("train", "predict", "info", "bench"))
    assert run(capsys, "--help")[1] == out
    assert run(capsys, "--version") == (0, f"nnlite {nl.__version__}\n", "")


def test_divergence_exits_with_3(capsys):
    code, _, err = run(capsys, "train", "--lr", "1e9", "--quiet")
    assert code == 3
    assert err.startswith("nnlite: error: diverged: ")
    assert err.count("\n") == 1


def test_damaged_files_exit_with_1(capsys, tmp_path):
    for name, content in (
        ("a.csv", ""),
        ("b.csv", "x,y\n1\n"),
        ("c.npz", "nothing"),
        ("d.txt", "x"),
        ("e.csv", "y\n1\n2\n"),
    ):
        (tmp_path / name).write_text(content)
        code, out, err = run(capsys, "train", tmp_path / name)
        assert (code, out, err.count("\n")) == (1, "", 1), name
        assert name in err or "column" in err


def start(*arguments: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "nnlite", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=begin_child, **options
    )


def test_ctrl_c_ends_quickly_without_a_traceback():
    process = start("train", "--epochs", "10000000", "--quiet")
    assert "rows to train on" in process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert err == "nnlite: error: interrupted\n"


def test_a_closed_pipe():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        process = subprocess.run(
            [sys.executable, "-m", "nnlite", "info"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert process.returncode == -signal.SIGPIPE
    assert process.stderr == ""


def test_the_module_runs_as_a_program():
    process = start("info", "--json")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["nnlite"] == nl.__version__
