"""The loss over a data set, for any batches, threads and execution path; weights; batches of weight 0."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback
from nnlite.nn import functional

ROWS = 411
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, ROWS)
NUMBERS = RNG.standard_normal((ROWS, 3)).astype(np.float32)
CHANCES = RNG.random((ROWS, 3)).astype(np.float32)
LOGARITHMS = np.log(CHANCES / CHANCES.sum(1, keepdims=True))
WEIGHTS = RNG.random(ROWS).astype(np.float32) * (RNG.random(ROWS) < 0.8)
CLASS_WEIGHT = [0.2, 1.7, 0.9]

REDUCED = ["mean", "sum"]
# name: (criterion, target, last layers)
LOSSES = {
    f"{name} {reduction}": (make(reduction), target, layers)
    for reduction in REDUCED
    for name, make, target, layers in [
        ("mse", nn.MSELoss, NUMBERS, []),
        ("l1", nn.L1Loss, NUMBERS, []),
        ("huber", nn.HuberLoss, NUMBERS, []),
        ("smooth l1", nn.SmoothL1Loss, NUMBERS, []),
        ("bce", lambda r: nn.BCELoss(reduction=r), CHANCES, [nn.Sigmoid()]),
        ("bce weight", lambda r: nn.BCELoss(CLASS_WEIGHT, r), CHANCES, [nn.Sigmoid()]),
        ("logits", lambda r: nn.BCEWithLogitsLoss(reduction=r), CHANCES, []),
        ("logits weights", lambda r: nn.BCEWithLogitsLoss(CLASS_WEIGHT, r, 3.0), CHANCES, []),
        ("kl", nn.KLDivLoss, CHANCES, [nn.LogSoftmax(1)]),
        ("kl log", lambda r: nn.KLDivLoss(r, log_target=True), LOGARITHMS, [nn.LogSoftmax(1)]),
        ("ce", lambda r: nn.CrossEntropyLoss(reduction=r), LABELS, []),
        ("ce ignored", lambda r: nn.CrossEntropyLoss(reduction=r, ignore_index=1), LABELS, []),
        ("ce weight", lambda r: nn.CrossEntropyLoss(CLASS_WEIGHT, 1, r, 0.1), LABELS, []),
        ("ce chances", lambda r: nn.CrossEntropyLoss(CLASS_WEIGHT, reduction=r), CHANCES, []),
        ("nll", lambda r: nn.NLLLoss(CLASS_WEIGHT, 2, r), LABELS, [nn.LogSoftmax(1)]),
        ("function", lambda r: functools.partial(functional.cross_entropy, ignore_index=1, reduction=r), LABELS, []),
        ("lambda", lambda r: lambda output, y: functional.mse_loss(output.reshape(-1), y.reshape(-1), r), NUMBERS, []),
    ]
} | {"kl batchmean": (nn.KLDivLoss("batchmean"), CHANCES, [nn.LogSoftmax(1)])}  # fmt: skip


def make_trainer(criterion, layers=(), lr: float = 0.1, dtype=np.float32, **options) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), *layers)
    if dtype == np.float64:
        model = model.double()
    return nl.Trainer(
        model, criterion, optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=0.01), **options
    )


class Reads(nn.Module):
    """Runs operation by operation, because its forward pass reads a value."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        output = self.model(x)
        output.sum().item()
        return output


def unreduced(criterion, output, target):
    """Each row's losses in float64, from PyTorch's definition of the criterion's options."""
    single = nn.Module.__new__(type(criterion))
    single.__dict__.update(criterion.__dict__)
    single.reduction = "none"
    with nl.no_grad():
        return single(output, target).numpy().astype(np.float64)


