"""Metrics against scikit-learn."""

from __future__ import annotations

import functools
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from nnlite import metrics, nn
from nnlite.metrics import resolve, resolve_all

RNG = np.random.default_rng(0)


@st.composite
def problems(draw, fewest: int = 2, most: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, C) and labels (N,), where some classes may never occur."""
    n, classes = draw(st.integers(1, 30)), draw(st.integers(fewest, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    used = generator.integers(1, classes + 1)
    logits = generator.standard_normal((n, classes)).astype(np.float32)
    logits[:, used:] -= 5 * generator.integers(0, 2)
    return logits, generator.integers(0, used, n)


@given(problems())
def test_accuracy_and_counts(problem) -> None:
    logits, labels = problem
    predicted = logits.argmax(1)
    assert metrics.accuracy(logits, labels) == theirs.accuracy_score(labels, predicted)
    assert metrics.misclassified(logits, labels) == theirs.zero_one_loss(labels, predicted, normalize=False)
    expected = theirs.confusion_matrix(labels, predicted, labels=range(logits.shape[1]))
    np.testing.assert_array_equal(metrics.confusion_matrix(logits, labels), expected)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
@pytest.mark.parametrize("zero_division", [0.0, 1.0, np.nan])
@given(problem=problems())
def test_averages(name, average, zero_division, problem) -> None:
    logits, labels = problem
    predicted = logits.argmax(1)
    ours = getattr(metrics, name)(logits, labels, average=average, zero_division=zero_division)
    known = None if average is not None else range(logits.shape[1])  # scikit-learn omits classes that never occur
    score = getattr(theirs, f"{name}_score")
    expected = score(labels, predicted, average=average, zero_division=zero_division, labels=known)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@pytest.mark.parametrize("zero_division", [0.0, 1.0])
@given(problem=problems(2, 2))
def test_two_classes(name, zero_division, problem) -> None:
    logits, labels = problem
    score = getattr(theirs, f"{name}_score")
    expected = score(labels, logits.argmax(1), average="binary", zero_division=zero_division)
    assert getattr(metrics, name)(logits, labels, zero_division=zero_division) == pytest.approx(expected, rel=1e-12)
    single = logits[:, 1] - logits[:, 0]
    for outputs in (single, single[:, None], 1 / (1 + np.exp(-single))):
        threshold = 0.5 if outputs is not single and outputs.ndim == 1 else 0.0
        ours = getattr(metrics, name)(outputs, labels, "binary", threshold, zero_division)
        assert ours == pytest.approx(expected, rel=1e-12)


def test_auto_is_binary_for_two_classes_and_macro_for_more() -> None:
    logits, labels = RNG.standard_normal((40, 3)), RNG.integers(0, 3, 40)
    assert metrics.f1(logits, labels) == metrics.f1(logits, labels, "macro")
    assert metrics.f1(logits[:, 0], labels > 0) == metrics.f1(logits[:, 0], labels > 0, "binary")
    with pytest.raises(ValueError, match="average='binary' needs 2 classes, but there are 3"):
        metrics.precision(logits, labels, "binary")
    with pytest.raises(ValueError, match="average must be one of"):
        metrics.recall(logits, labels, "mean")


@given(problems(3, 8), st.integers(1, 9))
def test_top_k(problem, k: int) -> None:
    logits, labels = problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns that the top k of k classes is always right
        expected = theirs.top_k_accuracy_score(labels, logits, k=k, labels=range(logits.shape[1]))
    assert metrics.top_k_accuracy(logits, labels, k) == pytest.approx(expected)
    assert metrics.top_k_accuracy(logits, labels, 1) == metrics.accuracy(logits, labels)


def test_top_k_of_equal_and_missing_outputs() -> None:
    assert metrics.top_k_accuracy(np.zeros((3, 3)), [0, 1, 2], 1) == pytest.approx(1 / 3)
    assert metrics.top_k_accuracy([[np.nan, 1.0, 2.0]], [0], 3) == 0
    assert metrics.top_k_accuracy([[np.nan, 1.0, 2.0]], [2], 1) == 0


@pytest.mark.parametrize(
    ("outputs", "targets", "k", "match"),
    [
        (np.zeros((2, 3)), [0, 3], 1, "the class 3 at index 1, but there are 3 outputs"),
        (np.zeros((2, 3)), [-1, 0], 1, "the class -1 at index 0"),
        (np.zeros((2, 3)), [0, 1], 0, "k must be at least 1"),
        (np.zeros(2), [0, 1], 1, r"needs outputs \(N, C\)"),
        (np.zeros((0, 3)), [], 1, r"needs outputs \(N, C\)"),
        (np.zeros((2, 3)), [0, 0.5], 1, "0.5 at index 1, which is not a class index"),
    ],
)
def test_top_k_errors(outputs, targets, k, match) -> None:
    with pytest.raises(ValueError, match=match):
        metrics.top_k_accuracy(outputs, np.asarray(targets), k)


@given(st.integers(2, 30), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_errors_of_quantities(n: int, columns: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = (n, columns) if columns else (n,)
    given_, outputs = generator.standard_normal(shape), generator.standard_normal(shape).astype(np.float32)
    assert metrics.mean_squared_error(outputs, given_) == pytest.approx(
        theirs.mean_squared_error(given_, outputs), rel=1e-12
    )
    assert metrics.mean_absolute_error(outputs, given_) == pytest.approx(
        theirs.mean_absolute_error(given_, outputs), rel=1e-12
    )
    assert metrics.r2_score(outputs, given_) == pytest.approx(theirs.r2_score(given_, outputs), rel=1e-9)


@pytest.mark.parametrize(("outputs", "expected"), [([2.0, 2.0], 1.0), ([2.0, 3.0], 0.0)])
def test_r2_of_a_constant(outputs, expected) -> None:
    assert metrics.r2_score(outputs, [2.0, 2.0]) == expected == theirs.r2_score([2.0, 2.0], outputs)


@pytest.mark.parametrize("metric", [metrics.mean_squared_error, metrics.mean_absolute_error, metrics.r2_score])
@pytest.mark.parametrize("part", [0, 1])
def test_nan_makes_a_quantity_nan(metric, part) -> None:
    for values in ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]):
        pair = [np.array(values), np.array(values)]
        pair[part][1] = np.nan
        assert np.isnan(metric(*pair))


@pytest.mark.parametrize("shape", [(1,), (1, 3)])
def test_r2_of_one_row_is_not_defined_as_in_scikit_learn(shape) -> None:
    with pytest.warns(RuntimeWarning, match="single row"):
        assert np.isnan(metrics.r2_score(np.ones(shape), np.zeros(shape)))
    with pytest.warns(UserWarning, match="less than two samples"):
        assert np.isnan(theirs.r2_score(np.zeros(shape), np.ones(shape)))


# Hundreds of thousands of classes, and none


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_labels_may_be_large(name, average) -> None:
    outputs, targets = RNG.integers(0, 100_001, (2, 500))
    outputs[:300], outputs[0], targets[0] = targets[:300], 0, 100_000
    score = getattr(theirs, f"{name}_score")
    expected = score(targets, outputs, average=average, zero_division=0)
    tracemalloc.start()
    assert getattr(metrics, name)(outputs, targets, average) == pytest.approx(expected, rel=1e-12)
    assert getattr(metrics, name)(10**15 + outputs, 10**15 + targets, average) == pytest.approx(expected, rel=1e-12)
    assert getattr(metrics, name)(outputs, targets, None).shape == (100_001,)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_matrix_that_would_not_fit() -> None:
    with pytest.raises(ValueError, match=r"of 100,000 classes would take 75 GiB; renumber the classes"):
        metrics.confusion_matrix([0, 99_999], [1, 0])
    with pytest.raises(ValueError, match=r"each of 1,000,000,001 classes; renumber the classes"):
        metrics.f1([0, 10**9], [1, 0], average=None)


@pytest.mark.parametrize(
    "outputs", [np.array([[9.0, 1.0], [np.nan, 1.0], [0.0, np.nan]]), np.array([-1.0, np.nan, np.nan])]
)
def test_a_row_with_nan_is_never_correct(outputs) -> None:
    for second in (0, 1):
        targets = np.array([0, second, 1])
        assert metrics.accuracy(outputs, targets) == 1 / 3
        assert metrics.misclassified(outputs, targets) == 2
        assert metrics.recall(outputs, targets, "micro") == 1 / 3
        assert metrics.precision(outputs, targets, "macro") <= 0.5
        with pytest.raises(ValueError, match="NaN in row 1"):
            metrics.confusion_matrix(outputs, targets)
        if outputs.ndim == 2:
            assert metrics.top_k_accuracy(outputs, targets, 2) == 1 / 3


@pytest.mark.parametrize("metric", [metrics.accuracy, metrics.f1, metrics.confusion_matrix, metrics.mean_squared_error])
def test_the_error_for_text_says_what_to_do(metric) -> None:
    for outputs, targets, name in ((["a", "b"], [0, 1], "outputs"), ([0, 1], ["a", "b"], "targets")):
        with pytest.raises(ValueError, match=rf"{name} have dtype <U1; .*np.unique\(labels, return_inverse=True\)"):
            metric(outputs, targets)


# How outputs and targets are read


@pytest.mark.parametrize(
    ("outputs", "threshold", "expected"),
    [
        ([[0.0, 1.0], [1.0, 1.0]], 0.0, [1, 0]),
        ([-1.0, 0.0, 1e-30], 0.0, [0, 0, 1]),
        ([[0.4], [0.6]], 0.5, [0, 1]),
        ([0, 2, 1], 0.5, [0, 2, 1]),
        ([True, False], 0.0, [1, 0]),
        ([np.nan], 0.0, [0]),
    ],
)
def test_predicted_classes(outputs, threshold, expected) -> None:
    result = metrics.predicted_classes(outputs, threshold)
    assert result.tolist() == expected
    assert result.dtype == np.int64


def test_targets_in_all_their_forms() -> None:
    logits, labels = RNG.standard_normal((20, 3)), RNG.integers(0, 3, 20)
    expected = metrics.accuracy(logits, labels)
    for targets in (labels.tolist(), labels[:, None], labels.astype(np.uint8), labels.astype(float), np.eye(3)[labels]):
        assert metrics.accuracy(logits, targets) == expected
    assert metrics.accuracy([1.0, -1.0], [0.9, 0.2]) == 1  # probabilities of class 1


def test_outputs_of_more_dimensions() -> None:
    logits, labels = RNG.standard_normal((4, 3, 5)), RNG.integers(0, 3, (4, 5))
    assert metrics.accuracy(logits, labels) == (logits.argmax(1) == labels).mean()
    assert metrics.confusion_matrix(logits, labels).sum() == 20


CLASS_METRICS = [metrics.accuracy, metrics.misclassified, metrics.confusion_matrix, metrics.f1]


@pytest.mark.parametrize("metric", CLASS_METRICS)
@pytest.mark.parametrize(
    ("outputs", "targets", "match"),
    [
        (np.zeros((3, 2)), np.zeros(4, int), r"outputs of shape \(3, 2\) and targets of shape \(4,\) do not fit"),
        (np.zeros((3, 2)), np.zeros((3, 4), int), "do not fit"),
        (np.zeros((0, 2)), np.zeros(0, int), r"there are no rows: outputs have shape \(0, 2\)"),
        (np.zeros(2), np.array([0.5, 3.7]), "0.5 at index 0, which is not a class index"),
        (np.zeros((2, 3)), np.array([0.0, np.nan]), "nan at index 1, which is not a class index"),
        (np.zeros(2), np.array(["a", "b"]), "classes must be whole numbers"),
    ],
)
def test_classes_that_do_not_fit(metric, outputs, targets, match) -> None:
    with pytest.raises(ValueError, match=match):
        metric(outputs, targets)


def test_negative_classes_are_refused_in_a_matrix() -> None:
    with pytest.raises(ValueError, match="must not be negative, got -100"):
        metrics.confusion_matrix(np.zeros((2, 3)), [0, -100])
    assert metrics.accuracy([[1.0, 0.0], [1.0, 0.0]], [0, -100]) == 0.5


@pytest.mark.parametrize("metric", [metrics.mean_squared_error, metrics.mean_absolute_error, metrics.r2_score])
def test_quantities_that_do_not_fit(metric) -> None:
    for outputs, targets in (
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(3), np.zeros(4)),
        (np.zeros((1, 3)), np.zeros(3)),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            metric(outputs, targets)
    with pytest.raises(ValueError, match="no rows"):
        metric([], [])
    assert metric(np.ones((4, 1)), np.arange(4)) == metric(np.ones(4), np.arange(4))


# Names


@pytest.mark.parametrize("name", ["accuracy", "misclassified", "precision", "recall", "f1", "top_k", "top_3", "top_12"])
def test_names_of_class_metrics(name) -> None:
    key, metric = resolve(name)
    assert key == name
    logits, labels = RNG.standard_normal((50, 20)), RNG.integers(0, 20, 50)
    assert isinstance(metric(logits, labels), float | int)
    if name.startswith("top"):
        k = 5 if name == "top_k" else int(name[4:])
        assert metric(logits, labels) == metrics.top_k_accuracy(logits, labels, k)


@pytest.mark.parametrize("name", ["mse", "mae", "r2"])
def test_names_of_quantity_metrics(name) -> None:
    key, metric = resolve(name, threshold=0.5)
    assert key == name
    assert isinstance(metric(np.ones(4), np.arange(4.0)), float)


def test_the_threshold_reaches_the_metric() -> None:
    outputs, targets = np.array([0.2, 0.7]), np.array([0, 1])
    assert resolve("accuracy")[1](outputs, targets) == 0.5
    assert resolve("accuracy", 0.5)[1](outputs, targets) == 1


def test_functions_and_objects_are_metrics() -> None:
    def worst(outputs, targets):
        return float(np.abs(outputs - targets).max())

    assert resolve(worst) == ("worst", worst)
    criterion = nn.MSELoss()
    assert resolve(criterion) == ("MSELoss", criterion)


@pytest.mark.parametrize("name", ["acuracy", "top_0", "top_-1", "top_", "top_x", "", "5"])
def test_unknown_names_list_the_known(name) -> None:
    with pytest.raises(ValueError, match="is unknown; use one of accuracy, misclassified"):
        resolve(name)


@pytest.mark.parametrize("metric", [5, None, ["accuracy"]])
def test_invalid_metrics(metric) -> None:
    with pytest.raises(TypeError, match="a name or a function"):
        resolve(metric)


# Two classes in other codings


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_signs_as_labels(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores, labels = generator.standard_normal(n), 2 * generator.integers(0, 2, n) - 1
    predicted = np.where(scores > 0, 1, -1)
    for targets in (labels, labels.astype(np.float32), labels[:, None]):
        assert metrics.accuracy(scores, targets) == theirs.accuracy_score(labels, predicted)
        assert metrics.misclassified(scores, targets) == (labels != predicted).sum()
        for name in ("precision", "recall", "f1"):
            expected = getattr(theirs, f"{name}_score")(labels, predicted, pos_label=1, zero_division=0)
            assert getattr(metrics, name)(scores, targets) == pytest.approx(expected, rel=1e-12)
    assert metrics.accuracy(predicted, labels) == theirs.accuracy_score(labels, predicted)


@pytest.mark.parametrize(
    ("outputs", "targets", "match"),
    [
        ([0.5, -0.5, 1.0], [0, 1, 2], "targets hold 2 at index 2.*one output for each class"),
        ([0.5, -0.5], [1, -2], "targets hold -2 at index 1"),
        ([0, 1], [-1, 1], "coded differently"),
        ([-1, 1], [0, 1], "coded differently"),
        (np.zeros((2, 3)), np.array([[1, 0, 0], [1, 1, 0]]), "mark 2 classes in row 1"),
        (np.zeros((2, 3)), np.array([[0.0, 0, 0], [1, 0, 0]]), "mark 0 classes in row 0"),
    ],
)
def test_labels_that_the_outputs_cannot_represent(outputs, targets, match) -> None:
    for metric in (metrics.accuracy, metrics.misclassified, metrics.f1):
        with pytest.raises(ValueError, match=match):
            metric(np.asarray(outputs), np.asarray(targets))


@pytest.mark.parametrize(
    ("name", "rises"),
    [(name, row.greater_is_better) for name, row in metrics.METRICS.items()]
    + [("loss", False), ("top_3", True), ("top_x", None), ("auc", None), ("accuracy_of_mine", None), ("", None)],
)
def test_directions(name, rises) -> None:
    assert metrics.greater_is_better(name) is rises
    assert metrics.greater_is_better(f"val_{name}") is rises


def test_directions_of_functions() -> None:
    def own(outputs, targets):
        return 0.0

    assert metrics.greater_is_better("val_own", [resolve(own)]) is None
    own.greater_is_better = True
    assert metrics.greater_is_better("val_own", [resolve(own)]) is True
    assert metrics.greater_is_better("own", [resolve(functools.partial(own))]) is True
    assert metrics.greater_is_better("mean_squared_error", [resolve(metrics.mean_squared_error)]) is False


def test_a_figure_cannot_replace_another() -> None:
    def loss(outputs, targets):
        return 0.0

    for functions, name in [([lambda o, t: 1.0, lambda o, t: 2.0], "<lambda>"), ([loss], "loss")]:
        with pytest.raises(ValueError, match=f"the history already has '{name}': .* another __name__"):
            resolve_all(functions)
    assert [name for name, _ in resolve_all(["mse", "accuracy", "mse"])] == ["mse", "accuracy"]


def test_rows_are_counted_alike_in_both_types():
    rng = np.random.default_rng(3)
    outputs = rng.integers(0, 3, (500, 4)).astype(np.float64)  # many ties
    outputs[rng.random((500, 4)) < 0.05] = np.nan
    labels = rng.integers(0, 4, 500)
    right = [not np.isnan(row).any() and row.argmax() == label for row, label in zip(outputs, labels, strict=True)]
    for values in (outputs, outputs.astype(np.float32)):
        assert metrics.misclassified(values, labels) == 500 - sum(right)
        assert metrics.accuracy(values, labels) == sum(right) / 500
