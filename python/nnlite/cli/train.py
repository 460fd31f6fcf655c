"""`nnlite train`."""

import argparse
import json
import math
import sys
import time
from typing import Any

import numpy as np

from .. import _core, nn, optim
from ..architecture import describe_model
from ..checkpoint import save
from ..data.sources import Source, load_source
from ..history import History
from ..metrics import confusion_matrix, predicted_classes
from ..training import Trainer

Array = np.ndarray[Any, Any]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid, "softplus": nn.Softplus,
}  # fmt: skip
LOSSES: dict[str, type[nn.Module]] = {
    "cross_entropy": nn.CrossEntropyLoss, "bce": nn.BCEWithLogitsLoss, "mse": nn.MSELoss, "l1": nn.L1Loss,
    "huber": nn.HuberLoss,
}  # fmt: skip


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.split(",") if part.strip()]
    if any(size < 1 for size in sizes):
        raise argparse.ArgumentTypeError(f"sizes must be positive, got {text}")
    return sizes


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be in [0, 1), got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def add_train(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description="Train a multi-layer perceptron. DATA is a name (spirals, moons, circles, xor, blobs, regression; with "
        "scikit-learn: digits, breast_cancer, iris, wine, diabetes), a folder of IDX files (MNIST), a .npz or a .csv file.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("data", nargs="?", default="spirals", metavar="DATA", help="what to train on")
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict (CSV; the last one unless told)")
    parser.add_argument("--hidden", type=_sizes, default=[128, 64], metavar="N,N", help="sizes of the hidden layers")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    parser.add_argument("--loss", choices=["auto", *LOSSES], default="auto", help="auto: cross_entropy for classes, else mse")
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--epochs", type=_count, default=50)
    parser.add_argument("--batch-size", type=_count, default=32)
    parser.add_argument("--validation-split", type=_share, default=0.2, help="share of the rows held out (unless DATA has a test set)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=_count, help="threads to use (default: all usable cores)")
    parser.add_argument("--save", metavar="FILE", help="write the model (safetensors)")
    parser.add_argument("--plot", metavar="FILE", help="write the curves as a picture (needs the extra plot)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Trains, reports, saves and plots as told."""
    if options.threads is not None:
        _core.set_num_threads(options.threads)
    source = load_source(options.data, options.target, options.seed)
    rows, held_out = _held_out(source, options.validation_split, options.seed)
    _core.manual_seed(options.seed)
    model, criterion = _model_for(source, options)
    metrics = ["accuracy"] if source.is_classification else []
    optimizer = optim.SGD(model.parameters(), options.lr, options.momentum, weight_decay=options.weight_decay)
    trainer = Trainer(model, criterion, optimizer, metrics, options.seed)
    if not options.json:
        print(f"{source.name}: {len(rows[0])} rows to train on, {len(held_out[0]) if held_out else 0} held out\n{model}")
    start = time.perf_counter()
    history = trainer.fit(
        *rows,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=held_out,
        progress=False if options.quiet else None,
    )
    seconds = time.perf_counter() - start
    result = _result(source, trainer, history, held_out, seconds, len(rows[0]) * len(history))
    if options.save:
        save(options.save, model, metadata=_metadata(source, model, criterion))
    if options.plot:
        _plot(options.plot, source, trainer, history)
    _report(result, options)
    return 0


def _held_out(source: Source, share: float, seed: int) -> tuple[tuple[Array, Array], tuple[Array, Array] | None]:
    if source.test is not None:
        return (source.x, source.y), source.test
    order = _core.Generator(seed).permutation(len(source.x), "split")
    held = int(len(order) * share)
    train, test = order[held:], order[:held]
    return (source.x[train], source.y[train]), ((source.x[test], source.y[test]) if held else None)


def _model_for(source: Source, options: argparse.Namespace) -> tuple[nn.Sequential, nn.Module]:
    loss = options.loss
    if loss == "auto":
        loss = "cross_entropy" if source.is_classification else "mse"
    if source.is_classification != (loss in ("cross_entropy", "bce")):
        kind = "classes" if source.is_classification else "quantities"
        raise ValueError(f"--loss {loss} does not fit targets that are {kind}")
    classes = len(source.class_names or [])
    if loss == "bce" and classes != 2:
        raise ValueError(f"--loss bce is for 2 classes, {source.name} has {classes}; use cross_entropy")
    outputs = classes if loss == "cross_entropy" else 1
    model = nn.MLP([source.x.shape[1], *options.hidden, outputs], ACTIVATIONS[options.activation])
    if outputs == 1:
        model.append(nn.Flatten(0))
    return model, LOSSES[loss]()


def _result(
    source: Source, trainer: Trainer, history: History, held_out: Any, seconds: float, rows: int
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
    if source.is_classification:
        result["accuracy"] = history[prefix + "accuracy"][-1]
        if held_out:
            result["confusion_matrix"] = confusion_matrix(trainer.predict(held_out[0]), held_out[1]).tolist()
    elif held_out:
        residuals = (trainer.predict(held_out[0]) - held_out[1]) * source.target_scale
        result["rmse"] = math.sqrt(float(np.mean(residuals.astype(np.float64) ** 2)))
    return result


def _metadata(source: Source, model: nn.Sequential, criterion: nn.Module) -> dict[str, Any]:
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
    from ..plotting import plot_training

    boundary = None
    if source.is_classification and source.x.shape[1] == 2:
        boundary = (lambda grid: predicted_classes(trainer.predict(grid)), source.x, source.y)
    plot_training(history, path, boundary)


def _report(result: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(result))
        return
    where = "held-out" if result["held_out_loss"] is not None else "training"
    loss = result["held_out_loss"] if result["held_out_loss"] is not None else result["loss"]
    figures = [f"{where} loss {loss:.4g}"]
    if "accuracy" in result:
        figures.append(f"{where} accuracy {100 * result['accuracy']:.2f} %")
    if "rmse" in result:
        figures.append(f"{where} RMSE {result['rmse']:.4g}")
    figures.append(f"{result['epochs']} epochs in {result['seconds']:.2f} s")
    figures.append(f"{result['rows_per_second']:,.0f} rows/s")
    print(", ".join(figures))
    if options.save:
        print(f"model saved to {options.save}", file=sys.stderr)
    if options.plot:
        print(f"curves saved to {options.plot}", file=sys.stderr)
