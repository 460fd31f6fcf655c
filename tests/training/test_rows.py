"""Bad input is named before anything changes; harmless oddities are converted."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.data import DataLoader, Subset, TensorDataset
from nnlite.training.arrays import as_array

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 50)


def make_trainer(model: nn.Module | None = None, criterion=None) -> nl.Trainer:
    nl.manual_seed(0)
    model = model or nn.MLP([4, 8, 3])
    return nl.Trainer(model, criterion or nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))


def replaced(array: np.ndarray, index, value) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


class Rows:
    """A dataset of no special type."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int):
        return X[i], Y[i]


BAD_FITS = {
    "feature count": ((X[:, :3], Y), {}, ValueError, r"\(\d+, 3\).*must be 4"),
    "one-dimensional x": ((X[:, 0], Y), {}, ValueError, r"\(32,\).*must be 4"),
    "single value": ((3.0, Y), {}, ValueError, "x is a single value"),
    "label too large": ((X, replaced(Y, 7, 3)), {}, ValueError, "class 3 at index 7, .*3 outputs.*0 to 2"),
    "negative label": ((X, replaced(Y, 7, -1)), {}, ValueError, "class -1 at index 7"),
    "float labels": ((X, Y.astype(float)), {}, ValueError, r"float64 .*\(50,\).*astype\('int64'\)"),
    "one-hot integers": ((X, np.eye(3, dtype=int)[Y]), {}, ValueError, r"argmax\(1\)"),
    "column of labels": ((X, Y[:, None]), {}, ValueError, r"\(32, 1\).*\(32,\)"),
    "too many probabilities": ((X, np.eye(4)[Y]), {}, ValueError, r"\(32, 4\).*\(32, 3\)"),
    "NaN": ((replaced(X, (3, 2), np.nan), Y), {}, ValueError, r"x holds nan at index \(3, 2\)"),
    "infinity": ((replaced(X, (49, 0), -np.inf), Y), {}, ValueError, r"x holds -inf at index \(49, 0\)"),
    "too large": (
        (replaced(X.astype(float), (5, 1), 1e300), Y),
        {},
        ValueError,
        r"1e\+300 at index \(5, 1\), too large",
    ),
    "no rows": ((X[:0], Y[:0]), {}, ValueError, r"x is empty.*\(0, 4\)"),
    "no features": ((X[:, :0], Y), {}, ValueError, r"x is empty.*\(50, 0\)"),
    "lengths": ((X, Y[:40]), {}, ValueError, "x has 50 rows and y has 40"),
    "objects": ((replaced(X.astype(object), (2, 1), "high"), Y), {}, TypeError, r"object.*'high' at index \(2, 1\)"),
    "text": ((X.astype(str), Y), {}, TypeError, "not numeric"),
    "complex": ((X.astype(complex), Y), {}, TypeError, "complex128"),
    "ragged": (([[1, 2], [1]], [0, 1]), {}, ValueError, "differ in length"),
    "masked": ((np.ma.masked_greater(X, 1.0), Y), {}, ValueError, "masked"),
    "targets missing": ((X,), {}, ValueError, "y is missing"),
    "a loader": ((DataLoader(TensorDataset(X, Y), sampler=[1]),), {}, TypeError, "x is a DataLoader"),
    "empty dataset": ((Rows(0),), {}, ValueError, "Rows is empty"),
    "validation features": ((X, Y), {"validation_data": (X[:, :2], Y)}, ValueError, r"\(\d+, 2\).*must be 4"),
    "validation labels": ((X, Y), {"validation_data": (X, Y + 1)}, ValueError, "validation y holds the class 3"),
    "validation NaN": ((X, Y), {"validation_data": (replaced(X, 0, np.nan), Y)}, ValueError, "validation x holds nan"),
    "validation of one array": ((X, Y), {"validation_data": X}, ValueError, r"validation_data must be \(x, y\)"),
    "validation of three": ((X, Y), {"validation_data": (X, Y, Y)}, ValueError, r"validation_data must be \(x, y\)"),
    "share above 1": ((X, Y), {"validation_split": 1.5}, ValueError, "validation_split"),
    "share of no row": ((X, Y), {"validation_split": 0.01}, ValueError, "validation_split=0.01 of 50 rows"),
    "weights' shape": ((X, Y), {"sample_weight": np.ones(3)}, ValueError, r"sample_weight has shape \(3,\)"),
    "weights' NaN": (
        (X, Y),
        {"sample_weight": replaced(np.ones(50), 4, np.nan)},
        ValueError,
        "sample_weight holds nan at index 4",
    ),
    "class weights in a list": ((X, Y), {"class_weight": [1, 2, 3]}, TypeError, "class_weight must be a dictionary"),
    "class weight NaN": ((X, Y), {"class_weight": {0: np.nan}}, ValueError, "class_weight of class 0 is nan"),
    "half an epoch": ((X, Y), {"epochs": 1.5}, TypeError, "epochs must be an integer"),
    "negative epochs": ((X, Y), {"epochs": -1}, ValueError, "epochs"),
    "batches of nothing": ((X, Y), {"batch_size": 0}, ValueError, "batch_size must be at least 1"),
    "one callback": ((X, Y), {"callbacks": nl.callbacks.Callback()}, TypeError, r"callbacks must be a list"),
    "callback of another kind": ((X, Y), {"callbacks": [print]}, TypeError, "Callback objects"),
    "monitor without validation": (
        (X, Y),
        {"callbacks": [nl.callbacks.EarlyStopping()]},
        ValueError,
        "'val_loss'.*only loss",
    ),
}


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_input_changes_nothing(case, compile):
    arguments, options, error, message = BAD_FITS[case]
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    with pytest.raises(error, match=message):
        trainer.fit(*arguments, compile=compile, **options)
    assert trainer.model.fingerprint() == before
    assert trainer.epoch == 0
    trainer.fit(X, Y)


