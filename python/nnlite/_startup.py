"""Ctrl-C ends the command line at once and without a traceback, even during its imports.

Imported before everything else; a program that merely imports the library keeps its own handler.
"""

import os
import sys


def _is_command_line() -> bool:
    """`python -m nnlite`, whose package is imported before its `__main__`, or the script `nnlite`."""
    if not sys.argv:
        return False
    if sys.argv[0] != "-m":
        return os.path.basename(sys.argv[0]) == "nnlite"
    words = " ".join(sys.orig_argv)
    return " -m nnlite" in words or " -mnnlite" in words


if _is_command_line():
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
