"""The command line: sections with peers, child processes, the table of targets, JSON and the picture."""

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
    """The options of `nnlite bench` and the picture's."""
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="nnlite beside its peers: PyTorch, JAX, NumPy, scikit-learn, ONNX Runtime, as far as they are "
        f"installed. SECTION is one of {', '.join(SECTIONS)}; all of them without any.",
    )
    add_options(made)
    made.add_argument("--plot", metavar="FILE", help="write the picture of `widths` (needs matplotlib)")
    made.set_defaults(data=MNIST if MNIST.is_dir() else None)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and reports; 1 where an argument or a file stands in the way."""
    options = parser().parse_args(arguments)
    try:
        require_writable(None if options.json == "-" else options.json, options.plot)
        if options.plot and options.sections and "widths" not in options.sections:
            raise ValueError("--plot shows the section widths: name it too, or no section at all")
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
            say(f"picture saved to {options.plot}")
    except (OSError, ValueError, RuntimeError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("bench: error: interrupted")
        die_by(signal.SIGINT)
    return 0


def collect(settings: suite.Settings) -> Findings:
    """Everything measured: most of it here, threads and the lower instruction set in processes of their own."""
    here = tuple(section for section in settings.sections if section != "threads")
    main_report = suite.run(
        replace(settings, sections=here), peers.load(settings.threads, settings.quick, say), progress=say
    )
    main_report.environment.update(peers.versions())
    avx2 = None
    if "products" in here and main_report.environment["instruction set"] == "avx512":
        say("products with AVX2, in a process of its own")
        avx2 = children.with_avx2(settings)
    if "threads" in settings.sections:
        say("threads, in a process of its own with all cores")
        main_report.results.extend(children.with_all_cores(settings).results)
    if "startup" in here:
        say("imports of the peers")
        main_report.figures.extend(children.peers_imports(settings.quick))
    return Findings(main_report, avx2)
