"""`nnlite info`."""

import argparse
import platform
from typing import Any

import numpy as np

from .. import _core
from ..files.model_file import load_with_metadata
from .streams import emit, json_text


def add_info(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser("info", help="show version, processor and threads, or describe a model file")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model file to describe")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the facts, one per line."""
    facts = _model_facts(options.model) if options.model else _library_facts()
    if options.json:
        emit(json_text(facts))
        return 0
    width = max(len(key) for key in facts)
    shown = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in facts.items()}
    emit("\n".join(f"{key:<{width}}  {value}" for key, value in shown.items()))
    return 0


def _library_facts() -> dict[str, Any]:
    config = _core.show_config()
    return {
        "nnlite": config["version"],
        "instruction set": config["isa"],
        "available": config["available_isas"],
        "threads": config["threads"],
        **({} if config["openmp"] else {"openmp": "built without it: one thread"}),
        "usable cores": config["cores"],
        "compiler": config["compiler"],
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _model_facts(path: str) -> dict[str, Any]:
    state, metadata = load_with_metadata(path)
    facts: dict[str, Any] = {name: f"{array.dtype} {array.shape}" for name, array in state.items()}
    facts["parameters"] = sum(array.size for array in state.values())
    for key in ("data", "loss", "class_names"):
        if metadata.get(key):
            facts[key.replace("_", " ")] = metadata[key]
    return facts
