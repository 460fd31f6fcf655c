"""The command line and tables: how they are read, what is ambiguous, and models shared between Python and the commands."""

from __future__ import annotations

import copy
import gzip
import io
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest

import nnlite as nl
from command_line import run

QUICK = ["--epochs", "2", "--quiet"]


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    kind = rng.choice(["cat", "dog"], 200)
    weight = np.round(rng.normal(np.where(kind == "cat", 4, 20), 2), 3)
    code = rng.choice(["007", "012", "100"], 200)
    return pandas.DataFrame(
        {"id": np.arange(200), "weight": weight, "fur": rng.choice(["long", "short"], 200), "code": code, "kind": kind}
    )


@pytest.fixture
def animals(frame, tmp_path):
    path = tmp_path / "animals.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def model(capsys, animals, tmp_path):
    path = tmp_path / "model.safetensors"
    assert run(capsys, "train", animals, "--drop", "id", "--save", path, "--quiet")[0] == 0
    return path


def test_one_line_per_column_says_how_it_was_read(capsys, animals):
    code, out, err = run(capsys, "train", animals, "--epochs", "1", "--json", "--drop", "fur")
    assert code == 0
    assert json.loads(out)["data"] == "animals.csv"
    assert err.splitlines()[:5] == [
        "column id: number; it only counts rows: --drop 'id' leaves it out",
        "column weight: number",
        "column fur: dropped, as requested",
        "column code: category with 3 values (007, 012, 100, kept as text because of leading zeros)",
        "column kind: target, 2 classes (cat, dog)",
    ]
    assert run(capsys, "train", animals, *QUICK)[2] == (
        "column id: number; it only counts rows: --drop 'id' leaves it out\n"
    )


@pytest.mark.parametrize(
    ("name", "write", "options"),
    [
        ("a.csv", lambda f, p: f.to_csv(p, index=False, sep=";"), []),
        ("a.tsv", lambda f, p: f.to_csv(p, index=False, sep="\t"), []),
        ("a.csv.gz", lambda f, p: p.write_bytes(gzip.compress(f.to_csv(index=False).encode())), []),
        ("a.csv", lambda f, p: f.to_csv(p, index=False, encoding="utf-16"), []),
        ("a.csv", lambda f, p: f.to_csv(p, index=False, sep=";", decimal=","), ["--decimal", ","]),
        ("a.csv", lambda f, p: f.to_csv(p), []),
        ("a.csv", lambda f, p: f.to_csv(p, index=False, sep=" "), ["--delimiter", "space"]),
        ("a.csv", lambda f, p: p.write_text("# made by hand\n" + f.to_csv(index=False)), ["--comment", "#"]),
    ],
)
def test_other_ways_to_write_a_table_train_the_same_model(capsys, animals, frame, tmp_path, name, write, options):
    path = tmp_path / "other"
    path.mkdir()
    write(frame, path / name)
    prints = []
    for data, told in ((animals, []), (path / name, options)):
        code, out, err = run(capsys, "train", data, "--drop", "id", "--json", *told, *QUICK)
        assert code == 0, err
        prints.append(json.loads(out)["fingerprint"])
    assert prints[0] == prints[1]


def test_standard_input(capsys, animals, monkeypatch, model):
    data = animals.read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, out, _ = run(capsys, "train", "-", "--drop", "id", "--json", *QUICK)
    assert (code, json.loads(out)["data"]) == (0, "standard input")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run(capsys, "predict", model, "-")[1] == run(capsys, "predict", model, animals)[1]


def test_arrays_of_one_table(capsys, tmp_path):
    x, y = nl.data.make_moons(200, noise=0.1, seed=0)
    np.save(tmp_path / "a.npy", np.column_stack([x, y]))
    code, _, err = run(capsys, "train", tmp_path / "a.npy", "--save", tmp_path / "m", "--epochs", "2")
    assert code == 0
    assert "column 2: target, 2 classes (0, 1)" in err
    np.save(tmp_path / "x.npy", x)
    for name in ("a.npy", "x.npy"):
        assert run(capsys, "predict", tmp_path / "m", tmp_path / name)[1].count("\n") == 200
    np.save(tmp_path / "o.npy", np.array([[1, "x"]], object), allow_pickle=True)
    code, _, err = run(capsys, "train", tmp_path / "o.npy")
    assert code == 1
    assert "not a readable .npy file of plain arrays" in err


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("5.1,a\n6.2,b\n", [], "--no-header"),
        ("a;b,c\n1;2,3\n", [], "--delimiter"),
        ('a,b\n"1,5",x\n"2,5",y\n', [], "--decimal ,"),
        ("a,b\né,x\nz,y\n".encode("latin-1"), [], "--encoding"),
        ("a,b\n1,x\n2,y\n", ["--drop", "c"], "--drop 'c': no such column; the columns are a, b"),
        ("a,b\n1,x\n2,y\n", ["--task", "regression"], "--task regression needs numbers"),
    ],
)
def test_errors_name_the_option_that_fixes_them(capsys, tmp_path, text, options, words):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = run(capsys, "train", tmp_path / "t.csv", *options, *QUICK)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert words in err


