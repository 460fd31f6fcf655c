"""Data by name."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest
from sklearn import datasets

from mutations import bit_flips, outcomes, truncations
from nnlite.data import write_idx
from nnlite.data.readers.sklearn import SKLEARN
from nnlite.data.readers.toy import TOYS
from nnlite.data.sources import load_source, read_inputs
from nnlite.errors import ModelFileError

X = np.arange(24.0).reshape(8, 3) ** 1.5
Y = np.array([1, 5, 1, 3, 5, 3, 1, 1])


@pytest.mark.parametrize("name", TOYS)
def test_toy_data(name) -> None:
    source = load_source(name, seed=1)
    assert source.x.dtype == np.float32
    assert len(source.x) == len(source.y) >= 1000
    assert source.is_classification == (name != "regression")
    np.testing.assert_allclose(source.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(source.x.std(0), 1, atol=1e-5)
    np.testing.assert_array_equal(read_inputs(name, source.scaling, seed=1), source.x)
    assert not np.array_equal(load_source(name, seed=2).x, source.x)


@pytest.mark.parametrize("name", SKLEARN)
def test_sets_of_scikit_learn(name) -> None:
    source, bunch = load_source(name), getattr(datasets, f"load_{name}")()
    assert source.x.shape == bunch.data.shape
    if name == "diabetes":
        assert not source.is_classification
        restored = source.y.astype(np.float64) * source.target_scale + source.target_mean
        np.testing.assert_allclose(restored, bunch.target, rtol=1e-5)
    else:
        assert source.class_names == [str(n) for n in bunch.target_names]
        np.testing.assert_array_equal(source.y, bunch.target)
    np.testing.assert_array_equal(read_inputs(name, source.scaling), source.x)
    if name == "digits":
        assert (source.x.min(), source.x.max()) == (0, 1)


def test_without_scikit_learn_the_extra_is_named(monkeypatch) -> None:
    genuine = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'nnlite\[sklearn\]'"):
        load_source("digits")


def test_unknown_sources(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"no data 'spiral'.*one of spirals, moons.*digits"):
        load_source("spiral")
    with pytest.raises(ValueError, match="no data"):
        read_inputs("spiral", {"mean": [0.0], "scale": [1.0]})
    (tmp_path / "a.doc").write_text("a")
    for read in (load_source, lambda name: read_inputs(name, {"mean": [0.0], "scale": [1.0]})):
        with pytest.raises(ValueError, match="neither a .csv nor a .npz"):
            read(str(tmp_path / "a.doc"))


# IDX folders


@pytest.fixture
def folder(tmp_path):
    images = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2) * 10
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([1, 2, 3, 1, 2, 3], np.uint8))
    return tmp_path


def test_a_folder_of_images(folder) -> None:
    source = load_source(str(folder))
    assert source.test is None
    assert source.x.shape == (6, 4)
    np.testing.assert_array_equal(
        source.x[0], np.array([0, 10, 20, 30], np.float64).astype(np.float32) / np.float32(255)
    )
    assert source.class_names == ["1", "2", "3"]
    assert source.y.tolist() == [0, 1, 2, 0, 1, 2]


def test_test_labels_are_read_as_the_training_ones(folder) -> None:
    write_idx(folder / "t10k-images.idx3-ubyte", np.zeros((2, 2, 2), np.uint8))
    write_idx(folder / "t10k-labels.idx1-ubyte", np.array([3, 1], np.uint8))
    source = load_source(str(folder))
    assert source.test is not None
    assert source.test[1].tolist() == [2, 0]  # labels that start at 1 still count from 0
    assert read_inputs(str(folder), source.scaling).shape == (2, 4)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.int8])
def test_only_uint8_images_are_pixels(folder, dtype) -> None:
    values = np.random.default_rng(0).normal(100, 20, (6, 2, 2)).astype(dtype)
    (folder / "train-images-idx3-ubyte.gz").unlink()
    write_idx(folder / "train-images-idx3-ubyte", values)
    source = load_source(str(folder))
    rows = values.reshape(6, 4).astype(np.float64)
    np.testing.assert_allclose(source.x, (rows - rows.mean(0)) / rows.std(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(read_inputs(str(folder), json.loads(json.dumps(source.scaling))), source.x)


def test_images_alone_are_enough_to_predict(folder) -> None:
    (folder / "train-labels-idx1-ubyte").unlink()
    assert read_inputs(str(folder), {"mean": [0.0], "scale": [255.0]}).shape == (6, 4)


def test_incomplete_folders(folder, tmp_path_factory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match="train-images-idx3-ubyte and train-labels-idx1-ubyte"):
        load_source(str(empty))
    with pytest.raises(ValueError, match="neither t10k-images"):
        read_inputs(str(empty), {"mean": [0.0], "scale": [255.0]})
    write_idx(folder / "t10k-images-idx3-ubyte", np.zeros((2, 2, 2), np.uint8))
    write_idx(folder / "t10k-labels-idx1-ubyte", np.array([9, 1], np.uint8))
    with pytest.raises(ValueError, match="the target 9 of test row 0 is not a class"):
        load_source(str(folder))
    write_idx(folder / "train-labels-idx1-ubyte", np.array([1], np.uint8))
    with pytest.raises(ValueError, match="6 images and train-labels-idx1-ubyte 1 labels"):
        load_source(str(folder))


# .npz


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return str(tmp_path / "data.npz")

    return write


@pytest.mark.parametrize("names", [("x", "y"), ("X", "Y"), ("x_train", "y_train"), ("data", "target")])
def test_arrays_under_the_usual_names(npz, names) -> None:
    source = load_source(npz(**dict(zip(names, (X, Y), strict=True))))
    assert source.class_names == ["1", "3", "5"]
    assert source.y.tolist() == [0, 2, 0, 1, 2, 1, 0, 0]
    np.testing.assert_allclose(source.x, (X - X.mean(0)) / X.std(0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y.astype(np.float64), ["1", "3", "5"]),
        (Y[:, None], ["1", "3", "5"]),
        (np.array(list("abacbcaa")), ["a", "b", "c"]),
        (np.array([b"n", b"y"] * 4), ["n", "y"]),
        (np.array([True, False] * 4), ["False", "True"]),
        (np.arange(8) + 0.5, None),
    ],
)
def test_what_counts_as_classes(npz, y, names) -> None:
    source = load_source(npz(x=X, y=y))
    assert source.class_names == names
    assert source.y.dtype == (np.float32 if names is None else np.int64)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f4", ">f8", np.float32])
def test_every_floating_type_is_scaled_and_can_be_kept(npz, dtype) -> None:
    x, y = X.astype(dtype), (np.arange(8) * 1000 + 0.5).astype(dtype)
    for arrays in ({"x": x, "y": y}, {"x": x, "y": y, "x_test": x[:2], "y_test": y[:2]}):
        source = load_source(npz(**arrays))
        scaling = json.loads(json.dumps(source.scaling))
        np.testing.assert_array_equal(read_inputs(npz(**arrays), scaling), source.x)
        wide = x.astype(np.float64)
        np.testing.assert_allclose(source.x, (wide - wide.mean(0)) / wide.std(0), rtol=1e-4, atol=1e-5)
        found = source.y * source.target_scale + source.target_mean
        np.testing.assert_allclose(found, y.astype(np.float64), rtol=1e-3, atol=1)
        if source.test is not None:
            np.testing.assert_array_equal(source.test[1], source.y[:2])


def test_a_long_double_that_no_double_holds_is_refused(npz) -> None:
    x = X.astype(np.longdouble)
    x[3, 1] = np.longdouble("1e4000")
    with pytest.raises(ValueError, match=r"x holds inf at index \(3, 1\)"):
        load_source(npz(x=x, y=Y))


def test_arrays_with_many_classes_need_the_task(npz) -> None:
    name = npz(x=np.arange(100.0).reshape(50, 2), y=np.arange(50) % 8)
    with pytest.raises(
        ValueError, match="y has 8 distinct values in 50 rows.*--task classification.*--task regression"
    ):
        load_source(name)
    assert len(load_source(name, task="classification").class_names or []) == 8
    assert load_source(name, task="regression").class_names is None


def test_a_test_set_is_read_like_the_training_rows(npz) -> None:
    source = load_source(npz(x=X, y=Y, x_test=X[:2], y_test=Y[:2]))
    assert source.test is not None
    np.testing.assert_array_equal(source.test[0], source.x[:2])
    np.testing.assert_array_equal(source.test[1], source.y[:2])
    quantity = load_source(npz(x=X, y=Y + 0.5, x_test=X[:2], y_test=Y[:2] + 0.5))
    assert quantity.test is not None
    np.testing.assert_array_equal(quantity.test[1], quantity.y[:2])


def test_bytes_are_pixels_unless_they_are_flags(npz) -> None:
    pixels = np.array([[0, 255]] * 4 + [[51, 102]] * 4, np.uint8)
    assert load_source(npz(x=pixels, y=Y)).x[-1].tolist() == pytest.approx([0.2, 0.4])
    assert load_source(npz(x=pixels // 255, y=Y)).scaling["scale"] != [255.0]


def test_a_constant_feature_is_not_scaled_up(npz) -> None:
    source = load_source(npz(x=np.column_stack([X, np.full(8, 0.1)]), y=Y))
    assert source.scaling["scale"][-1] == 1
    assert not source.x[:, -1].any()


NAN, INF = X.copy(), X.copy()
NAN[2, 1], INF[0, 2] = np.nan, -np.inf


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, "it has none"),
        ({"a": X}, r"needs an array x \(N, features\); it has a \(8, 3\)"),
        ({"x": X}, r"one target a row; it has x \(8, 3\)"),
        ({"x": X[:, 0], "y": Y}, "needs an array x"),
        ({"x": X, "y": Y[:5]}, r"it has x \(8, 3\), y \(5,\)"),
        ({"x": X, "y": np.eye(8)}, r"one target a row; it has x \(8, 3\), y \(8, 8\)"),
        ({"x": X[:0], "y": Y[:0]}, "x is empty"),
        ({"x": NAN, "y": Y}, r"x holds nan at index \(2, 1\)"),
        ({"x": INF, "y": Y}, r"x holds -inf at index \(0, 2\)"),
        ({"x": X, "y": np.where(Y == 3, np.nan, 0.5)}, r"y holds nan at index \(3,\)"),
        ({"x": X * 1e306, "y": Y}, "too large"),
        ({"x": X.astype("U8"), "y": Y}, "which is not numeric"),
        ({"x": X.astype(complex), "y": Y}, "which is not numeric"),
        ({"x": X, "y": Y.astype(complex)}, "one number or text per row"),
        ({"x": X, "y": Y * 0}, "y holds 0 in every row"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y[:3]}, "8 rows and 3 targets"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, "has 2 features"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "the target 2 of test row 0 is not a class"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y.astype("U1")}, "are not classes like"),
        ({"x": X, "y": Y, "x_test": X, "y_test": np.eye(8)}, "y_test"),
        ({"x": X, "y": np.array([object()] * 8)}, "not a readable .npz file"),
    ],
)
def test_arrays_that_do_not_fit(npz, arrays, match) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        load_source(npz(**arrays))
    assert "data.npz" in str(caught.value)


def test_damaged_archives_are_refused_or_harmless(tmp_path) -> None:
    path = tmp_path / "data.npz"
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([3, 4], np.int8)
    np.savez_compressed(path, x=x, y=y)
    data = path.read_bytes()
    expected = load_source(str(path))
    read = lambda path: load_source(str(path))  # noqa: E731
    assert all(isinstance(result, ValueError) for result in outcomes(read, path, truncations(data)))
    for result in outcomes(read, path, bit_flips(data)):
        if not isinstance(result, ValueError):
            np.testing.assert_array_equal(result.x, expected.x)
            np.testing.assert_array_equal(result.y, expected.y)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\0v\0", b"\x80\x04N.", b"text"])
def test_files_that_are_not_archives(tmp_path, content) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="data.npz is not a readable .npz file"):
        load_source(str(path))


def test_a_single_array_is_not_an_archive(tmp_path) -> None:
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(ValueError, match="not a readable .npz file"):
        load_source(str(tmp_path / "data.npz"))


# .csv


def test_a_table(tmp_path) -> None:
    path = tmp_path / "Data.CSV"
    path.write_text("kind,size,sold\nred,1,no\nblue,3,yes\n")
    source = load_source(str(path))
    assert (source.class_names, source.y.tolist()) == (["no", "yes"], [0, 1])
    assert source.x.tolist() == [[0, 1, -1], [1, 0, 1]]
    scaling = json.loads(json.dumps(source.scaling))
    np.testing.assert_array_equal(read_inputs(str(path), scaling), source.x)
    assert load_source(str(path), target="kind").class_names == ["blue", "red"]
    with pytest.raises(ValueError, match="no column 'price'; the columns are kind, size, sold"):
        load_source(str(path), target="price")
    with pytest.raises(ValueError, match="trained on a CSV file"):
        read_inputs("spirals", scaling)


def test_a_table_for_a_model_that_was_trained_on_arrays(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    assert read_inputs(str(path), {"mean": [1.0, 2.0], "scale": [2.0, 2.0]}).tolist() == [[0, 0], [1, 1]]
    with pytest.raises(ValueError, match="has 2 features, the model takes 3"):
        read_inputs(str(path), {"mean": [0.0] * 3, "scale": [1.0] * 3})
    path.write_text("a,b\n1,\n3,4\n")
    with pytest.raises(ValueError, match=r"line 2, column 'b' holds no number"):
        read_inputs(str(path), {"mean": [1.0, 2.0], "scale": [2.0, 2.0]})
    path.write_text("a,b\n1,red\n3,4\n")
    with pytest.raises(ValueError, match="column 'b' holds text"):
        read_inputs(str(path), {"mean": [1.0, 2.0], "scale": [2.0, 2.0]})


@pytest.mark.parametrize(
    "scaling",
    [
        None,
        {},
        {"mean": [0.0]},
        {"mean": 0.0, "scale": 1.0},
        {"mean": ["a"], "scale": [1.0]},
        {"mean": [0.0], "scale": [0.0]},
        {"mean": [float("nan")], "scale": [1.0]},
        {"mean": [0.0, 0.0], "scale": [1.0]},
        {"mean": [[0.0], [0.0, 1.0]], "scale": [1.0]},
        {"preprocessor": {}},
    ],
)
def test_invalid_scaling(scaling) -> None:
    with pytest.raises(ModelFileError, match="the file does not say"):
        read_inputs("spirals", scaling)


def test_held_out_rows_do_not_affect_the_scaling(tmp_path):
    rows = "".join(f"{i}.5,{'ab'[i % 2]},{i * i}.25\n" for i in range(50))
    (tmp_path / "table.csv").write_text("n,c,y\n" + rows)
    np.savez(tmp_path / "arrays.npz", x=np.arange(50.0)[:, None] ** 2, y=np.arange(50.0) + 0.5)
    for name in (str(tmp_path / "table.csv"), str(tmp_path / "arrays.npz"), "regression"):
        source = load_source(name, held_out=0.3)
        assert source.test is not None
        whole = len(load_source(name).x)
        assert (len(source.x), len(source.test[0])) == (whole - int(0.3 * whole), int(0.3 * whole))
        np.testing.assert_allclose(source.x[:, 0].mean(), 0, atol=1e-5)
        np.testing.assert_allclose(source.x[:, 0].std(), 1, atol=1e-5)
        np.testing.assert_allclose(source.y.mean(), 0, atol=1e-5)
        assert abs(source.test[0][:, 0].mean()) > 1e-4
