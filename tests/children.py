"""Child processes of the tests: each answers Ctrl-C, even if the tests inherited SIG_IGN, and none outlives them."""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None)  # loaded before any fork
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def begin_child(parent: int | None = None) -> None:
    """Called in a child before its work: between fork and exec (preexec_fn), or after a plain fork of `parent`."""
    _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:  # it died before prctl took effect
        os.kill(os.getpid(), signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def answer_ctrl_c() -> None:
    """Restores SIGINT: a background job of a script ignores it, and so would all its children; tests that wait for it would hang."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    forking: list[int] = []

    def begin_fork() -> None:
        forking[:] = [os.getpid()]

    os.register_at_fork(before=begin_fork, after_in_child=lambda: begin_child(*forking))