def test_table_options_need_a_table(capsys):
    code, _, err = run(capsys, "train", "moons", "--drop", "a")
    assert code == 1
    assert "--drop is for tables" in err
    assert run(capsys, "train", "moons", "--decimal", ";")[0] == 2


def test_predict_says_which_columns_it_does_not_use(capsys, frame, model, tmp_path):
    frame.assign(colour="red").to_csv(tmp_path / "new.csv", index=False)
    code, _, err = run(capsys, "predict", model, tmp_path / "new.csv")
    assert (code, err) == (0, "columns that the training table lacked are ignored: colour\n")


# Python and the commands


def test_python_reads_what_train_wrote(capsys, animals, frame, model):
    told = json.loads(run(capsys, "predict", model, animals, "--json")[1])
    loaded = nl.load_model(model)
    assert loaded.class_names == ["cat", "dog"]
    raw = frame.drop(columns=["id", "kind"])
    for rows in (raw, raw.sample(frac=1, axis=1, random_state=0), raw.to_numpy(), raw.to_numpy().tolist(), raw.to_dict("records"), frame, nl.data.read_csv(animals)):  # fmt: skip
        assert loaded.predict(rows).tolist() == [row["class"] for row in told]
        np.testing.assert_allclose(loaded.predict_proba(rows).max(1), [row["probability"] for row in told])
    assert loaded.fingerprint() == nl.load_model(model).model.fingerprint()
    for copied in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        assert copied.predict(raw).tolist() == loaded.predict(raw).tolist()
    outputs = loaded(raw)
    predictor = nl.Predictor(model)
    for _ in range(2):
        np.testing.assert_array_equal(predictor(raw), outputs)
    np.testing.assert_array_equal(predictor(raw[:1]), outputs[:1])
    with pytest.raises(ValueError, match="no column 'fur'"):
        loaded.predict(raw.drop(columns="fur"))
    with pytest.raises(ValueError, match="has 2 unnamed columns; the model takes 3: weight, fur, code"):
        loaded.predict([[1, 2]])


def test_quantities_are_in_the_targets_unit(capsys, tmp_path):
    assert run(capsys, "train", "regression", "--save", tmp_path / "m", "--quiet")[0] == 0
    told = [row["value"] for row in json.loads(run(capsys, "predict", tmp_path / "m", "regression", "--json")[1])]
    x, _ = nl.data.make_regression(1000, noise=5.0, seed=0)
    np.testing.assert_allclose(nl.load_model(tmp_path / "m").predict(x), told)
    np.testing.assert_allclose(nl.Predictor(tmp_path / "m")(x), told)
    np.testing.assert_allclose(nl.load_model(tmp_path / "m").predict(pandas.DataFrame(x)), told)


def test_the_command_reads_what_save_wrote(capsys, tmp_path):
    model = nl.nn.MLP([2, 8, 3])
    nl.save(tmp_path / "m", model)
    x = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(",".join(map(repr, row)) for row in x.tolist()))
    rows = json.loads(run(capsys, "predict", tmp_path / "m", tmp_path / "x.csv", "--json")[1])
    expected = model(nl.tensor(x)).detach().numpy()
    np.testing.assert_allclose([list(row.values()) for row in rows], expected, rtol=1e-6)
    np.testing.assert_array_equal(nl.load_model(tmp_path / "m").predict(x), expected)
    np.testing.assert_array_equal(nl.Predictor(tmp_path / "m")(x), expected)


def test_a_warning_is_one_line(model, tmp_path):
    (tmp_path / "new.csv").write_text("weight,fur,code\n3.5,curly,007\n4.5,long,012\n")
    command = [sys.executable, "-m", "nnlite", "predict", model, tmp_path / "new.csv"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.count("\n") == 2
    assert (
        found.stderr == "nnlite: warning: column 'fur' has categories not seen in training, encoded as zeros: curly\n"
    )


def test_a_model_trained_in_python_takes_raw_rows_everywhere(capsys, frame, animals, tmp_path):
    preprocessor = nl.data.Preprocessor.fit(frame, "kind", drop=["id"])
    x, y = preprocessor.inputs(frame), preprocessor.targets(frame)
    model = nl.nn.MLP([x.shape[1], 8, 2])
    nl.Trainer(model, nl.nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1)).fit(
        x, y, epochs=5, progress=False
    )
    nl.save(tmp_path / "m", model, metadata=preprocessor.metadata())
    expected = np.array(preprocessor.class_names)[
        nl.metrics.predicted_classes(model(nl.tensor(x)).detach().numpy())
    ].tolist()
    assert nl.load_model(tmp_path / "m").predict(frame).tolist() == expected
    rows = json.loads(run(capsys, "predict", tmp_path / "m", animals, "--json")[1])
    assert [row["class"] for row in rows] == expected


