"""DataFrames: types are converted, or refused with advice that works; column names are remembered."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy
import pandas
import pytest

import nnlite as nl
from nnlite import nn, optim

ROWS = 60
RNG = numpy.random.default_rng(0)
FRAME = pandas.DataFrame({"a": RNG.normal(size=ROWS), "b": RNG.integers(0, 5, ROWS)})
Y = (FRAME["a"] > 0).astype(int)
WORDS = numpy.where(FRAME["b"] > 2, "x", "y")
HOURS = pandas.to_timedelta(FRAME["b"], unit="h")


def trainer(features: int = 2) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.MLP([features, 4, 2])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))


def bits(x, y=Y) -> str:
    made = trainer(numpy.shape(x)[1])
    made.fit(x, y, progress=False)
    return made.model.fingerprint()


@pytest.mark.parametrize(
    "b",
    [
        FRAME["b"].astype("Int64"), FRAME["b"].astype("Float64"), FRAME["b"].astype(object), FRAME["b"].astype("category"),
        FRAME["b"].astype("uint8"), pandas.arrays.SparseArray(FRAME["b"]), [Decimal(int(b)) for b in FRAME["b"]],
    ],
    ids=lambda b: str(getattr(b, "dtype", "decimal")),
)  # fmt: skip
def test_columns_of_numbers_are_converted(b) -> None:
    assert bits(FRAME.assign(b=b)) == bits(FRAME.to_numpy())


@pytest.mark.parametrize("kind", ["bool", "boolean", object])
def test_booleans_mix_with_floats(kind) -> None:
    flags = FRAME["b"] > 2
    assert bits(FRAME.assign(b=flags.astype(kind))) == bits(FRAME.assign(b=flags.astype(float)).to_numpy())


@pytest.mark.parametrize("kind", ["Int64", object, "category", "Float64"])
def test_targets_are_converted(kind) -> None:
    y = Y.astype(kind)
    if kind == "Float64":
        with pytest.raises(ValueError, match=r"y.astype\('int64'\)"):
            bits(FRAME, y)
        y = y.astype("int64")
    assert bits(FRAME, y) == bits(FRAME, Y)


@pytest.mark.parametrize(
    "b",
    [
        pandas.date_range("2020-01-01", periods=ROWS), pandas.date_range("2020-01-01", periods=ROWS, tz="UTC"),
        pandas.period_range("2020-01", periods=ROWS, freq="M"), HOURS, WORDS, pandas.Categorical(WORDS),
        pandas.array(WORDS, dtype="string"), FRAME["b"].astype(str), FRAME["b"].astype(object).where(FRAME["b"] > 1, None),
    ],
    ids=lambda b: str(getattr(b, "dtype", "")),
)  # fmt: skip
def test_the_advice_on_other_columns_works(b) -> None:
    x = FRAME.assign(b=b)
    with pytest.raises((TypeError, ValueError), match=r"x\['b'\] h") as caught:
        bits(x)
    advice = re.split(r"for example |use ", str(caught.value))[-1]
    scope = {"x": x, "numpy": numpy, "pandas": pandas}
    exec(advice if re.match(r"x(\['b'\])? = ", advice) else f"x['b'] = {advice}", scope)
    assert bits(scope["x"])


@pytest.mark.parametrize(
    "y", [pandas.Series(WORDS), pandas.Series(WORDS).astype("category"), WORDS, WORDS.astype("S"), WORDS.astype(object)]
)
def test_the_advice_on_targets_of_text_works(y) -> None:
    with pytest.raises(TypeError, match="y has dtype .*not numeric") as caught:
        bits(FRAME, y)
    advice = re.split(r"for example |use |number them: ", str(caught.value))[-1]
    assert bits(FRAME, eval(advice, {"y": y, "numpy": numpy}))


@pytest.mark.parametrize("x", [HOURS.to_numpy()[:, None], pandas.date_range("2020", periods=ROWS).to_numpy()[:, None]])
def test_the_advice_on_arrays_of_times_works(x) -> None:
    with pytest.raises(TypeError, match="not numeric") as caught:
        bits(x)
    assert bits(eval(str(caught.value).rpartition("for example ")[2], {"x": x, "numpy": numpy}))


def test_two_columns_of_one_name() -> None:
    twice = pandas.concat([FRAME, FRAME[["a"]]], axis=1)
    with pytest.raises(ValueError, match="x has two columns 'a': use") as caught:
        bits(twice)
    assert bits(eval(str(caught.value).rpartition("use ")[2], {"x": twice})) == bits(FRAME)


def test_names_of_columns_are_remembered() -> None:
    made = trainer()
    made.fit(FRAME, Y, validation_data=(FRAME[["b", "a"]], Y), progress=False)
    expected = made.predict(FRAME)
    for same in (FRAME[["b", "a"]], FRAME.to_numpy()):
        numpy.testing.assert_array_equal(made.predict(same), expected)
    assert made.evaluate(FRAME[["b", "a"]], Y) == made.evaluate(FRAME, Y)
    calls = [made.predict, lambda x: made.evaluate(x, Y), lambda x: made.fit(x, Y), lambda x: made.fit(FRAME, Y, validation_data=(x, Y))]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match="x lacks the column 'b'; the model was trained on 'a', 'b'"):
            call(FRAME[["a"]])
        with pytest.raises(ValueError, match="x also has the columns 'c', 'd'"):
            call(FRAME.assign(c=1, d=2))
        with pytest.raises(ValueError, match="x lacks the column 'a'"):
            call(FRAME.rename(columns={"a": "z"}))


def test_names_are_remembered_only_from_completed_fits() -> None:
    made = trainer()
    with pytest.raises(ValueError, match="epochs"):
        made.fit(FRAME.rename(columns={"a": "z"}), Y, epochs=-1)
    made.fit(FRAME, Y, progress=False)
    assert made.columns == [["a", "b"]]
    made = trainer()
    made.fit(pandas.DataFrame(FRAME.to_numpy()), Y, progress=False)
    assert made.columns is None


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, first: nl.Tensor, second: nl.Tensor) -> nl.Tensor:
        return self.first(first) + self.second(second)


@pytest.mark.parametrize("kind", [tuple, list])
def test_names_of_several_inputs_are_remembered(kind) -> None:
    nl.manual_seed(0)
    model = Two()
    made = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    made.fit(kind([FRAME, FRAME]), Y, progress=False)
    assert made.columns == [["a", "b"], ["a", "b"]]
    expected = made.predict((FRAME, FRAME))
    turned = FRAME[["b", "a"]]
    for several in (tuple, list):
        numpy.testing.assert_array_equal(made.predict(several([turned, FRAME])), expected)
        numpy.testing.assert_array_equal(made.predict(several([FRAME.to_numpy(), turned])), expected)
        with pytest.raises(ValueError, match=r"x\[1\] lacks the column 'b'"):
            made.predict(several([FRAME, FRAME[["a"]]]))
    with pytest.raises(TypeError):  # a third input is not dropped
        made.predict((FRAME, FRAME, FRAME))


def test_further_inputs_are_not_dropped() -> None:
    made = trainer()
    made.fit(FRAME, Y, progress=False)
    with pytest.raises(TypeError):
        made.predict((FRAME, FRAME))
