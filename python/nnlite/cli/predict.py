"""`nnlite predict`."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..architecture import build_model
from ..checkpoint import load_with_metadata
from ..data.sources import read_inputs
from ..errors import ModelFileError
from ..metrics import predicted_classes
from ..nn import functional
from ..training import Trainer
from .arguments import require_writable

Array = np.ndarray[Any, Any]


def add_predict(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "predict",
        help="apply a saved model",
        description="Print one prediction a row: the class and its probability, or the value.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file that `nnlite train --save` wrote")
    parser.add_argument(
        "data", metavar="DATA", help="what to predict from, as for train; targets in it are not looked at"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")
    parser.add_argument("--output", metavar="FILE", help="write to a file instead of standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reads the model and the data, writes the predictions."""
    require_writable(options.output)
    model, metadata = load_model(options.model)
    rows = predictions(model, metadata, read_inputs(options.data, metadata["scaling"]))
    text = _text(rows, options.json)
    if options.output:
        Path(options.output).write_text(text + "\n")
    else:
        print(text)
    return 0


def _text(rows: list[dict[str, Any]], as_json: bool) -> str:
    if as_json:
        return json.dumps(rows)
    return "\n".join("\t".join(_cell(value) for value in row.values()) for row in rows)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def load_model(path: str) -> tuple[nn.Sequential, dict[str, Any]]:
    """The model of a file with its architecture, and the file's metadata."""
    state, metadata = load_with_metadata(path)
    wanted = {"architecture", "class_names", "scaling", "target_mean", "target_scale"}
    missing = wanted - metadata.keys()
    if missing:
        raise ModelFileError(
            f"{path} holds weights alone (no {', '.join(sorted(missing))}); `nnlite train --save` writes what predict "
            "needs"
        )
    model = build_model(metadata["architecture"], sum(array.size for array in state.values()))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelFileError(f"{path}: {error}") from None
    return model.eval(), metadata


def predictions(model: nn.Sequential, metadata: dict[str, Any], x: Array) -> list[dict[str, Any]]:
    """One dictionary a row: class and probability, or value."""
    from .. import optim

    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()))
    outputs = trainer.predict(x)
    names = metadata["class_names"]
    if names is None:
        return [{"value": float(v) * metadata["target_scale"] + metadata["target_mean"]} for v in outputs]
    classes = predicted_classes(outputs)
    if outputs.ndim == 1:
        positive = functional.sigmoid(outputs).numpy()
        chances = np.where(classes == 1, positive, 1 - positive)
    else:
        chances = functional.softmax(outputs, 1).numpy().max(1)
    return [{"class": names[c], "probability": float(p)} for c, p in zip(classes, chances, strict=True)]