def test_old_models_still_load(capsys, tmp_path):
    """Their files record less about how to read a table."""
    columns = [
        {"name": "a", "categories": None, "mean": 1.0, "scale": 2.0}, {"name": "b", "categories": ["None", "x"], "mean": 0.0, "scale": 1.0},
    ]  # fmt: skip
    old = {"columns": columns, "target": "y", "class_names": ["p", "q"], "target_mean": 0.0, "target_scale": 1.0}
    model = nl.nn.MLP([3, 4, 2])
    metadata = {
        "architecture": nl.files.architecture.describe_model(model), "loss": "CrossEntropyLoss", "class_names": ["p", "q"],
        "scaling": {"preprocessor": old}, "target_mean": 0.0, "target_scale": 1.0, "data": "a.csv",
    }  # fmt: skip
    nl.save(tmp_path / "m", model.state_dict(), metadata=metadata)
    x = np.array([[1, 1, 0], [0, 0, 1]], np.float32)
    (tmp_path / "new.csv").write_text("b,a\nNone,3\nx,?\n")
    expected = np.array(["p", "q"])[model(nl.tensor(x)).detach().numpy().argmax(1)].tolist()
    code, out, err = run(capsys, "predict", tmp_path / "m", tmp_path / "new.csv", "--json")
    assert (code, err, [row["class"] for row in json.loads(out)]) == (0, "", expected)
    assert nl.load_model(tmp_path / "m").predict([[3, "None"], [None, "x"]]).tolist() == expected


def test_models_of_indices_accept_integers(capsys, tmp_path):
    model = nl.nn.Sequential(nl.nn.Embedding(5, 3), nl.nn.Flatten(), nl.nn.Linear(6, 2))
    nl.save(tmp_path / "m", model)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")
    expected = model(np.array([[1, 2], [3, 4]])).detach().numpy()
    loaded = nl.load_model(tmp_path / "m")
    for rows in ([[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]]), nl.data.read_csv(tmp_path / "x.csv")):
        np.testing.assert_array_equal(loaded(rows), expected)
        np.testing.assert_array_equal(nl.Predictor(tmp_path / "m")(rows), expected)
    assert run(capsys, "predict", tmp_path / "m", tmp_path / "x.csv")[0] == 0
    with pytest.raises(ValueError, match="there are no rows"):
        loaded(np.zeros((0, 2)))


def test_names_with_line_breaks_are_shown_on_one_line(capsys, tmp_path):
    path, model = tmp_path / "table.csv", tmp_path / "model.safetensors"
    rows = "".join(f'{i % 7},"{"ab"[i % 2]}\nc"\n' for i in range(40))
    path.write_text(f'"size\n(mm)",kind\n{rows}')
    code, _, err = run(capsys, "train", path, "--epochs", "1", "--save", model)
    assert code == 0
    report = [line for line in err.splitlines() if line.startswith("column ")]
    assert report == [r"column size\n(mm): number", r"column kind: target, 2 classes (a\nc, b\nc)"]
    code, out, _ = run(capsys, "predict", model, path)
    assert code == 0
    assert len(out.splitlines()) == 40
    assert {line.split("\t")[0] for line in out.splitlines()} <= {r"a\nc", r"b\nc"}


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,x\nb,y\na,x\n", [], "--no-header if line 1 is a row"),
        ("a,b\n1,x\n2,y\n", [], "--validation-split 0 trains on all"),
        ("größe;b\n1;x\n".encode("utf-16-le"), [], "--encoding utf-16-le"),
        ("a   b\n1   x\n", ["--delimiter", "space"], "several spaces in a row"),
    ],
)
def test_errors_about_tables_name_the_fix(capsys, tmp_path, content, options, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, _, err = run(capsys, "train", path, *options, *QUICK)
    assert code == 1
    assert message in err


def test_a_model_of_arrays_accepts_named_rows_and_refuses_other_objects(capsys, tmp_path):
    nl.save(nl.nn.MLP([2, 3]), tmp_path / "model.safetensors", metadata={"class_names": ["a", "b", "c"]})
    model = nl.load_model(tmp_path / "model.safetensors")
    expected = model.predict([[1, 2]]).tolist()
    assert model.predict([{"u": 1, "v": 2}]).tolist() == expected
    assert model.predict({"u": [1], "v": [2]}).tolist() == expected
    for rows, message in [
        ([1, 2], r"write one row as \[\[...\]\]"),
        ({"u": 1, "v": 2}, "must be a list of values"),
        ("table.csv", "nl.data.read_csv"),
        (None, "got NoneType"),
        ({"u": [1, None], "v": [2, 3]}, "row 1, column 'u' holds no number"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            model.predict(rows)
    table = tmp_path / "table.csv"
    table.write_text("u,v\n1,2\n,3\n")
    code, _, err = run(capsys, "predict", tmp_path / "model.safetensors", table)
    assert code == 1
    assert "line 3, column 'u' holds no number" in err


def test_predicting_from_grouped_numbers_does_not_advise_to_lose_them(capsys, model, animals, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text('weight,fur,code\n"1,234.5",long,007\n')
    code, _, err = run(capsys, "predict", model, rows)
    assert code == 1
    assert "--missing" not in err
    assert "digits and a decimal mark only" in err
