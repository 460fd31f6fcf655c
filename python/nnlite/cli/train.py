"""`nnlite train`."""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from ..data.scaling import Source
from ..data.sources import describe_readers, is_table, load_source
from ..files.architecture import describe_model
from ..metrics import METRICS, confusion_matrix, predicted_classes
from ..nn import MLP, Flatten, Module, Sequential, activations, composed
from ..nn.losses import LOSSES
from ..optim import OPTIMIZERS, Optimizer
from ..training import Trainer
from ..training.history import History
from .arguments import count, not_negative, seed, share, sizes
from .outputs import completed_epochs, keep_interrupted, require_outputs, require_picture, require_resumable, save_model
from .streams import emit, json_text, one_line, say
from .tables import add_column_options, add_format_options, format_of, notation_of

Array = np.ndarray[Any, Any]

_ACTIVATIONS = activations.ELEMENTWISE | composed.ELEMENTWISE

# Option: type, default, name of the value, help.
_OPTIONS: dict[str, tuple[Callable[[str], Any], Any, str, str]] = {
    "--target": (str, None, "COLUMN", "the column of a table to predict (the last one)"),
    "--hidden": (sizes, "128,64", "N,N", "sizes of the hidden layers (%(default)s)"),
    "--lr": (not_negative, None, "X", "learning rate (0.05 for sgd, else PyTorch's default)"),
    "--momentum": (not_negative, None, "X", "momentum, for sgd (0.9) and rmsprop (0)"),
    "--weight-decay": (not_negative, 0.0, "X", "weight decay (%(default)s)"),
    "--epochs": (count, 50, "N", "passes over the rows (%(default)s)"),
    "--batch-size": (count, 32, "N", "rows per step (%(default)s)"),
    "--validation-split": (share, 0.2, "X", "share of the rows held out, unless DATA has a test set (%(default)s)"),
    "--seed": (seed, 0, "N", "seed for weights, split and row order (%(default)s)"),
    "--threads": (count, None, "N", "threads to use (all usable cores)"),
    "--save": (str, None, "FILE", "write the trained model (safetensors)"),
    "--plot": (str, None, "FILE", "write the curves as a picture (needs the extra plot)"),
    "--checkpoint": (str, None, "FOLDER", "save the training's state there, for --resume"),
}
_PROGRESS: dict[str, bool | str | None] = {"auto": None, "bar": True, "plain": "lines", "none": False}


