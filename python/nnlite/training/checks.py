"""Checks of a fit, before anything changes."""

from __future__ import annotations

import warnings

from .capture import Programs, Step
from .evaluation import Evaluation
from .plan import Plan
from .rows import check_labels, is_class_loss
from .state import TrainingState


def require_trainable(state: TrainingState, shown: list[str]) -> list[str]:
    """ValueError if there is nothing to train; returns the parameters that the optimizer lacks, after a warning unless `shown`."""
    known = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
    own = [p for p in state.model.parameters() if p.requires_grad]
    if not own:
        raise ValueError("there is nothing to train: no parameter of the model requires a gradient")
    held = sum([id(p) in known for p in own])
    if held == 0:
        raise ValueError("the optimizer holds none of the model's parameters; make it from model.parameters()")
    if held == len(own):
        return shown
    left = [name for name, p in state.model.named_parameters() if p.requires_grad and id(p) not in known]
    if left != shown:
        warnings.warn(
            f"the optimizer does not hold {_listed(left)}, so fit leaves {'it' if len(left) == 1 else 'them'} "
            "unchanged; add to the optimizer what should be trained, and freeze the rest by requires_grad_(False)",
            stacklevel=3,
        )
    return left


def check_plan(state: TrainingState, evaluation: Evaluation, plan: Plan, eager: bool) -> Programs | None:
    """Checks that need a pass through the model; returns what it recorded."""
    programs = None
    if not eager:
        step = Step(state.model, state.criterion, state.optimizer, plan.clipping)
        programs = evaluation.capture.programs(step, plan.in_batches, plan.batch_size)
        check_labels(state.criterion, plan.rows.target, programs.row_shape)
        evaluation.check_metrics(plan.rows, programs.row_shape, programs.dtype)
    elif plan.rows.weight is not None:
        evaluation.outputs(plan.rows.select(slice(0, 1)), 1)  # the criterion must be one that takes weights
    if plan.validation is not None:
        outputs, _ = evaluation.outputs(plan.validation.select(slice(0, 1)), 1)
        check_labels(state.criterion, plan.validation.target, outputs.shape[1:], "validation ")
        evaluation.check_metrics(plan.validation, outputs.shape[1:], outputs.dtype)
    return programs


def rows_are_checked(state: TrainingState, programs: Programs, plan: Plan) -> bool:
    """Whether no batch can be bad once the fit runs: a loss of one's own may refuse labels, a layer indices."""
    rows = plan.rows
    labels = rows.target is None or rows.target.dtype.kind == "f" or is_class_loss(state.criterion)
    return programs.is_own and labels and all(array.dtype.kind == "f" for array in rows.inputs)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
