"""Complete files under restrictions: other users' folders, mounts, devices, limited file systems."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl
from nnlite.files import atomic
from nnlite.files.atomic import require_writable, write_atomically, write_text

NOBODY = 65534


def write(path: Path | str, text: bytes = b"new") -> None:
    write_atomically(path, [text], "the model")


def as_nobody(work: Callable[[], None]) -> None:
    """Runs work in a process of an unprivileged user; an exception fails the test."""
    if os.geteuid() != 0:
        work()
        return
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            work()
        except BaseException:
            os.write(sending, traceback.format_exc().encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as file:
        said = file.read()
    os.waitpid(child, 0)
    assert said == ""


@pytest.fixture
def folder(tmp_path):
    """A folder that an unprivileged user owns and can reach."""
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        path.chmod(0o755)
    own = tmp_path / "own"
    own.mkdir()
    if os.geteuid() == 0:
        os.chown(own, NOBODY, NOBODY)
    return own


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM])
def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch, code):
    genuine = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        genuine(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    write(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_flush(tmp_path, monkeypatch, code):
    def fsync(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    write(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.EACCES])
def test_a_file_system_that_sets_permissions_itself(tmp_path, monkeypatch, code):
    (tmp_path / "model").write_bytes(b"old")

    def fchmod(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, "fchmod", fchmod)
    write(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o300, 0o333, 0o1333])
def test_a_folder_that_can_be_written_but_not_listed(folder, mode):
    folder.chmod(mode)

    def work():
        write(folder / "model")
        write(folder / "model", b"newer")
        nl.save(folder / "state", {"a": np.ones(3)})
        require_writable(str(folder / "model"))

    as_nobody(work)
    folder.chmod(0o700)
    assert (folder / "model").read_bytes() == b"newer"
    assert sorted(os.listdir(folder)) == ["model", "state"]


@pytest.mark.parametrize("mode", [0o555, 0o1777])
@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of another user")
def test_a_file_that_may_be_written_in_a_folder_where_it_may_not_be_replaced(folder, mode):
    """Docker's single-file mounts, and another user's file in /tmp."""
    os.chown(folder, 0, 0)
    (folder / "model").write_bytes(b"old and longer")
    (folder / "model").chmod(0o666)
    folder.chmod(mode)

    def work():
        require_writable(str(folder / "model"))
        write(folder / "model")

    as_nobody(work)
    assert (folder / "model").read_bytes() == b"new"
    assert os.listdir(folder) == ["model"]
    assert (folder / "model").stat().st_uid == 0


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV])
def test_a_file_that_cannot_be_renamed_over_is_written_over_or_kept_with_its_copy(tmp_path, monkeypatch, code):
    path = tmp_path / "model"
    path.write_bytes(b"old and longer")

    def replace(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, "replace", replace)
    write(path)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["model"]

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "posix_fallocate", no_room)
    with pytest.raises(OSError, match="No space left"):
        write(path, b"a larger one")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["model"])
    monkeypatch.setattr(atomic.os, "posix_fallocate", lambda *_: None)
    monkeypatch.setattr(atomic.shutil, "copyfileobj", no_room)
    with pytest.raises(OSError, match="the complete new file is") as caught:
        write(path, b"a larger one")
    (left,) = (name for name in os.listdir(tmp_path) if name != "model")
    assert left in str(caught.value)
    assert (tmp_path / left).read_bytes() == b"a larger one"


IN_A_MOUNT = """
import numpy as np, os, sys
import nnlite as nl
folder = sys.argv[1]
nl.save(f"{folder}/model", {"a": np.full(5000, 2.0)})
assert (nl.load(f"{folder}/model")["a"] == 2).all() and sorted(os.listdir(folder)) == ["model", "source"]
print("done")
"""


def test_a_single_file_that_is_mounted(tmp_path):
    allowed = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    nl.save(tmp_path / "source", {"a": np.zeros(9)})
    (tmp_path / "model").write_bytes(b"")
    mount = f"mount --bind {tmp_path}/source {tmp_path}/model"
    if subprocess.run([*allowed, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user mount a file")
    result = subprocess.run(
        [*allowed, f"{mount} && {sys.executable} -c '{IN_A_MOUNT}' {tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "done", result.stderr
    assert (nl.load(tmp_path / "source")["a"] == 2).all()


def test_a_read_only_file_is_not_replaced(folder):
    def work():
        write(folder / "model", b"old")
        (folder / "model").chmod(0o444)
        for action in (write, lambda path: require_writable(str(path))):
            with pytest.raises(PermissionError, match="change the permissions"):
                action(folder / "model")
        assert (folder / "model").read_bytes() == b"old"

    as_nobody(work)


def test_a_hard_link_still_names_the_old_file(tmp_path):
    write(tmp_path / "model", b"old")
    os.link(tmp_path / "model", tmp_path / "other")
    write(tmp_path / "model")
    assert ((tmp_path / "model").read_bytes(), (tmp_path / "other").read_bytes()) == (b"new", b"old")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away")
def test_owner_attributes_and_permissions_are_kept(tmp_path):
    path = tmp_path / "model"
    write(path, b"old")
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o640)
    try:
        os.setxattr(path, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    write(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, NOBODY, 0o640)
    assert os.getxattr(path, "user.note") == b"kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of another user")
def test_if_the_group_cannot_be_kept_no_other_group_gets_its_rights(folder):
    (folder / "model").write_bytes(b"old")
    (folder / "model").chmod(0o662)
    as_nobody(lambda: write(folder / "model"))
    status = (folder / "model").stat()
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, 0o622)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", errno.EISDIR), ("folder", errno.EISDIR), ("folder/", errno.EISDIR), ("new/", errno.EISDIR), ("a\0b", errno.EINVAL),
        ("nowhere/m", errno.ENOENT), ("file/m", errno.ENOTDIR), ("loop", errno.ELOOP), ("n" * 256, errno.ENAMETOOLONG),
        ("pipe", errno.EINVAL), ("/dev/null", errno.EINVAL), ("/dev/stdout", errno.EINVAL), ("dangling", errno.ENOENT),
    ],
)  # fmt: skip
def test_impossible_paths_are_named_before_and_at_the_save(tmp_path, monkeypatch, name, code):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere/m")
    os.mkfifo("pipe")
    before = sorted(os.listdir())
    for action, words in ((write, "cannot save the model"), (require_writable, "cannot write")):
        with pytest.raises(OSError, match=words) as caught:
            action(name)
        assert caught.value.errno == code
        assert repr(name)[1:-1] in str(caught.value) or name in str(caught.value)
    assert sorted(os.listdir()) == before


def test_names_that_are_not_valid_text(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    require_writable(name)
    nl.save(name, {"a": np.ones(2)})
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9"]
    assert (nl.load(name)["a"] == 1).all()


def test_text_is_utf8_and_goes_straight_into_pipes_and_devices(tmp_path, run_python):
    write_text(tmp_path / "text", "Äß猫\udce9", "the text")
    assert (tmp_path / "text").read_bytes() == "Äß猫".encode() + b"\xe9"
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    require_writable(str(tmp_path / "pipe"), streams=True)
    write_text(tmp_path / "pipe", "猫", "the text")
    reader.join()
    assert got == ["猫".encode()]
    with pytest.raises(OSError, match="cannot write the text: No space left"):
        write_text("/dev/full", "a", "the text")
    assert os.path.exists("/dev/full")
    code = "from nnlite.files.atomic import write_text; print('a', flush=True); write_text('/dev/stdout', 'b', 'x'); print('c')"
    assert run_python(code) == "a\nbc"


def test_a_redirection_is_appended_to_not_replaced(tmp_path):
    (tmp_path / "log").write_bytes(b"kept\n")
    with (tmp_path / "log").open("ab") as log:
        code = "from nnlite.files.atomic import write_text; write_text('/dev/stdout', 'new', 'x')"
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert (tmp_path / "log").read_bytes() == b"kept\nnew"
