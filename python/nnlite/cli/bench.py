"""`nnlite bench`."""

import argparse
from pathlib import Path
from typing import Any

from ..bench import SECTIONS
from ..files.atomic import require_writable, write_text
from .arguments import count
from .streams import emit, json_text, say


def add_bench(commands: Any) -> None:
    """Adds the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "bench",
        help="measure this library on this machine",
        description="Measure kernels, training steps, prediction and startup beside the machine's limits. "
        f"SECTION is one of {', '.join(SECTIONS)}; without any, all.",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def section(text: str) -> str:
    """A section's name."""
    if text not in SECTIONS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(SECTIONS)}, got {text!r}")
    return text


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this command and the one with peers have in common."""
    parser.add_argument("sections", nargs="*", type=section, metavar="SECTION", help="what to measure (everything)")
    parser.add_argument("--quick", action="store_true", help="few sizes, short measurements: a trial, not a result")
    parser.add_argument("--rounds", type=count, metavar="N", help="measurements of each (7, with --quick 3)")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="threads to use (%(default)s)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="MNIST's files for startup (random numbers)")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - for standard output")


def settings_of(options: argparse.Namespace) -> Any:
    """The options as settings of a run."""
    from ..bench.suite import Settings

    rounds = options.rounds or (3 if options.quick else 7)
    sections = tuple(name for name in SECTIONS if name in options.sections) or SECTIONS
    return Settings(sections, options.quick, rounds, options.threads, options.data)


def run(options: argparse.Namespace) -> int:
    """Measures and reports."""
    # Only this command needs these.
    from ..bench import report, suite

    require_writable(None if options.json == "-" else options.json, streams=True)
    found = suite.run(settings_of(options), progress=say)
    if options.json == "-":
        emit(json_text(found.as_dict(), indent=1))  # in ASCII, which any terminal takes
        return 0
    emit(report.text(found))
    if options.json:
        write_text(options.json, json_text(found.as_dict(), indent=1, ensure_ascii=False) + "\n", "the report")
        say(f"report saved to {options.json}")
    return 0
