"""The bytes of a file or of standard input, and the text that they are."""

import codecs
import gzip
import sys
import zlib
from pathlib import Path

STANDARD_INPUT = "-"
# Files that are not text, recognised by their first bytes, and what to do with them.
_OTHERS = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook: save the sheet as CSV (a .npz file needs a name that ends in .npz)",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save the sheet as CSV",
    b"BZh": "is compressed with bzip2: decompress it, or use gzip",
    b"\xfd7zXZ": "is compressed with xz: decompress it, or use gzip",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: decompress it, or use gzip",
    b"PAR1": "is a Parquet file: write it as CSV, for example with pandas.read_parquet(...).to_csv(..., index=False)",
    b"\x93NUMPY": "is a .npy file: it needs a name that ends in .npy",
    b"\x89HDF": "is an HDF5 file: write its table as CSV",
    b"%PDF": "is a PDF document",
}
# Byte order marks, longest first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def shown_name(name: str) -> str:
    """A source's name in messages."""
    return "standard input" if name == STANDARD_INPUT else name


def contents(name: str) -> bytes:
    """A file's bytes, decompressed if they are gzip; `-` is standard input."""
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
    """Decodes bytes by `encoding`, else by their byte order mark, else as UTF-8; lines end in a line feed.

    Raises ValueError that names the line and column of what is not text, and the fix.
    """
    for magic, advice in _OTHERS.items():
        if data.startswith(magic):
            raise ValueError(f"{name} is not a CSV text file; it {advice}")
    try:
        chosen = (
            codecs.lookup(encoding).name if encoding else next((e for m, e in _MARKS if data.startswith(m)), "utf-8")
        )
    except LookupError:
        raise ValueError(f"--encoding {encoding}: unknown encoding; try utf-8, utf-16, cp1252 or latin-1") from None
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
        return ValueError(f"{name} is not a CSV text file in {chosen}: {error}; choose another with --encoding")
    line = data.count(b"\n", 0, error.start) + 1
    column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
    fix = "--encoding cp1252 or latin-1, if it comes from an older Windows program"
    if told:
        fix = "choose another with --encoding"
    elif data.count(0) > len(data) // 4:
        fix = "--encoding utf-16-le or utf-16-be, if it is UTF-16"
    return ValueError(
        f"{name} is not a CSV text file in {chosen}: line {line}, byte {column} is 0x{data[error.start]:02x}: {fix}"
    )
