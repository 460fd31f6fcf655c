"""`nnlite predict`."""

import argparse
from typing import Any

import numpy as np

from ..data.sources import is_table, read_rows
from ..data.table import Table
from ..files.atomic import write_text
from ..loading import LoadedModel, load_model
from ..metrics import predicted_classes
from .outputs import require_outputs
from .streams import emit, json_text, one_line, say
from .tables import add_format_options, format_of, notation_of

Array = np.ndarray[Any, Any]


def add_predict(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "predict",
        help="apply a saved model",
        description="Print one prediction per row: the class and its probability, or the value.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file that `nnlite train --save` or nl.save wrote")
    parser.add_argument("data", metavar="DATA", help="the rows, in any format that train reads; targets are ignored")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")
    parser.add_argument("--output", metavar="FILE", help="write to a file (UTF-8) instead of standard output")
    parser.add_argument("--overwrite", action="store_true", help="let --output replace MODEL or DATA itself")
    add_format_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reads the model and the data, writes the predictions."""
    output = None if options.output == "-" else options.output
    require_outputs({"--output": output}, [options.model, options.data], options.overwrite, streams=True)
    model = load_model(options.model)
    rows = predictions(model, _inputs(model, options))
    text = _text(rows, options.json)
    if output is None:
        emit(text)
    else:
        write_text(output, text + "\n", "the predictions")
    return 0


def _inputs(model: LoadedModel, options: argparse.Namespace) -> Array:
    """The network's inputs for the rows of DATA."""
    text_format = format_of(options)
    if model.preprocessor is not None and not is_table(options.data):
        raise ValueError(f"this model was trained on a CSV file; {options.data} is not one")
    rows = read_rows(options.data, text_format=text_format)
    inputs = model.inputs(rows, **(notation_of(options) if is_table(options.data) else {}))
    unused = model.preprocessor.unused(rows) if model.preprocessor is not None and isinstance(rows, Table) else []
    if unused:
        say(f"columns that the training table lacked are ignored: {', '.join(unused)}")
    return inputs


def _text(rows: list[dict[str, Any]], as_json: bool) -> str:
    if as_json:
        return json_text(rows)
    return "\n".join("\t".join(_cell(value) for value in row.values()) for row in rows)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else one_line(str(value))


def predictions(model: LoadedModel, x: Array) -> list[dict[str, Any]]:
    """One dictionary per row: class and probability, or value, or outputs if the file names no classes."""
    outputs = model.answers_to(x)
    names = model.class_names
    if names is None:
        rows = outputs.reshape(len(outputs), -1).tolist()
        return [{"value": row[0]} if len(row) == 1 else {f"output {i}": v for i, v in enumerate(row)} for row in rows]
    chances, classes = model.chances(outputs), predicted_classes(outputs)
    return [{"class": names[c], "probability": float(row[c])} for c, row in zip(classes, chances, strict=True)]
