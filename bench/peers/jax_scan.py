"""JAX: an epoch of shuffled minibatches as one jitted scan whose parameters are donated; Adam is optax's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nnlite.bench.functions import Function
from nnlite.bench.networks import CROSS_ENTROPY, LEARNING_RATES, Network
from nnlite.bench.prediction import Prediction
from nnlite.bench.products import Product
from nnlite.bench.results import Subject
from nnlite.bench.steps import Step
from nnlite.bench.timing import Repeat, repeated

NAME = "JAX"
Value = Any  # JAX's arrays and trees of them

_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "exp": jnp.exp, "log": jnp.log, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "erf": jax.scipy.special.erf,
    "relu": jax.nn.relu, "gelu": lambda x: jax.nn.gelu(x, approximate=False), "gelu_tanh": jax.nn.gelu,
    "silu": jax.nn.silu, "softplus": jax.nn.softplus, "elu": jax.nn.elu, "sqrt": jnp.sqrt,
}  # fmt: skip


def prepare(threads: int, quick: bool) -> str | None:
    """Enables float64 for the products; the environment sets the threads before JAX is imported."""
    jax.config.update("jax_enable_x64", True)
    return None


def contestants(subject: Subject) -> Mapping[str, Repeat]:
    """Products, functions, steps and predictions."""
    if isinstance(subject, Product):
        return {NAME: _product(subject)}
    if isinstance(subject, Function):
        function, argument = jax.jit(_FUNCTIONS[subject.function]), jnp.asarray(subject.argument())
        return {NAME: repeated(lambda: function(argument).block_until_ready())}
    if isinstance(subject, Prediction):
        return {NAME: _prediction(subject)}
    if isinstance(subject, Step) and subject.section != "threads":
        return {NAME: _epoch(subject)}
    return {}


def _product(subject: Product) -> Repeat:
    a, b = (jnp.asarray(stored) for stored in subject.operands())
    contracted = {"NN": (1, 0), "NT": (1, 1), "TN": (0, 0)}[subject.form]
    dimensions = (((contracted[0],), (contracted[1],)), ((), ()))
    product = jax.jit(lambda left, right: jax.lax.dot_general(left, right, dimensions))
    return repeated(lambda: product(a, b).block_until_ready())


def _forward(network: Network, parameters: Value, x: Value) -> Value:
    activation = jnp.tanh if network.activation == "Tanh" else jax.nn.relu
    for weight, bias in parameters[:-1]:
        x = activation(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def _parameters(network: Network) -> Value:
    return [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in network.weights()]


def _prediction(subject: Prediction) -> Repeat:
    network, parameters = subject.network, _parameters(subject.network)
    x = network.data(subject.rows)[0]
    forward = jax.jit(lambda values, rows: _forward(network, values, rows))

    def work() -> Value:
        return jax.device_get(forward(parameters, x))

    return repeated(work)


def _optimizer(name: str) -> Any:
    rate = LEARNING_RATES[name]
    return optax.sgd(rate) if name == "SGD" else optax.adam(rate)


def _epoch(subject: Step) -> Repeat:
    network, optimizer = subject.network, _optimizer(subject.optimizer)
    x, y = (jnp.asarray(array) for array in network.data(subject.batch * subject.steps))

    def loss(parameters: Value, xb: Value, yb: Value) -> Value:
        output = _forward(network, parameters, xb)
        if network.loss != CROSS_ENTROPY:
            return jnp.mean((output - yb) ** 2)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(output), yb[:, None], axis=1)
        return -jnp.mean(chosen)

    def step(trained: Value, rows: Value) -> tuple[Value, Value]:
        parameters, moments = trained
        value, gradients = jax.value_and_grad(loss)(parameters, x[rows], y[rows])
        updates, moments = optimizer.update(gradients, moments, parameters)
        return (optax.apply_updates(parameters, updates), moments), value

    def epoch(trained: Value, key: Value) -> tuple[Value, Value, Value]:
        key, own = jax.random.split(key)
        order = jax.random.permutation(own, jnp.arange(len(x), dtype=jnp.int32))
        trained, losses = jax.lax.scan(step, trained, order.reshape(subject.steps, subject.batch))
        return trained, key, losses.mean()

    compiled = jax.jit(epoch, donate_argnums=(0, 1))
    parameters = _parameters(network)
    state = [(parameters, optimizer.init(parameters)), jax.random.key(0)]

    def run(epochs: int) -> None:
        for _ in range(epochs):
            *state[:], value = compiled(*state)
        value.block_until_ready()

    return run
