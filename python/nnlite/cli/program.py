"""The program `nnlite`: its signals and exit status."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from .main import main
from .streams import drop_unwritten_output, open_missing_descriptors

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asks to end: clean up first, as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def program() -> NoReturn:
    """Runs the command line and ends the process, by a signal if one ended the work.

    Shells check how a program died: one that exits with 1 on Ctrl-C lets a script's loop continue.
    """
    open_missing_descriptors()
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or the background of a script
            signal.signal(number, _stop)
    code = main()
    drop_unwritten_output()
    if code > 128:
        die_by(code - 128)
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise Stopped(number)


def die_by(number: int) -> NoReturn:
    """Ends this process by a signal, for its parent to see."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # a container's first process does not die by its own signal
