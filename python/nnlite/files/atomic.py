"""Files that are always complete: written beside the old one, flushed to the disk, then renamed over it."""

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_TEMPORARY = ".nnlite-"  # then the process's number and random digits

_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}  # by a folder, or for a file of another user
_NO_RENAME = {errno.EBUSY, errno.EXDEV} | _REFUSED  # a mount point, a file of another user in a sticky folder
_NOT_OFFERED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS}  # by this file system
_ADVICE = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EFBIG: "the limit of this process or file system is lower: raise it (ulimit -f), or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "change the permissions, or choose another place",
    errno.EPERM: "change the permissions, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "the folder does not exist",
}


def write_atomically(path: str | os.PathLike[str], pieces: Iterable[Any], what: str) -> None:
    """Writes `pieces` (bytes, buffers) to `path`, which at any moment is the complete old or new file.

    Symbolic links, permissions, access lists and, where allowed, the owner are kept; other hard links keep the old file.
    Where no file can be renamed over the old one (a mounted file, a folder that takes no new files), it is overwritten
    once a complete copy of the new one is on a disk.

    Raises OSError with "cannot save `what`" and the path, and keeps the old file; nothing once the new file is in place.
    """
    try:
        _replace(_resolved(path), pieces)
    except OSError as error:
        raise OSError(error.errno, f"cannot save {what}: {_explained(error)}", str(path)) from error


def write_text(path: str | os.PathLike[str], text: str, what: str) -> None:
    """The same for text, in UTF-8 whatever the locale; pipes and devices (/dev/stdout) are written directly."""
    data = text.encode("utf-8", "surrogateescape")  # a file's name may be any bytes
    try:
        descriptor = _open_stream(path)
        if descriptor is not None:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            return
    except OSError as error:
        raise OSError(error.errno, f"cannot write {what}: {_explained(error)}", str(path)) from error
    write_atomically(path, [data], what)


def require_writable(*paths: str | None, streams: bool = False) -> None:
    """OSError for an output file that cannot be written, before the work rather than after it; None is skipped."""
    for path in paths:
        if path is not None and not (streams and _is_stream(path)):
            try:
                _try(_resolved(path))
            except OSError as error:
                raise OSError(error.errno, f"cannot write {path}: {_explained(error)}") from None


def remove_leftovers(folder: Path) -> None:
    """Deletes unfinished files that killed processes of this machine left in `folder`."""
    with contextlib.suppress(OSError):  # a folder that cannot be listed
        for path in folder.glob(f"{_TEMPORARY}*"):
            number = path.name.removeprefix(_TEMPORARY).partition("-")[0]
            if number.isdecimal() and not _is_running(int(number)):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _explained(error: OSError) -> str:
    advice = _ADVICE.get(error.errno or 0)
    if error.errno == errno.ENOENT:
        return advice or ""
    return f"{error.strerror}: {advice}" if advice and ":" not in (error.strerror or "") else str(error.strerror)


def _resolved(path: str | os.PathLike[str]) -> Path:
    """The file itself: a symbolic link keeps pointing to it."""
    text = os.fsdecode(path)
    if "\0" in text:
        raise OSError(errno.EINVAL, "a name cannot contain NUL")
    if not text or text.endswith(("/", "/.")):
        raise OSError(errno.EISDIR, "it is a folder" if text else "the name is empty")
    if _is_stream(text):
        raise OSError(errno.EINVAL, "it is not a regular file: choose another name")
    return Path(os.path.realpath(text))


def _status_of(path: Path) -> os.stat_result | None:
    """The status of the file to replace; OSError for a device, a folder or a read-only file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file: choose another name")
    if not os.access(path, os.W_OK):
        os.close(os.open(path, os.O_WRONLY))  # raises the reason
    return status


def _new_file_beside(path: Path, status: os.stat_result | None) -> tuple[Path, int] | None:
    """None if the folder accepts no new file but the existing one can be overwritten."""
    try:
        return _new_file(path.parent, status)
    except OSError as error:
        if status is None or error.errno not in _REFUSED:
            raise
        return None


def _try(path: Path) -> None:
    """Whether `_replace` can begin."""
    if beside := _new_file_beside(path, _status_of(path)):
        staged, descriptor = beside
        os.close(descriptor)
        staged.unlink()


def _replace(path: Path, pieces: Iterable[Any]) -> None:
    status = _status_of(path)
    staged, descriptor = _new_file_beside(path, status) or _new_file(Path(tempfile.gettempdir()), status)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            if status is not None:
                _take_over_rights(file.fileno(), path, status)
            _flush_to_disk(file.fileno())
        old = None if _rename(staged, path, status) else _open_with_room(path, staged.stat().st_size)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise
    if old is not None:
        _write_over(old, staged)
    _flush_folder(path.parent)


def _new_file(folder: Path, status: os.stat_result | None) -> tuple[Path, int]:
    """An empty file under a unique name, open, readable by its owner only if it is to replace another."""
    path = folder / f"{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
    return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if status is None else 0o600)


def _take_over_rights(descriptor: int, path: Path, status: os.stat_result) -> None:
    """Copies owner, access list and permissions of the old file; never allows more than it did."""
    mode, own = stat.S_IMODE(status.st_mode), os.fstat(descriptor)
    try:
        if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
            os.fchown(descriptor, status.st_uid if os.geteuid() == 0 else -1, status.st_gid)
        for name in os.listxattr(path):
            os.setxattr(descriptor, name, os.getxattr(path, name))
    except OSError:
        mode &= ~0o070 | (mode & 0o007) << 3  # its group, or an access list behind the group's bits, is lost
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:  # a file system with other permissions
        if error.errno not in _NOT_OFFERED | _REFUSED:
            raise


def _flush_to_disk(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


def _flush_folder(folder: Path) -> None:
    """Takes the rename to the disk; it has happened even if the folder cannot be opened or flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename(staged: Path, path: Path, status: os.stat_result | None) -> bool:
    """False if the old file must be overwritten."""
    try:
        os.replace(staged, path)
    except OSError as error:
        if status is None or error.errno not in _NO_RENAME:
            raise
        return False
    return True


def _open_with_room(path: Path, size: int) -> int:
    """The old file, opened with room for `size` bytes; OSError, and nothing changed, if the disk has none."""
    descriptor = os.open(path, os.O_WRONLY)
    before = os.fstat(descriptor).st_size
    try:
        os.posix_fallocate(descriptor, 0, max(size, 1))
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            os.ftruncate(descriptor, before)
            os.close(descriptor)
            raise
    return descriptor


def _write_over(old: int, staged: Path) -> None:
    try:
        with os.fdopen(old, "wb") as target, staged.open("rb") as source:
            shutil.copyfileobj(source, target)
            target.truncate()
            target.flush()
            _flush_to_disk(target.fileno())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; the complete new file is {staged}") from error
    os.unlink(staged)


def _stream_number(path: str | os.PathLike[str]) -> int | None:
    found = re.fullmatch(r"/dev/(stdout|stderr|fd/(\d+))|/proc/self/fd/(\d+)", os.fsdecode(path))
    return None if found is None else int(found[2] or found[3] or {"stdout": 1, "stderr": 2}[found[1]])


def _is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether this is a pipe or a device, which has no old contents to keep."""
    if _stream_number(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _open_stream(path: str | os.PathLike[str]) -> int | None:
    """A descriptor to write a stream to; a copy of one of our own, which keeps its position in a file."""
    number = _stream_number(path)
    if number is not None:
        return os.dup(number)
    return os.open(path, os.O_WRONLY) if _is_stream(path) else None
