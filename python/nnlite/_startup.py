"""Ctrl-C while the command line is still importing its modules ends it at once, as it ends any program, without a traceback.

Imported before everything else; a program that merely imports the library keeps its own handler.
"""

import os
import sys


def _is_command_line() -> bool:
    """`python -m nnlite`, whose package is imported before its `__main__`, or the script `nnlite`."""
    if not sys.argv:
        return False
    return "nnlite" in sys.orig_argv if sys.argv[0] == "-m" else os.path.basename(sys.argv[0]) == "nnlite"


if _is_command_line():
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
