"""`python -m bench`."""

from __future__ import annotations

import argparse
import sys

from .machine import confine


def main() -> int:
    """Sets the number of threads before importing anything that reads it, then runs the command."""
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument("--threads", default="1")
    threads = early.parse_known_args()[0].threads
    if threads.isdigit() and int(threads) > 0:  # the full command line is checked later
        try:
            confine(int(threads))
        except ValueError as error:
            print(f"bench: error: {error}", file=sys.stderr)
            return 2
    from .command import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
