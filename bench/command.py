"""The command line: sections with peers, child processes, the table of targets, JSON and the plot."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nnlite.bench import SECTIONS, suite
from nnlite.cli.bench import add_options, settings_of
from nnlite.cli.program import die_by
from nnlite.cli.streams import say
from nnlite.files.atomic import require_writable, write_text
from nnlite.files.strict_json import dumps

from . import children, peers, targets
from .findings import Findings

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


def parser() -> argparse.ArgumentParser:
    """The options of `nnlite bench`, and --plot."""
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="nnlite against its peers: PyTorch, JAX, NumPy, scikit-learn, ONNX Runtime, where "
        f"installed. SECTION is one of {', '.join(SECTIONS)}; all of them by default.",
    )
    add_options(made)
    made.add_argument("--plot", metavar="FILE", help="write a plot of `widths` (needs matplotlib)")
    made.set_defaults(data=MNIST if MNIST.is_dir() else None)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and reports; returns 1 if an argument is wrong or a file cannot be written."""
    options = parser().parse_args(arguments)
    try:
        require_writable(None if options.json == "-" else options.json, options.plot)
        if options.plot and options.sections and "widths" not in options.sections:
            raise ValueError("--plot shows the section widths: add it, or name no section")
        if options.plot and importlib.util.find_spec("matplotlib") is None:
            raise RuntimeError("--plot needs matplotlib: pip install matplotlib")
        found = collect(settings_of(options))
        verdicts = targets.judge(found, options.quick)
        fields = {**found.as_dict(), "targets": [verdict.as_dict() for verdict in verdicts]}
        as_json = dumps(fields, indent=1, ensure_ascii=False)
        if options.json == "-":
            print(as_json)
        else:
            print(found.text())
            print("\n== targets\n\n" + targets.table(verdicts))
            if options.json:
                write_text(options.json, as_json + "\n", "the report")
        if options.plot:
            from .plot import save_plot

            save_plot(found.main.results, options.plot)
            say(f"plot saved to {options.plot}")
    except (OSError, ValueError, RuntimeError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("bench: error: interrupted")
        die_by(signal.SIGINT)
    return 0


def collect(settings: suite.Settings) -> Findings:
    """Runs all measurements: most in this process, the threads and AVX2 in child processes."""
    here = tuple(section for section in settings.sections if section != "threads")
    main_report = suite.run(
        replace(settings, sections=here), peers.load(settings.threads, settings.quick, say), progress=say
    )
    main_report.environment.update(peers.versions())
    avx2 = None
    if "products" in here and main_report.environment["instruction set"] == "avx512":
        say("products with AVX2, in a child process")
        avx2 = children.with_avx2(settings)
    if "threads" in settings.sections:
        say("threads, in a child process with all cores")
        main_report.results.extend(children.with_all_cores(settings).results)
    if "startup" in here:
        say("imports of the peers")
        main_report.figures.extend(children.peers_imports(settings.quick))
    return Findings(main_report, avx2)