def row_weights(criterion, target):
    """The divisor of a mean: the weights of the labels, otherwise 1 for each loss of a row."""
    if target.ndim > 1:
        whole_rows = criterion.reduction == "batchmean" or isinstance(criterion, nn.CrossEntropyLoss)
        return np.full(len(target), 1.0 if whole_rows else target.shape[1])
    weight = np.ones(3) if criterion.weight is None else criterion.weight.numpy().astype(np.float64)
    return np.where(target == criterion.ignore_index, 0.0, weight[target])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_evaluate_does_not_depend_on_batches_threads_or_path(name, weighted) -> None:
    criterion, target, layers = LOSSES[name]
    trainer = make_trainer(criterion, layers)
    options = {"sample_weight": WEIGHTS} if weighted and isinstance(criterion, nn.Module) else {}
    figures = set()
    for threads in (1, 3):
        nl.set_num_threads(threads)
        figures |= {trainer.evaluate(X, target, batch_size=b, **options)["loss"] for b in (1, 7, 128, 200, ROWS, 1000)}
    model, trainer.model = trainer.model, Reads(trainer.model)
    figures |= {trainer.evaluate(X, target, batch_size=b, **options)["loss"] for b in (7, 128, 1000)}
    assert len(figures) == 1
    if not weighted:
        with nl.no_grad():
            assert figures == {criterion(model(X), target).item()}  # the same bits as one batch of all rows
    if isinstance(criterion, nn.Module):
        weight = WEIGHTS.astype(np.float64) if options else np.ones(ROWS)
        losses = unreduced(criterion, trainer.predict(X), target).reshape(ROWS, -1).sum(1)
        total = (weight * losses).sum()
        if criterion.reduction != "sum":
            total /= (weight * row_weights(criterion, target)).sum()
        assert figures.pop() == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_the_epochs_loss_combines_its_batches(name, compile) -> None:
    criterion, target, layers = LOSSES[name]
    trainer = make_trainer(criterion, layers, lr=0.0)
    weights = {"sample_weight": WEIGHTS} if isinstance(criterion, nn.Module) else {}
    history = trainer.fit(X, target, batch_size=50, compile=compile, validation_data=(X, target), **weights)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(X, target, **weights)["loss"], rel=1e-5)
    assert history["val_loss"][0] == trainer.evaluate(X, target)["loss"]


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_one_do_not_change_the_bits(name) -> None:
    criterion, target, layers = LOSSES[name]
    if not isinstance(criterion, nn.Module):
        pytest.skip("weights need a loss module")
    ones = [{"sample_weight": np.ones(ROWS)}, {"sample_weight": [1] * ROWS, "compile": False}]
    ones += [{"class_weight": {0: 1.0, 1: 1.0, 2: 1.0}}] if target.ndim == 1 else []
    results = []
    for options in ({}, {"compile": False}, *ones):
        trainer = make_trainer(criterion, layers, lr=0.001)
        history = trainer.fit(X, target, epochs=2, batch_size=150, **options)
        results.append((trainer.model.fingerprint(), history["loss"]))
    assert all(result == results[0] for result in results)
    assert trainer.evaluate(X, target) == trainer.evaluate(X, target, sample_weight=np.ones(ROWS))


@pytest.mark.parametrize("reduction", REDUCED)
def test_a_weight_of_two_counts_a_row_twice(reduction) -> None:
    criterion = nn.CrossEntropyLoss(CLASS_WEIGHT, reduction=reduction)
    counts = RNG.integers(0, 3, ROWS)
    twice, weighted, by_class = (make_trainer(criterion, lr=0.001, dtype=np.float64) for _ in range(3))
    repeated = np.repeat(np.arange(ROWS), counts)
    twice.fit(X[repeated], LABELS[repeated], batch_size=10**6, epochs=3)
    weighted.fit(X, LABELS, batch_size=10**6, epochs=3, sample_weight=counts)
    for a, b in zip(twice.model.parameters(), weighted.model.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)
    assert twice.history["loss"] == pytest.approx(weighted.history["loss"], rel=1e-12)
    # A class weight applies to its rows, and multiplies the loss's weight of the class.
    by_class.fit(X, LABELS, batch_size=10**6, epochs=3, class_weight={1: 2.0})
    product = nn.CrossEntropyLoss([0.2, 3.4, 0.9], reduction=reduction)
    own = make_trainer(product, lr=0.001, dtype=np.float64)
    own.fit(X, LABELS, batch_size=10**6, epochs=3)
    assert by_class.history["loss"] == pytest.approx(own.history["loss"], rel=1e-6)


WEIGHTLESS = {
    "ignored": (nn.CrossEntropyLoss(ignore_index=-7), -7, {}),
    "ignored sum": (nn.CrossEntropyLoss(ignore_index=-7, reduction="sum"), -7, {}),
    "ignored smoothed": (nn.CrossEntropyLoss(ignore_index=2, label_smoothing=0.2), 2, {}),
    "class of weight 0": (nn.CrossEntropyLoss([1.0, 2.0, 0.0]), 2, {}),
    "class of weight 0 smoothed": (nn.CrossEntropyLoss([1.0, 2.0, 0.0], label_smoothing=0.2), 2, {}),
    "class weight 0": (nn.CrossEntropyLoss(), 2, {"class_weight": {2: 0.0}}),
    "sample weight 0": (nn.MSELoss(), 0, {"sample_weight": 0}),
    "sample weight 0 of a sum": (nn.MSELoss("sum"), 0, {"sample_weight": 0}),
    "function": (lambda output, y: functional.cross_entropy(output, y, ignore_index=-7), -7, {}),
    "scaled": (lambda output, y: 2 * functional.cross_entropy(output, y, ignore_index=-7), -7, {}),
    "with a penalty": (
        lambda output, y: functional.cross_entropy(output, y, ignore_index=-7) + 0.1 * (output**2).mean(),
        -7,
        {},
    ),
    "two": (
        lambda output, y: (
            functional.cross_entropy(output, y, ignore_index=-7)
            + functional.mse_loss(output, functional.one_hot(np.arange(len(output)) % 3).float())
        ),
        -7,
        {},
    ),
}


