"""A Predictor gives the bits of its model, for every shape."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn


def make_model() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(7, 19), nn.BatchNorm1d(19), nn.Tanh(), nn.Dropout(0.5), nn.LayerNorm(19), nn.Linear(19, 3)
    )


def outputs_of(model: nn.Module, *inputs) -> np.ndarray:
    model.eval()
    with nl.no_grad():
        return model(*inputs).numpy()


@pytest.mark.parametrize("rows", [1, 2, 5, 64, 127, 128, 129, 700])
def test_predictions_have_the_bits_of_the_model(rows):
    model = make_model()
    x = np.random.default_rng(rows).standard_normal((rows, 7)).astype(np.float32)
    predictor = nl.Predictor(model)
    expected = outputs_of(model, x)
    for _ in range(2):
        np.testing.assert_array_equal(predictor(x), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_does_not_depend_on_the_other_rows(threads):
    nl.set_num_threads(threads)
    model = nn.MLP([784, 300, 10])
    x = np.random.default_rng(0).standard_normal((300, 784)).astype(np.float32)
    predictor = nl.Predictor(model)
    whole = predictor(x)
    np.testing.assert_array_equal(np.concatenate([predictor(x[i : i + 1]) for i in range(300)]), whole)
    np.testing.assert_array_equal(np.concatenate([predictor(x[i : i + 37]) for i in range(0, 300, 37)]), whole)


def test_layouts_and_types_are_converted():
    model = make_model()
    x = np.random.default_rng(0).standard_normal((6, 7)).astype(np.float32)
    predictor = nl.Predictor(model)
    expected = outputs_of(model, x)
    padded = np.zeros((12, 14), np.float32)
    padded[::2, ::2] = x
    for same in (
        x.astype(np.float64),
        np.asfortranarray(x),
        padded[::2, ::2],
        x.tolist(),
        nl.tensor(x),
        x.astype(">f4"),
    ):
        np.testing.assert_array_equal(predictor(same), expected)
    np.testing.assert_array_equal(predictor(np.arange(7)[None]), outputs_of(model, np.arange(7.0)[None]))


def test_a_predictor_is_a_snapshot():
    model = nn.Linear(3, 2)
    x = np.ones((1, 3), np.float32)
    predictor = nl.Predictor(model)
    before = predictor(x)
    model.weight.detach().numpy()[:] = 0
    np.testing.assert_array_equal(predictor(x), before)
    assert (nl.Predictor(model)(x) != before).any()


def test_results_do_not_share_memory():
    predictor = nl.Predictor(nn.Linear(3, 2))
    first = predictor(np.zeros((1, 3), np.float32))
    kept = first.copy()
    predictor(np.ones((1, 3), np.float32))
    np.testing.assert_array_equal(first, kept)


def test_several_inputs():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.linear = nn.Embedding(5, 4), nn.Linear(3, 4)

        def forward(self, index, x):
            return self.table(index) + self.linear(x)

    model = Both()
    index, x = np.array([1, 4]), np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(nl.Predictor(model)(index, x), outputs_of(model, index, x))


def test_a_model_that_reads_values_still_predicts():
    class Reading(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            return y if y.sum().item() > 0 else -y

    model = Reading(3, 2)
    x = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(nl.Predictor(model)(x), outputs_of(model, x))


def test_double_models():
    model = nn.Linear(5, 4).double()
    x = np.random.default_rng(0).standard_normal((3, 5))
    predictions = nl.Predictor(model)(x)
    assert predictions.dtype == np.float64
    np.testing.assert_array_equal(predictions, outputs_of(model, x))


def test_threads_share_a_predictor():
    model = nn.MLP([64, 512, 10])
    predictor = nl.Predictor(model)
    x = np.random.default_rng(0).standard_normal((8, 200, 64)).astype(np.float32)
    expected = [outputs_of(model, rows) for rows in x]
    wrong = []

    def work(i: int) -> None:
        for _ in range(30):
            if not np.array_equal(predictor(x[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"threads {sorted(set(wrong))} saw other rows' outputs"


def test_bad_input_is_named():
    predictor = nl.Predictor(nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"x has shape \(2, 4\)"):
        predictor(np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"x\[None\]"):
        predictor(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="x is empty"):
        predictor(np.ones((0, 3), np.float32))
    with pytest.raises(TypeError, match="inputs"):
        predictor()
    with pytest.raises(TypeError):
        predictor("words")
    with pytest.raises(TypeError, match="nn.Module"):
        nl.Predictor(lambda x: x)


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_of_a_used_predictor(copied) -> None:
    predictor = nl.Predictor(nn.MLP([3, 5, 2]))
    rows = [np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32) for n in (1, 7, 200)]
    expected = [predictor(x) for x in rows]
    again = copied(predictor)
    for x, y in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(again(x), y)
        np.testing.assert_array_equal(predictor(x), y)