def add_train(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description=f"Train a multi-layer perceptron. DATA is {describe_readers()}.",
    )
    parser.add_argument("data", nargs="?", default="spirals", metavar="DATA", help="what to train on (%(default)s)")
    for name, (kind, default, metavar, text) in _OPTIONS.items():
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=text)
    parser.add_argument("--activation", choices=_ACTIVATIONS, default="relu", help="between the layers (%(default)s)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd", help="what updates the weights (%(default)s)")
    parser.add_argument("--loss", choices=["auto", *LOSSES], default="auto", help="auto: cross_entropy or mse")
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help=f"also report (repeatable): {', '.join(METRICS)}",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint, if it holds a state")
    parser.add_argument("--overwrite", action="store_true", help="let --save or --plot replace DATA itself")
    parser.add_argument(
        "--progress", choices=_PROGRESS, default="auto",
        help="auto: a bar on a terminal; plain: a line per epoch (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress: --progress none")
    add_format_options(parser)
    add_column_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Trains, reports, saves and plots as told."""
    if options.plot is not None:
        options.plot = require_picture(options.plot)
    require_outputs({"--save": options.save, "--plot": options.plot}, [options.data], options.overwrite)
    require_resumable(options.checkpoint, options.resume)
    if options.target is not None and not is_table(options.data):
        raise ValueError(f"--target names a column of a CSV file; {options.data} is not one")
    if options.threads is not None:
        _core.set_num_threads(options.threads)
    source = _source(options)
    rows, held_out = (source.x, source.y), source.test
    if held_out is None and options.validation_split > 0:
        raise ValueError(
            f"--validation-split {options.validation_split} of {len(source.x)} rows holds out none; --validation-split 0 trains on "
            "all of them"
        )
    _core.manual_seed(options.seed)
    model, criterion = _model_for(source, options)
    metrics = list(dict.fromkeys((["accuracy"] if source.is_classification else []) + options.metric))
    trainer = Trainer(model, criterion, _optimizer_for(model, options), metrics, options.seed)
    if not options.json:
        tested = len(held_out[0]) if held_out else 0
        emit(f"{source.name}: {len(rows[0])} rows to train on, {tested} held out\n{model}")
    metadata = _metadata(source, model, criterion)
    earlier = completed_epochs(options.checkpoint) if options.resume else 0
    start = time.perf_counter()
    history = _fit(trainer, rows, held_out, metadata, options)
    seconds = time.perf_counter() - start
    result = _result(source, trainer, metrics, history, held_out, seconds, len(rows[0]) * (len(history) - earlier))
    try:
        _report(result, metrics, options)
    finally:  # a lost reader or a failed picture must not cost the model
        if options.save:
            save_model(options.save, model, metadata)
            _say(f"model saved to {options.save}", options)
    if options.plot:
        _plot(options.plot, source, trainer, history)
        _say(f"curves saved to {options.plot}", options)
    return 0


def _optimizer_for(model: Module, options: argparse.Namespace) -> Optimizer:
    given = {"lr": options.lr, "momentum": options.momentum, "weight_decay": options.weight_decay}
    settings: dict[str, Any] = {"lr": 0.05, "momentum": 0.9} if options.optimizer == "sgd" else {}
    settings |= {name: value for name, value in given.items() if value is not None}
    try:
        return OPTIMIZERS[options.optimizer](model.parameters(), **settings)
    except TypeError:
        raise ValueError(f"--optimizer {options.optimizer} has no momentum; leave out --momentum") from None


def _fit(
    trainer: Trainer, rows: Sequence[Array], held_out: Any, metadata: dict[str, Any], options: argparse.Namespace
) -> History:
    before = trainer.model.fingerprint()
    try:
        return trainer.fit(
            *rows,
            epochs=options.epochs,
            batch_size=options.batch_size,
            validation_data=held_out,
            progress=False if options.quiet else _PROGRESS[options.progress],
            checkpoint=options.checkpoint,
            resume=options.resume,
        )
    except KeyboardInterrupt:
        if trainer.model.fingerprint() != before:
            keep_interrupted(options.save, options.checkpoint, trainer.model, metadata)
        raise


def _say(message: str, options: argparse.Namespace) -> None:
    if not options.json:
        say(message)


def _source(options: argparse.Namespace) -> Source:
    """The data, after a line on standard error for each column of a table; --quiet shows only doubtful ones."""
    told: dict[str, Any] = {"text_format": format_of(options), "task": options.task}
    if is_table(options.data):
        told |= {name: getattr(options, name) for name in ("text", "number", "drop")} | notation_of(options)
    source = load_source(options.data, options.target, options.seed, options.validation_split, **told)
    for line in source.report:
        if not options.quiet or "only counts rows" in line:
            say(f"column {one_line(line)}")
    return source


def _model_for(source: Source, options: argparse.Namespace) -> tuple[Sequential, Module]:
    loss = options.loss
    if loss == "auto":
        loss = "cross_entropy" if source.is_classification else "mse"
    row = LOSSES[loss]
    if source.is_classification == (row.targets == "quantities"):
        kinds, task = ("classes", "quantities"), "regression"
        if not source.is_classification:
            kinds, task = kinds[::-1], "classification"
        raise ValueError(
            f"--loss {loss} does not fit targets that are {kinds[0]}; --task {task} takes numbers as {kinds[1]}"
        )
    classes = len(source.class_names or [])
    if row.targets == "two classes" and classes != 2:
        raise ValueError(f"--loss {loss} is for 2 classes, {source.name} has {classes}; use cross_entropy")
    outputs = classes if row.targets == "classes" else 1
    model = MLP([source.x.shape[1], *options.hidden, outputs], _ACTIVATIONS[options.activation])
    if outputs == 1:
        model.append(Flatten(0))
    return model, row.loss()


def _result(
    source: Source,
    trainer: Trainer,
    metrics: list[str],
    history: History,
    held_out: Any,
    seconds: float,
    rows: int,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "data": source.name,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "epochs": len(history),
        "loss": history["loss"][-1],
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "fingerprint": trainer.model.fingerprint(),
    }
    prefix = "val_" if held_out else ""
    result["held_out_loss"] = history[prefix + "loss"][-1] if held_out else None
    for name in metrics:
        power = METRICS[name].power if name in METRICS else 0
        result[name] = history[prefix + name][-1] * source.target_scale**power
    if source.is_classification:
        if held_out:
            result["confusion_matrix"] = confusion_matrix(trainer.predict(held_out[0]), held_out[1]).tolist()
    else:
        factor = source.target_scale ** next(
            row.power for row in LOSSES.values() if row.loss is type(trainer.criterion)
        )
        result |= {key: result[key] and result[key] * factor for key in ("loss", "held_out_loss")}
        x, y = held_out or (source.x, source.y)
        residuals = (trainer.predict(x) - y) * source.target_scale
        result["rmse"] = math.sqrt(float(np.mean(residuals.astype(np.float64) ** 2)))
    return result


def _metadata(source: Source, model: Sequential, criterion: Module) -> dict[str, Any]:
    return {
        "architecture": describe_model(model),
        "loss": type(criterion).__name__,
        "class_names": source.class_names,
        "scaling": source.scaling,
        "target_mean": source.target_mean,
        "target_scale": source.target_scale,
        "data": source.name,
    }


def _plot(path: str, source: Source, trainer: Trainer, history: History) -> None:
    from ..plots.curves import plot_training

    boundary = None
    if source.is_classification and source.x.shape[1] == 2:
        boundary = (lambda grid: predicted_classes(trainer.predict(grid)), source.x, source.y)
    plot_training(history, path, boundary)


def _report(result: dict[str, Any], metrics: list[str], options: argparse.Namespace) -> None:
    if options.json:
        emit(json_text(result))
        return
    where = "held-out" if result["held_out_loss"] is not None else "training"
    loss = result["held_out_loss"] if result["held_out_loss"] is not None else result["loss"]
    figures = [f"{where} loss {loss:.4g}"]
    for name in metrics:
        value = f"{100 * result[name]:.2f} %" if name == "accuracy" else f"{result[name]:.4g}"
        figures.append(f"{where} {name} {value}")
    if "rmse" in result:
        figures.append(f"{where} RMSE {result['rmse']:.4g}")
    figures.append(f"{result['epochs']} epoch{'s' * (result['epochs'] != 1)} in {result['seconds']:.2f} s")
    figures.append(f"{result['rows_per_second']:,.0f} rows/s")
    emit(", ".join(figures))
