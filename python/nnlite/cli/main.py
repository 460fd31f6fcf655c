"""Commands and exit codes: 0 done, 1 failed, 2 wrong usage, 3 diverged, 128 + N ended by signal N.

Data goes to standard output, the rest to standard error.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Any

from .. import _core
from ..errors import DivergenceError
from .bench import add_bench
from .info import add_info
from .predict import add_predict
from .streams import emit, say, usable_streams, warnings_in_one_line
from .train import add_train


class _Parser(argparse.ArgumentParser):
    """Help that cannot be written is an error, like other output; argparse would ignore it."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            emit(message.rstrip())
        elif message:
            say(message.rstrip())


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each stores its function as `run`, which without a command prints the help."""
    parser = _Parser(prog="nnlite", description="Train small neural networks on a CPU.")
    parser.add_argument("--version", action="version", version=f"nnlite {_core.show_config()['version']}")
    parser.set_defaults(run=lambda options: _help(parser))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for add in (add_train, add_predict, add_info, add_bench):
        add(commands)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    with usable_streams(), warnings_in_one_line():
        try:
            options = build_parser().parse_args(arguments)
            code: int = options.run(options)
            return code
        except DivergenceError as error:
            return _fail(f"diverged: {error}", 3)
        except KeyboardInterrupt as stop:
            number = getattr(stop, "number", signal.SIGINT)
            return _fail(
                "interrupted" if number == signal.SIGINT else f"ended by {signal.strsignal(number)}", 128 + number
            )
        except BrokenPipeError:  # the reader of our output has left, as `head` does
            return 128 + signal.SIGPIPE
        except OSError as error:
            return _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 1)
        except (ValueError, TypeError, LookupError, ArithmeticError, ImportError, RuntimeError, MemoryError) as error:
            return _fail(f"{type(error).__name__} {error}" if isinstance(error, LookupError) else str(error), 1)


def _fail(message: str, code: int) -> int:
    say("nnlite: error: " + " ".join(message.split()))
    return code
