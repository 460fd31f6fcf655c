"""NumPy by hand: what a careful programmer writes without a training library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnlite.bench.functions import Function
from nnlite.bench.networks import CROSS_ENTROPY, LEARNING_RATES, Network
from nnlite.bench.prediction import Prediction
from nnlite.bench.products import Product
from nnlite.bench.results import Subject
from nnlite.bench.steps import Step
from nnlite.bench.timing import Repeat, repeated

NAME = "NumPy"
Array = np.ndarray[Any, Any]

_FUNCTIONS = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt}


def prepare(threads: int, quick: bool) -> str | None:
    """Nothing to set up: the environment sets OpenBLAS's threads before NumPy is imported."""
    return None


def contestants(subject: Subject) -> Mapping[str, Repeat]:
    """Products, steps, predictions and the functions that NumPy has."""
    if isinstance(subject, Product):
        return {NAME: repeated(_product(subject))}
    if isinstance(subject, Step) and subject.section != "threads" and subject.optimizer == "SGD":
        return {NAME: repeated(_epoch(subject))}
    if isinstance(subject, Prediction):
        weights, x = subject.network.weights(), subject.network.data(subject.rows)[0]
        return {NAME: repeated(lambda: _forward(subject.network, weights, x)[-1])}
    if isinstance(subject, Function) and subject.function in _FUNCTIONS:
        function, argument = _FUNCTIONS[subject.function], subject.argument()
        return {NAME: repeated(lambda: function(argument))}
    return {}


def _product(subject: Product) -> Callable[[], object]:
    a, b = subject.operands()
    left, right = (a.T if subject.form == "TN" else a), (b.T if subject.form == "NT" else b)
    out = np.empty((subject.m, subject.n), subject.dtype)
    return lambda: np.matmul(left, right, out=out)


def _forward(network: Network, weights: list[tuple[Array, Array]], x: Array) -> list[Array]:
    """The inputs of each layer and the last one's output."""
    values = [x]
    for at, (weight, bias) in enumerate(weights):
        value = values[-1] @ weight
        value += bias
        if at < len(weights) - 1:
            np.tanh(value, out=value) if network.activation == "Tanh" else np.maximum(value, 0, out=value)
        values.append(value)
    return values


def _loss_gradient(network: Network, output: Array, target: Array) -> Array:
    if network.loss != CROSS_ENTROPY:
        difference: Array = (output - target) * np.float32(2 / output.size)
        return difference
    shares: Array = np.exp(output - output.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    shares[np.arange(len(target)), target] -= 1
    shares /= np.float32(len(target))
    return shares


def _epoch(subject: Step) -> Callable[[], None]:
    network, rate = subject.network, np.float32(LEARNING_RATES["SGD"])
    x, y = network.data(subject.batch * subject.steps)
    weights = network.weights()
    rng = np.random.default_rng(0)

    def epoch() -> None:
        order = rng.permutation(len(x))
        for begin in range(0, len(x), subject.batch):
            rows = order[begin : begin + subject.batch]
            values = _forward(network, weights, x[rows])
            gradient = _loss_gradient(network, values[-1], y[rows])
            for at in reversed(range(len(weights))):
                (weight, bias), value = weights[at], values[at]
                weight_gradient, bias_gradient = value.T @ gradient, gradient.sum(0)
                if at:
                    gradient = gradient @ weight.T
                    gradient *= 1 - value * value if network.activation == "Tanh" else value > 0
                weight -= rate * weight_gradient
                bias -= rate * bias_gradient

    return epoch
