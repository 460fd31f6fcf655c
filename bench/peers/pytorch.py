"""PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from nnlite.bench.calls import EVALUATE, FIT, Call, Epoch
from nnlite.bench.functions import Function
from nnlite.bench.kernels import Kernel, Operands, gather_batch
from nnlite.bench.networks import LEARNING_RATES
from nnlite.bench.prediction import Prediction
from nnlite.bench.products import Product
from nnlite.bench.results import Subject
from nnlite.bench.steps import Step
from nnlite.bench.timing import Repeat, repeated

NAME, FUSED, FOREACH, COMPILED = "PyTorch", "PyTorch fused", "PyTorch foreach", "torch.compile"
Work = Callable[[], object]
Loss = Callable[[torch.Tensor, torch.Tensor], Any]

F = torch.nn.functional
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exp": torch.exp, "log": torch.log, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "relu": F.relu,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
    "elu": F.elu, "sqrt": torch.sqrt,
}  # fmt: skip

_compiles = True


def prepare(threads: int, quick: bool) -> str | None:
    """Sets the threads; a quick run omits torch.compile, which is slow."""
    global _compiles
    torch.set_num_threads(threads)
    _compiles = not quick
    return None


def contestants(subject: Subject) -> Mapping[str, Repeat]:
    """Every subject; compiled steps only in the section `steps`, because each takes half a minute to compile."""
    if isinstance(subject, Product):
        return {NAME: _without_gradient(_product(subject))}
    if isinstance(subject, Function):
        function, argument = FUNCTIONS[subject.function], torch.from_numpy(subject.argument())
        return {NAME: _without_gradient(lambda: function(argument))}
    if isinstance(subject, Kernel):
        return {NAME: _without_gradient(_kernel(subject))}
    if isinstance(subject, Prediction):
        model = subject.network.model(torch.nn).eval()
        x = subject.network.data(subject.rows)[0]
        return {NAME: _without_gradient(lambda: model(torch.from_numpy(x)).numpy())}
    if isinstance(subject, Call) and subject.what != FIT:
        return {NAME: _without_gradient(_call(subject))}
    if isinstance(subject, Call | Epoch):
        return {NAME: repeated(_epoch_of(subject))}
    if isinstance(subject, Step) and subject.section != "threads":
        found = {NAME: repeated(_epoch(subject))}
        if subject.optimizer != "SGD":
            found[FUSED] = repeated(_epoch(subject, fused=True))
            found[FOREACH] = repeated(_epoch(subject, foreach=True))
        if subject.section == "steps" and _compiles:
            found[COMPILED] = repeated(_epoch(subject, torch.compile))
        return found
    return {}


def _without_gradient(work: Work) -> Repeat:
    run = repeated(work)

    def inside(times: int) -> None:
        with torch.inference_mode():
            run(times)

    return inside


def _product(subject: Product) -> Work:
    a, b = (torch.from_numpy(stored) for stored in subject.operands())
    left, right = (a.T if subject.form == "TN" else a), (b.T if subject.form == "NT" else b)
    out = torch.empty((subject.m, subject.n), dtype=a.dtype)
    return lambda: torch.mm(left, right, out=out)


def _kernel(subject: Kernel) -> Work:
    operands = Operands.of(subject.rows, subject.columns)
    x, shares = torch.from_numpy(operands.x), torch.from_numpy(operands.probabilities)
    labels = torch.from_numpy(operands.labels)
    works: dict[str, Work] = {
        "softmax cross-entropy": lambda: F.cross_entropy(x, labels),
        "softmax": lambda: x.softmax(1),
        "log_softmax": lambda: x.log_softmax(1),
        "layer_norm": lambda: F.layer_norm(x, x.shape[1:]),
        "mse_loss": lambda: F.mse_loss(x, shares),
        "l1_loss": lambda: F.l1_loss(x, shares),
        "huber_loss": lambda: F.huber_loss(x, shares),
        "smooth_l1_loss": lambda: F.smooth_l1_loss(x, shares),
        "binary_cross_entropy": lambda: F.binary_cross_entropy(shares, shares),
        "binary_cross_entropy_with_logits": lambda: F.binary_cross_entropy_with_logits(x, shares),
        "kl_div": lambda: F.kl_div(x, shares, reduction="sum"),
        "sum over rows": lambda: x.sum(0),
        "sum over columns": lambda: x.sum(1),
        "sum of all": lambda: x.sum(),
        "maximum over columns": lambda: x.amax(1),
        "SGD update": _update(x, 0.0),
        "SGD update with momentum": _update(x, 0.9),
        "gather of shuffled rows": _gather(x),
    }
    return works[subject.kernel]


def _update(x: torch.Tensor, momentum: float) -> Work:
    weight = torch.nn.Parameter(x.clone())
    weight.grad = torch.full_like(x, 1e-6)
    return torch.optim.SGD([weight], lr=1e-3, momentum=momentum).step


def _gather(x: torch.Tensor) -> Work:
    def work() -> None:
        for rows in torch.randperm(len(x)).chunk(len(x) // gather_batch(len(x))):
            x.index_select(0, rows)

    return work


def _call(subject: Call) -> Work:
    """One batch in evaluation mode: its loss, or its outputs."""
    network = subject.network
    model, criterion = network.model(torch.nn).eval(), network.criterion(torch.nn)
    x, y = network.data(subject.rows)
    if subject.what == EVALUATE:
        return lambda: criterion(model(torch.from_numpy(x)), torch.from_numpy(y)).item()
    return lambda: model(torch.from_numpy(x)).numpy()


def _epoch_of(subject: Call | Epoch) -> Work:
    """A training loop over shuffled batches, and after it what the subject asks for."""
    network = subject.network
    x, y = (torch.from_numpy(array) for array in network.data(subject.rows))
    validation = [torch.from_numpy(array) for array in network.data(50)]
    model, criterion = network.model(torch.nn), network.criterion(torch.nn)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATES["SGD"])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10**9)
    between = subject.between if isinstance(subject, Epoch) else "nothing"

    def evaluated() -> float:
        model.eval()
        with torch.no_grad():
            loss: float = criterion(model(validation[0]), validation[1]).item()
        model.train()
        return loss

    def epoch() -> None:
        right = torch.zeros(())
        for rows in torch.split(torch.randperm(len(x)), subject.batch):
            optimizer.zero_grad()
            output, target = model(x[rows]), y[rows]
            criterion(output, target).backward()
            optimizer.step()
            if between == "a metric":
                right += (output.argmax(1) == target).sum()
        if between == "a schedule":
            schedule.step()
        elif between == "a metric":
            right.item()
        elif between in ("validation", "early stopping"):
            evaluated()

    return epoch


def _epoch(subject: Step, compiled: Callable[[Loss], Loss] = lambda loss: loss, **options: bool) -> Work:
    """An epoch of a training loop; each batch is one indexing operation."""
    network = subject.network
    x, y = (torch.from_numpy(array) for array in network.data(subject.batch * subject.steps))
    model, criterion = network.model(torch.nn), network.criterion(torch.nn)
    kind, rate = getattr(torch.optim, subject.optimizer), LEARNING_RATES[subject.optimizer]
    optimizer = kind(model.parameters(), lr=rate, **options)

    def loss_of(xb: torch.Tensor, yb: torch.Tensor) -> Any:
        return criterion(model(xb), yb)

    step_loss = compiled(loss_of)

    def epoch() -> None:
        for rows in torch.randperm(len(x)).chunk(subject.steps):
            optimizer.zero_grad()
            step_loss(x[rows], y[rows]).backward()
            optimizer.step()

    return epoch