SAME_BITS = {
    "big-endian": (X.astype(">f4"), Y.astype(">i8")),
    "Fortran order": (np.asfortranarray(X), Y),
    "strided": (np.repeat(X, 2, 0)[::2], np.repeat(Y, 2)[::2]),
    "wide rows": (np.concatenate([X, X], 1)[:, :4], Y),
    "backwards twice": (X[::-1].copy()[::-1], Y[::-1].copy()[::-1]),
    "float64": (X.astype(np.float64), Y.astype(np.uint8)),
    "long double": (X.astype(np.longdouble), Y.astype(np.uint64)),
    "lists": (X.tolist(), Y.tolist()),
    "short labels": (X, Y.astype(np.int32)),
    "tensors": (nl.tensor(X), nl.tensor(Y)),
    "no mask": (np.ma.masked_array(X), Y),
    "dataset": (TensorDataset(X, Y),),
    "subset": (Subset(TensorDataset(X, Y), np.arange(50)),),
    "own dataset": (Rows(50),),
}


@pytest.mark.parametrize("case", SAME_BITS)
def test_harmless_forms_give_the_same_bits(case):
    expected, trainer = make_trainer(), make_trainer()
    expected.fit(X, Y)
    trainer.fit(*SAME_BITS[case])
    assert trainer.model.fingerprint() == expected.model.fingerprint()


def test_unaligned_and_read_only_memory():
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(X.shape)
    assert not unaligned.flags.writeable
    assert as_array("x", unaligned).flags.aligned  # later code may rely on that
    expected, trainer = make_trainer(), make_trainer()
    expected.fit(X, Y)
    trainer.fit(unaligned, Y)
    assert trainer.model.fingerprint() == expected.model.fingerprint()


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, bool]
)
def test_every_numeric_type_is_read(dtype):
    x = RNG.integers(0, 2, X.shape).astype(dtype)
    expected, trainer = make_trainer(), make_trainer()
    expected.fit(x.astype(np.float32), Y)
    trainer.fit(x, Y)
    assert trainer.model.fingerprint() == expected.model.fingerprint()


def test_memory_maps(tmp_path):
    np.save(tmp_path / "x.npy", X)
    expected, trainer = make_trainer(), make_trainer()
    expected.fit(X, Y)
    trainer.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), Y)
    assert trainer.model.fingerprint() == expected.model.fingerprint()


def test_booleans_are_classes():
    model = nn.MLP([4, 2])
    make_trainer(model).fit(X, Y > 0)


def test_class_probabilities_are_valid_targets():
    one_hot, indices = make_trainer(), make_trainer()
    assert one_hot.fit(X, np.eye(3)[Y])["loss"] == pytest.approx(indices.fit(X, Y)["loss"], rel=1e-5)


def test_ignored_labels_are_accepted():
    trainer = make_trainer(criterion=nn.CrossEntropyLoss(ignore_index=-100))
    trainer.fit(X, replaced(Y, 7, -100))


@pytest.mark.parametrize("criterion", [nn.BCEWithLogitsLoss(), nn.BCELoss()])
def test_targets_outside_the_unit_interval(criterion):
    trainer = make_trainer(nn.Sequential(nn.Linear(4, 1), nn.Sigmoid(), nn.Flatten(0)), criterion)
    with pytest.raises(ValueError, match=r"y holds 2(\.0)? at index \d+; BCE.*between 0 and 1"):
        trainer.fit(X, Y)


def test_a_column_against_a_vector():
    with pytest.raises(ValueError, match=r"\(32, 1\).*\(32,\).*reshape\(-1, 1\)"):
        make_trainer(nn.Linear(4, 1), nn.MSELoss()).fit(X, Y.astype(np.float32))


