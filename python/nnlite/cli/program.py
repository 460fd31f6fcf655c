"""The program `nnlite`: signals, and an end that a shell understands."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from .main import main
from .streams import drop_unwritten_output, open_missing_descriptors

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asks to end: what is under way is put in order first, as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def program() -> NoReturn:
    """Runs this process's command line and ends the process, by a signal where one ended the work.

    A shell's loop and a script ask how a program died: one that exits with 1 on Ctrl-C lets the loop go on.
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
    os._exit(128 + number)  # the first process of a container does not die by a signal of its own
