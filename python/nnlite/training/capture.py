"""Recording a model's step as native programs."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import CaptureError, Program, Tensor, Trace, Watch
from ..autograd.grad_mode import enable_grad, no_grad
from ..nn import Module
from ..optim import Optimizer
from .clipping import NO_CLIPPING, Clipping
from .loss import RecordedLoss, SingleLosses, recorded_loss, step_loss
from .python_state import PythonState
from .rows import Rows, check_labels, input_dtypes
from .state import EpochReads

_KEPT = 16  # programs; each holds the buffers of a batch
_WAY_OUT = "pass compile=False to run it operation by operation"


class Step(NamedTuple):
    """What a program does with a batch: the model's output; with a criterion the loss; with an optimizer a clipped update."""

    model: Module
    criterion: Callable[..., Any] | None = None
    optimizer: Optimizer | None = None
    clipping: Clipping = NO_CLIPPING

    def kind(self) -> tuple[bool, bool]:
        """Whether it computes a loss, and whether it trains."""
        return self.criterion is not None, self.optimizer is not None

    def roots(self) -> list[Any]:
        """The objects whose Python code runs."""
        return [part for part in (self.model, self.criterion, self.optimizer) if part is not None]


class Programs(NamedTuple):
    """Programs by number of rows, and the shape and type of a row of output."""

    by_rows: dict[int, Program]
    row_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    follows_epochs: bool  # the step read what changes from epoch to epoch
    single: SingleLosses | None  # in evaluation, of the batches of the first program
    is_sum: bool  # the losses of batches are added
    is_own: bool  # all code of the step is nnlite's, and it depends on nothing but what the modules hold


def run_model(model: Module, inputs: Sequence[Any], rows: int) -> Tensor:
    """The model's output for a batch; ValueError unless it has one row for each row of input."""
    output = model(*inputs)
    if not isinstance(output, Tensor) or output.ndim == 0 or output.shape[0] != rows:
        kind = f"shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"the model must return a tensor with one row for each of {rows} inputs, got {kind} (pass a single row "
            "as x[None])"
        )
    return output


class TracedStep(NamedTuple):
    """One pass through a step, recorded by shapes."""

    trace: Trace
    inputs: list[Tensor]
    output: Tensor
    loss: RecordedLoss

    def signature(self) -> str:
        """Equal for two passes that do the same."""
        return self.trace.signature([self.output, self.loss.tensor, *self.loss.kept()])


