"""The bytes of a file or of standard input, and the text that they are."""

import codecs
import gzip
import sys
import zlib
from pathlib import Path

STANDARD_INPUT = "-"
# What is no text, by its first bytes, and what to do.
_OTHERS = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook: save the sheet as CSV (a .npz is given by its name, which ends so)",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save the sheet as CSV",
    b"BZh": "is packed by bzip2: unpack it first, or pack it by gzip",
    b"\xfd7zXZ": "is packed by xz: unpack it first, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "is packed by zstd: unpack it first, or pack it by gzip",
    b"PAR1": "is a Parquet file: write it as CSV, for example by pandas.read_parquet(...).to_csv(..., index=False)",
    b"\x93NUMPY": "is a .npy file: give it by its name, which ends so",
    b"\x89HDF": "is an HDF5 file: write its table as CSV",
    b"%PDF": "is a PDF document",
}
# Byte order marks, the longest first: UTF-32's begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def shown_name(name: str) -> str:
    """A source's name in messages."""
    return "standard input" if name == STANDARD_INPUT else name


def contents(name: str) -> bytes:
    """A file's bytes, unpacked where gzip packed them; `-` is standard input."""
    if name == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.closed:
            raise OSError("there is no standard input to read from")
        binary = getattr(sys.stdin, "buffer", None)
        data = sys.stdin.read().encode() if binary is None else binary.read()
    else:
        data = Path(name).read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{shown_name(name)} is a damaged gzip file: {error}") from None


def text_of(name: str, data: bytes, encoding: str | None = None) -> str:
    """Bytes as text: by their byte order mark, else as UTF-8, unless told; lines end in a line feed.

    Raises ValueError naming line and column of what is no text, and what to do.
    """
    for magic, advice in _OTHERS.items():
        if data.startswith(magic):
            raise ValueError(f"{name} is not a CSV text file; it {advice}")
    try:
        chosen = (
            codecs.lookup(encoding).name if encoding else next((e for m, e in _MARKS if data.startswith(m)), "utf-8")
        )
    except LookupError:
        raise ValueError(
            f"--encoding {encoding}: there is no such encoding; try utf-8, utf-16, cp1252 or latin-1"
        ) from None
    try:
        text = data.decode("utf-8-sig" if chosen == "utf-8" else chosen)
    except UnicodeError as error:
        raise _undecodable(name, data, chosen, encoding, error) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for character, what in (("\0", "a NUL character"), ("\ufeff", "a byte order mark in the middle of the text")):
        at = text.find(character)
        if at >= 0:
            line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
            wide = character == "\0" and text.count("\0") > len(text) // 4
            fix = ": --encoding utf-16-le or utf-16-be, if it is UTF-16" if wide else ": remove it"
            raise ValueError(f"{name}, line {line}, character {column}: {what}{fix}")
    return text


def _undecodable(name: str, data: bytes, chosen: str, told: str | None, error: UnicodeError) -> ValueError:
    if not isinstance(error, UnicodeDecodeError):
        return ValueError(f"{name} is not a CSV text file in {chosen}: {error}; --encoding names another")
    line = data.count(b"\n", 0, error.start) + 1
    column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
    fix = "--encoding cp1252 or latin-1, if it comes from an older Windows program"
    if told:
        fix = "--encoding names another"
    elif data.count(0) > len(data) // 4:
        fix = "--encoding utf-16-le or utf-16-be, if it is UTF-16"
    return ValueError(
        f"{name} is not a CSV text file in {chosen}: line {line}, byte {column} is 0x{data[error.start]:02x}: {fix}"
    )