def test_a_loss_must_be_one_number():
    with pytest.raises(ValueError, match="reduction='mean'"):
        make_trainer(criterion=nn.CrossEntropyLoss(reduction="none")).fit(X, Y)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:, :3], "must be 4"),
        (X[0], "one row for each"),
        (replaced(X, (0, 0), np.nan), r"x holds nan at index \(0, 0\)"),
        (X[:0], "empty"),
    ],
)
def test_bad_predictions(x, message):
    with pytest.raises(ValueError, match=message):
        make_trainer().predict(x)


def test_pytorch_tensors_and_data_frames():
    import pandas
    import torch

    expected = make_trainer()
    expected.fit(X, Y)
    for x, y in ((torch.from_numpy(X), torch.from_numpy(Y)), (pandas.DataFrame(X), pandas.Series(Y))):
        trainer = make_trainer()
        trainer.fit(x, y)
        assert trainer.model.fingerprint() == expected.model.fingerprint()
    with pytest.raises(TypeError, match="requires grad"):
        make_trainer().fit(torch.from_numpy(X.copy()).requires_grad_(), Y)


class TestConstruction:
    """Parts that a Trainer refuses."""

    def test_wrong_parts(self):
        model = nn.Linear(4, 3)
        optimizer, criterion = optim.SGD(model.parameters()), nn.CrossEntropyLoss()
        for arguments, message in (
            ((lambda x: x, criterion, optimizer), "model must be an nn.Module"),
            ((model, "mse", optimizer), "criterion must be callable"),
            ((model, criterion, "sgd"), "optimizer must be"),
            ((model, criterion, optimizer, "accuracy"), r"metrics=\['accuracy'\]"),
        ):
            with pytest.raises(TypeError, match=message):
                nl.Trainer(*arguments)

    def test_unknown_metric_lists_the_known(self):
        model = nn.Linear(4, 3)
        with pytest.raises(ValueError, match="'acc' is unknown; use one of accuracy"):
            nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()), ["acc"])

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_seed_out_of_range(self, seed):
        model = nn.Linear(4, 3)
        with pytest.raises(ValueError, match="seed must be"):
            nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()), seed=seed)

    def test_an_optimizer_of_another_model(self):
        model = nn.Linear(4, 3)
        optimizer = optim.SGD(nn.Linear(4, 3).parameters())
        with pytest.raises(ValueError, match="none of the model's parameters"):
            nl.Trainer(model, nn.CrossEntropyLoss(), optimizer).fit(X, Y)

    def test_nothing_to_train(self):
        model = nn.Linear(4, 3).requires_grad_(False)
        with pytest.raises((ValueError, RuntimeError), match="nothing to train"):
            nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters())).fit(X, Y)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 1), nn.Linear(2, 1)

    def forward(self, a, b):
        return self.a(a) + self.b(b)


def test_a_list_of_inputs_is_a_tuple_of_inputs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 2)).astype(np.float32)
    y = a[:, :1]
    prints = []
    for x in ((a, b), [a, b]):
        nl.manual_seed(0)
        model = TwoInputs()
        trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
        trainer.fit(x, y, validation_data=(x, y), progress=False)
        trainer.evaluate(x, y)
        prints.append((model.fingerprint(), trainer.predict(x).tobytes()))
    assert prints[0] == prints[1]


def test_a_list_of_rows_stays_one_input():
    rows = [np.ones(3, np.float32), np.zeros(3, np.float32)]
    assert nl.Trainer(nn.Linear(3, 1), nn.MSELoss(), optim.SGD([nn.Parameter([1.0])], lr=0.1)).predict(rows).shape == (
        2,
        1,
    )


class Items:
    def __init__(self, item):
        self.item = item

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return self.item(i)


@pytest.mark.parametrize("form", [tuple, list])
def test_items_of_a_dataset_are_tuples_or_lists(form):
    rows = [form((X[i], Y[i])) for i in range(len(X))]
    prints = set()
    for data in ((X, Y), (Items(lambda i: rows[i]),), *([(rows,)] if form is tuple else [])):
        nl.manual_seed(0)
        trainer = make_trainer()
        trainer.fit(*data)
        prints.add((trainer.model.fingerprint(), trainer.evaluate(*data)["loss"]))
    assert len(prints) == 1


def test_dictionaries_as_items_say_what_there_is():
    def row(i):
        return {"x": X[i], "y": Y[i]}

    for data in (Items(row), [row(i) for i in range(len(X))]):
        with pytest.raises(TypeError, match=r"tuples of values, such as \(x, y\), and the first is a dictionary"):
            make_trainer().fit(data)