def fit_with_empty_batches(name: str, cut: bool, **options):
    """A fit of 6 unshuffled batches, of which the first, third and last have weight 0, or of only the other three."""
    criterion, label, weights = WEIGHTLESS[name]
    weights = dict(weights)
    empty = np.isin(np.arange(180) // 30, [0, 2, 5])
    target = np.where(empty, label, LABELS[:180] % 2)
    if "sample_weight" in weights:
        target, weights["sample_weight"] = NUMBERS[:180], np.where(empty, 0.0, 2.0)
    chosen = ~empty if cut else np.ones(180, bool)
    if "sample_weight" in weights:
        weights["sample_weight"] = weights["sample_weight"][chosen]
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    trainer = nl.Trainer(model, criterion, optimizer, **options.pop("trainer", {}))
    history = trainer.fit(X[:180][chosen], target[chosen], epochs=3, batch_size=30, shuffle=False, **weights, **options)
    return trainer, history


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("name", WEIGHTLESS)
def test_a_batch_of_weight_0_is_like_one_without_rows(name, compile) -> None:
    whole, history = fit_with_empty_batches(name, False, compile=compile)
    cut, expected = fit_with_empty_batches(name, True, compile=compile)
    assert np.isfinite(history["loss"]).all()
    assert history["loss"] == expected["loss"]
    assert whole.model.fingerprint() == cut.model.fingerprint()  # running statistics and random numbers included
    for a, b in zip(whole.model.buffers(), cut.model.buffers(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    momenta = [trainer.optimizer.state_dict()["state"] for trainer in (whole, cut)]
    assert str(momenta[0]) == str(momenta[1])


def test_a_batch_of_weight_0_has_outputs_and_a_loss_for_callbacks() -> None:
    seen = []

    class Recorder(Callback):
        def on_batch_end(self, batch, logs):
            seen.append(np.isnan(logs["loss"]))

    options = {"trainer": {"metrics": ["accuracy"]}}
    watched, history = fit_with_empty_batches("ignored", False, callbacks=[Recorder()], **options)
    assert seen == [True, False, True, False, False, True] * 3
    plain, expected = fit_with_empty_batches("ignored", False, **options)
    assert history.history == expected.history
    assert watched.model.fingerprint() == plain.model.fingerprint()


def test_rows_without_any_weight_have_no_loss() -> None:
    trainer = make_trainer(nn.CrossEntropyLoss(ignore_index=0))
    before = trainer.model.fingerprint()
    for compile in (True, False):
        assert np.isnan(trainer.fit(X, np.zeros(ROWS, np.int64), compile=compile)["loss"]).all()
    assert trainer.model.fingerprint() == before
    assert np.isnan(trainer.evaluate(X, np.zeros(ROWS, np.int64))["loss"])


def test_a_diverging_loss_is_still_an_error() -> None:
    def squared(output, y):
        return functional.cross_entropy(output, y, ignore_index=0) ** 2

    for compile, criterion in itertools.product((True, False), (nn.CrossEntropyLoss(ignore_index=0), squared)):
        trainer = make_trainer(criterion, lr=1e30)
        with pytest.raises(nl.DivergenceError):
            trainer.fit(X, LABELS, epochs=5, compile=compile)


def test_evaluation_excludes_batches_of_weight_0_from_a_custom_loss() -> None:
    def own(output, y):
        return 2 * functional.cross_entropy(output, y, ignore_index=0)

    target = np.where(np.arange(ROWS) < 200, 0, 1 + LABELS % 2)
    trainer = make_trainer(own)
    expected = trainer.evaluate(X[200:], target[200:], batch_size=100)["loss"]
    assert trainer.evaluate(X, target, batch_size=100)["loss"] == expected
    trainer.model = Reads(trainer.model)
    assert trainer.evaluate(X, target, batch_size=100)["loss"] == expected
    assert np.isnan(trainer.evaluate(X[:200], target[:200], batch_size=100)["loss"])


@pytest.mark.parametrize("compile", [True, False])
def test_a_custom_loss_that_handles_empty_batches_gets_them(compile) -> None:
    def own(output, y):
        return functional.cross_entropy(output, y, ignore_index=-7, reduction="sum") + (output**2).mean()

    trainer = make_trainer(own)
    before = trainer.model.fingerprint()
    assert np.isfinite(trainer.fit(X, np.full(ROWS, -7), compile=compile)["loss"]).all()
    assert trainer.model.fingerprint() != before


class Own(nn.Module):
    """A custom loss: all that is known is one number per batch."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, output, target):
        squares = (output - target) ** 2
        return squares.sum() if self.reduction == "sum" else squares.mean()


@pytest.mark.parametrize("reduction", REDUCED)
def test_custom_losses_are_means_of_rows_or_sums(reduction) -> None:
    trainer, builtin = make_trainer(Own(reduction), lr=0.0), make_trainer(nn.MSELoss(reduction), lr=0.0)
    expected = builtin.evaluate(X, NUMBERS)["loss"]
    reading = make_trainer(Own(reduction))
    reading.model = Reads(reading.model)
    for batch_size in (1, 7, 128, 1000):
        figure = trainer.evaluate(X, NUMBERS, batch_size=batch_size)["loss"]
        assert figure == pytest.approx(expected, rel=1e-5)
        assert reading.evaluate(X, NUMBERS, batch_size=batch_size)["loss"] == figure
    histories = [trainer.fit(X, NUMBERS, batch_size=100, compile=compile)["loss"] for compile in (True, False)]
    assert histories[0] == pytest.approx([expected], rel=1e-5)
    assert histories[1] == pytest.approx([expected], rel=1e-5)


@pytest.mark.parametrize("compile", [True, False])
def test_weights_need_a_known_loss(compile) -> None:
    with pytest.raises(TypeError, match="sample_weight and class_weight"):
        make_trainer(Own("mean")).fit(X, NUMBERS, sample_weight=WEIGHTS, compile=compile)

    class Half(nn.MSELoss):
        def forward(self, x, target):
            return super().forward(x, target) * 0.5

    trainer = make_trainer(Half())
    before = trainer.model.fingerprint()
    with pytest.raises(TypeError, match="unchanged, reduced"):
        trainer.fit(X, NUMBERS, sample_weight=WEIGHTS, compile=compile)
    assert trainer.model.fingerprint() == before
    with pytest.raises(TypeError, match="unchanged, reduced"):
        trainer.evaluate(X, NUMBERS, sample_weight=WEIGHTS)


@pytest.mark.parametrize("compile", [True, False])
def test_weights_work_with_functions_that_return_a_known_loss(compile) -> None:
    class Wrapped(nn.Module):
        def forward(self, x, target):
            return functional.mse_loss(x, target)

    prints = set()
    for criterion in (nn.MSELoss(), functional.mse_loss, lambda x, target: functional.mse_loss(x, target), Wrapped()):
        trainer = make_trainer(criterion)
        history = trainer.fit(X, NUMBERS, sample_weight=WEIGHTS, compile=compile)
        prints.add((trainer.model.fingerprint(), history["loss"][0]))
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ({"0": 2.0}, "a class of class_weight must be a number, got '0'"),
        ({0: None}, "of class 0 must be a number, got None"),
    ],
)
def test_class_weights_are_numbers(weights, match) -> None:
    with pytest.raises(TypeError, match=match):
        make_trainer(nn.CrossEntropyLoss()).fit(X, LABELS, class_weight=weights)


def test_each_position_has_its_loss() -> None:
    """Classes along a second dimension, (N, C, d): each position counts as a row."""

    class Places(nn.Linear):
        def forward(self, x):
            return super().forward(x).reshape(-1, 3, 5)

    nl.manual_seed(0)
    model = Places(4, 15)
    target = np.where(RNG.random((ROWS, 5)) < 0.3, -100, RNG.integers(0, 3, (ROWS, 5)))
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(CLASS_WEIGHT), optim.SGD(model.parameters(), lr=0.1))
    figures = {trainer.evaluate(X, target, batch_size=b)["loss"] for b in (1, 10, 1000)}
    with nl.no_grad():
        assert figures == {trainer.criterion(model(X), target).item()}
    weighted = {trainer.evaluate(X, target, batch_size=b, sample_weight=WEIGHTS)["loss"] for b in (1, 10, 1000)}
    assert len(weighted) == 1
    trainer.fit(X, target, sample_weight=WEIGHTS)
    trainer.fit(X, target, sample_weight=WEIGHTS, compile=False)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_loss_of_integers_is_refused(eagerly) -> None:
    model = nn.Linear(2, 3)
    trainer = nl.Trainer(
        model, lambda output, target: (output.argmax(1) != target).sum(), optim.SGD(model.parameters(), lr=0.1)
    )
    x, y = np.ones((4, 2), np.float32), np.array([0, 1, 2, 0])
    with pytest.raises(TypeError, match="a loss must be float32 or float64, got int64"):
        trainer.fit(x, y, compile=False, progress=False) if eagerly else trainer.evaluate(x, y)
