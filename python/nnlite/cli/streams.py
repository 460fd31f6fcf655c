"""Standard output for data, standard error for the rest, even if closed or broken."""

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ..files.strict_json import dumps, finite

_ESCAPES = {ord(character): repr(character)[1:-1] for character in "\t\n\r\v\f\x85\u2028\u2029"}


def say(message: str) -> None:
    """Prints a line on standard error, or nowhere if that fails."""
    if sys.stderr is not None:  # for print, None means standard output
        with contextlib.suppress(OSError, ValueError):
            print(message, file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Escapes line ends and tabs in names from tables, which would end a line or a cell of the output."""
    return text.translate(_ESCAPES)


@contextlib.contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Within, warnings are shown without file and line number."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *others, **more: f"nnlite: warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def emit(text: str) -> None:
    """Prints and flushes text; OSError if it cannot be written, BrokenPipeError if nobody reads it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot write to standard output: {error.strerror}") from error


def json_text(value: Any, **options: Any) -> str:
    """JSON with null for NaN and Infinity, and a note about them."""
    places = finite(value)[1]
    if places:
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        say(f"nnlite: note: {', '.join(places[:3])}{more}: not a finite number, null in the JSON")
    return dumps(value, **options)


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """Within, standard output and error take any text: a character that their encoding lacks is escaped.

    Output is dropped if they are closed (no console, `>&-`).
    """
    before = sys.stdout, sys.stderr
    escaped: list[tuple[Any, str]] = []
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None or getattr(stream, "closed", False):
                setattr(sys, name, stack.enter_context(open(os.devnull, "w", encoding="utf-8")))
            elif getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
                escaped.append((stream, "strict"))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            for stream, errors in escaped:
                with contextlib.suppress(OSError, ValueError):
                    stream.reconfigure(errors=errors)


def open_missing_descriptors() -> None:
    """Keeps files that are opened later from taking the numbers of standard streams that the caller closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def drop_unwritten_output() -> None:
    """Keeps the exiting interpreter from retrying failed output, with a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