def record(step: Callable[[list[Tensor]], tuple[Tensor, RecordedLoss]], shapes: Any, dtypes: Any) -> TracedStep:
    """Calls `step` with inputs of these shapes and types that hold no values."""
    trace = Trace()
    inputs = [trace.placeholder(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    with trace:
        output, loss = step(inputs)
    return TracedStep(trace, inputs, output, loss)


@contextmanager
def undone_on_failure(*roots: Any) -> Iterator[PythonState]:
    """The Python state behind `roots`, restored if recording fails."""
    before = PythonState(roots)
    try:
        yield before
    except BaseException:
        before.restore()
        raise


def confirm(first: TracedStep, again: Callable[[], TracedStep], *roots: Any) -> None:
    """CaptureError unless a second pass repeats the first and neither changes any state."""
    before = PythonState(roots)
    if again().signature() != first.signature():
        raise CaptureError(
            "two passes through the model differ (random numbers from NumPy, a counter, a changing "
            f"attribute?), so the step cannot be captured; {_WAY_OUT}"
        )
    changed = before.changes()
    if changed:
        raise CaptureError(
            f"every pass through the model or the criterion changes {', '.join(changed[:3])}; a captured step runs its "
            f"Python code once, not for every batch, so it cannot be captured; {_WAY_OUT}"
        )
    for root in roots:
        _require_own_values(root)


def _require_own_values(root: Any) -> None:
    """A buffer that the forward pass replaced would hold no value after it."""
    if not isinstance(root, Module):
        return
    for name, tensor in [*root.named_buffers(), *root.named_parameters()]:
        if _core.is_traced(tensor):
            raise CaptureError(
                f"the forward pass replaces {name!r} of {type(root).__name__} with a computed tensor, which a captured "
                f"step cannot carry from batch to batch; {_WAY_OUT}"
            )


def _require_no_arrays_of(program: Program, state: PythonState) -> None:
    """What NumPy reads and writes is not recorded."""
    arrays = state.arrays_within(program.changing)
    if arrays:
        raise CaptureError(
            f"{arrays[0]} is a NumPy array that shares memory with a tensor that the step changes (a parameter, a "
            f"running statistic), so the step cannot be captured; copy() it, or {_WAY_OUT}"
        )


class _Settled(NamedTuple):
    """Programs that serve as long as a step's modules, all of nnlite, hold what they held and its groups are the same."""

    step: Step
    groups: list[int]  # their serial numbers
    watch: Watch
    programs: OrderedDict[Any, Programs | None]  # None: asked for once

    def keep(self, key: Any, programs: Programs | None) -> None:
        """Adds the programs for rows of some kind."""
        self.programs[key] = programs
        while len(self.programs) > _KEPT:
            self.programs.popitem(last=False)

    def serves(self, step: Step, groups: list[int]) -> bool:
        """Whether that step does the same."""
        own = self.step
        same = own.model is step.model and own.criterion is step.criterion and self.groups == groups
        return same and self.watch.holds() and not _core.has_gradient_hooks()  # a parameter's would go unnoticed


class Capture:
    """The programs of a step, recorded when first needed and again when the step has changed."""

    def __init__(self, epoch_reads: EpochReads) -> None:
        self._known: OrderedDict[Any, _Known] = OrderedDict()
        self._settled: dict[tuple[bool, bool], _Settled] = {}  # by kind of step
        self._epoch_reads = epoch_reads
        self._depends = False  # the step read what may change although its modules hold the same
        self._follows_epochs = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": OrderedDict(), "_settled": {}}  # a copy records its own programs

    def programs(self, step: Step, rows: Rows, batch_size: int) -> Programs:
        """A program for the full batches of `rows` and one for the last partial batch, if there are any."""
        settled, key = self._find(step, rows, batch_size)
        known = settled.programs.get(key)
        if known is not None:
            return known
        programs = self._recorded(step, rows, {size for size in key[0] if size}, settled.watch)
        if programs.is_own:
            settled.keep(key, programs)
        return programs

    def repeats(self, step: Step, rows: Rows, batch_size: int) -> bool:
        """Whether nnlite's own step has been asked for with such rows before, so that recording it will pay."""
        settled, key = self._find(step, rows, batch_size)
        if key not in settled.programs:
            settled.keep(key, None)
            return False
        return settled.watch.holds()

    def _find(self, step: Step, rows: Rows, batch_size: int) -> "tuple[_Settled, Any]":
        groups = [] if step.optimizer is None else [group.serial for group in step.optimizer.native_groups()]
        count = len(rows)
        sizes = (batch_size if count >= batch_size else 0, count % batch_size)
        settled = self._settled.get(step.kind())
        if settled is None or not settled.serves(step, groups):
            watch = Watch([part for part in (step.model, step.criterion) if part is not None])
            settled = self._settled[step.kind()] = _Settled(step, groups, watch, OrderedDict())
        return settled, (sizes, step.clipping.norm, step.clipping.value, rows.kinds)

    def _recorded(self, step: Step, rows: Rows, sizes: set[int], watch: Watch) -> Programs:
        self._depends = self._follows_epochs = False
        with undone_on_failure(*step.roots()) as before:
            found = {size: self._program(step, rows, size, before, watch) for size in sizes}
        output, loss = next((known.output, known.loss) for known in found.values())
        if any((known.loss.single is None) != (loss.single is None) for known in found.values()):
            raise CaptureError(f"the criterion returns row losses for some batch sizes only; {_WAY_OUT}")
        return Programs(
            {size: known.program for size, known in found.items()},
            output.shape[1:],
            output.dtype,
            self._follows_epochs,
            loss.single,
            loss.is_sum,
            is_own=watch.holds() and not self._depends,
        )

    def _program(self, step: Step, rows: Rows, size: int, before: PythonState, watch: Watch) -> "_Known":
        """Recording is cheap and shows whether the step has changed; plans are kept."""
        dtypes = input_dtypes(step.model, step.criterion, rows)
        shapes = [(size, *array.shape[1:]) for array in rows.arrays()]
        key = (*step.kind(), step.clipping, len(rows.inputs), tuple(shapes), tuple(dtype.str for dtype in dtypes))
        groups = [] if step.optimizer is None else step.optimizer.native_groups()
        serials = [group.serial for group in groups]

        def traced() -> TracedStep:
            return self._trace(step, rows, shapes, dtypes)

        known = self._known.pop(key, None)
        first = traced()
        signature = first.signature()
        is_known = known is not None and known.signature == signature and known.groups == serials
        if not watch.holds() and (not is_known or before.changes()):  # nnlite's own code repeats itself
            confirm(first, traced, *step.roots())
        if known is None or not is_known:
            program = Program(
                first.trace,
                first.inputs,
                first.output,
                first.loss.tensor,
                groups,
                first.loss.kept(),
                step.clipping.norm,
                step.clipping.value,
            )
            known = _Known(signature, serials, program, first.output, first.loss)
        _require_no_arrays_of(known.program, before)
        self._known[key] = known
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known

    def _trace(self, step: Step, rows: Rows, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any]) -> TracedStep:
        count, training = len(rows.inputs), step.optimizer is not None

        def run(inputs: list[Tensor]) -> tuple[Tensor, RecordedLoss]:
            output = run_model(step.model, inputs[:count], shapes[0][0])
            if step.criterion is None:
                return output, RecordedLoss()
            weight = inputs[count + 1] if rows.weight is not None else None
            return output, recorded_loss(step.criterion, output, inputs[count], weight, training)

        self._epoch_reads.seen = False
        try:
            with enable_grad() if training else no_grad():
                traced = record(run, shapes, dtypes)
        finally:
            self._follows_epochs |= self._epoch_reads.seen
            self._depends |= self._epoch_reads.seen
        self._depends |= traced.trace.reads_values
        return traced


class _Known(NamedTuple):
    signature: str
    groups: list[int]  # their serial numbers
    program: Program
    output: Tensor
    loss: RecordedLoss


def eager_batch(
    model: Module, criterion: Any, rows: Rows, chosen: Any, check_all: bool = False
) -> tuple[Tensor, Tensor]:
    """(output, loss) of the rows `chosen`, operation by operation; `check_all` checks all other labels too."""
    batch = rows.select(chosen)
    dtypes = input_dtypes(model, criterion, batch)
    tensors = [Tensor(array, dtype) for array, dtype in zip(batch.arrays(), dtypes, strict=True)]
    count = len(batch.inputs)
    output = run_model(model, tensors[:count], len(batch))
    if check_all:
        check_labels(criterion, rows.target, output.shape[1:])
    weight = tensors[count + 1] if batch.weight is not None else None
    return output, step_loss(criterion, output, tensors[count], weight)
