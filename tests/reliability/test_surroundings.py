"""Commands in shells, scripts, containers and services: exit code, message, and nothing lost."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import nnlite as nl
from children import begin_child

SECONDS = 60
NNLITE = f"{shlex.quote(sys.executable)} -m nnlite"
TRAIN = f"{NNLITE} train table.csv --epochs 2 --hidden 4 --save model"
ENDLESS = f"{NNLITE} train table.csv --epochs 1000000000 --hidden 4"
PREDICT = f"{NNLITE} predict old table.csv"
INFO = f"{NNLITE} info old"


@dataclass
class Surrounding:
    """A shell command and its expected outcome."""

    command: str
    code: int = 0
    message: str = ""  # a pattern of the last line on standard error
    output: str = ""  # a pattern on standard output
    makes: tuple[str, ...] = ()  # model files that must load afterwards
    environment: dict[str, str] = field(default_factory=dict)
    signals: tuple[int, ...] = ()  # sent after the training has started


def no_space(command: str) -> str:
    return f"unshare --mount --map-root-user sh -c {shlex.quote(command)}"


FULL = "cannot write to standard output: No space left"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "latin-1"}
NO_HOME = {"HOME": "/nowhere", "MPLCONFIGDIR": "/nowhere", "XDG_CACHE_HOME": "/nowhere"}

SURROUNDINGS = {
    # Streams
    "train, output closed": Surrounding(f"{TRAIN} --quiet >&-", message="model saved to model", makes=("model",)),
    "train, errors closed": Surrounding(f"{TRAIN} 2>&-", output="held-out accuracy", makes=("model",)),
    "train, input closed": Surrounding(f"{TRAIN} --quiet <&-", output="accuracy", message="model saved", makes=("model",)),
    "train, all closed": Surrounding(f"{TRAIN} <&- >&- 2>&-", makes=("model",)),
    "train, output full": Surrounding(f"{TRAIN} --json >/dev/full", 1, FULL, makes=("model",)),
    "train, errors full": Surrounding(f"{TRAIN} --progress plain 2>/dev/full", output="accuracy", makes=("model",)),
    "train, a bar on full errors": Surrounding(f"{TRAIN} --progress bar 2>/dev/full", output="accuracy", makes=("model",)),
    "train, errors into a broken pipe": Surrounding(
        f"{{ {TRAIN} --progress plain 2>&1 >out; echo $? >code; }} | true; cat out code", output=r"accuracy[^\n]*\n0", makes=("model",)
    ),
    "train, errors on output": Surrounding(f"{TRAIN} --progress plain 2>&1", output="epoch 2/2: ", makes=("model",)),
    "predict, output closed": Surrounding(f"{PREDICT} >&-"),
    "predict, output full": Surrounding(f"{PREDICT} >/dev/full", 1, FULL),
    "predict into head": Surrounding(f"{{ {PREDICT}; echo $? >code; }} | head -0; cat code", output="141"),
    "info into a pipe that nobody reads": Surrounding(f"{{ sleep 0.1; {INFO}; echo $? >code; }} | true; cat code", output="141"),
    "predict, errors closed, no such file": Surrounding(f"{NNLITE} predict old nothing.csv 2>&-", 1),
    "wrong usage, errors closed": Surrounding(f"{NNLITE} train --hidden x 2>&-", 2),
    "wrong usage, errors full": Surrounding(f"{NNLITE} train --hidden x 2>/dev/full", 2),
    "help, output full": Surrounding(f"{NNLITE} train --help >/dev/full", 1, FULL),
    "help into head": Surrounding(f"{{ {NNLITE} train --help; echo $? >code; }} | true; cat code", output="141|0"),
    # Languages
    "predict, an ASCII terminal": Surrounding(PREDICT, output=r"\\u732b|no", environment=ASCII),
    "predict, a Latin-1 terminal": Surrounding(PREDICT, output=r"\\u732b|no", environment=LATIN),
    "predict to a file, ASCII": Surrounding(f"{PREDICT} --output out && cat out", output="猫", environment=ASCII),
    "train, ASCII, a name that is no text": Surrounding(
        "cp table.csv \"$(printf 't\\351.csv')\" && " + TRAIN.replace("table.csv", "\"$(printf 't\\351.csv')\"") + " --quiet",
        output="accuracy", message="model saved", makes=("model",), environment=ASCII,
    ),
    "predict, a locale that does not exist": Surrounding(f"env LC_ALL=xx_YY.UTF-8 {PREDICT} --output out && cat out", output="猫"),
    # Files
    "train, saving into a full disk": Surrounding(
        no_space(f"mkdir d && mount -t tmpfs -o size=4k tmpfs d && {TRAIN.replace('--hidden 4 --save model', '--hidden 99,99 --save d/model')} --json"),
        1, "No space left.*; the model is in .*/nnlite-.*/model instead", output="accuracy",
    ),
    "train, saving into a read-only disk": Surrounding(
        no_space(f"mkdir d && mount -t tmpfs tmpfs d && mount -o remount,ro d && {ENDLESS} --save d/model"), 1, "Read-only file system",
    ),
    "train onto a mounted file": Surrounding(
        no_space(f"touch model && mount --bind old model && {TRAIN} --quiet && cp model copy && umount model && mv copy model"),
        output="accuracy", message="model saved", makes=("model", "old"),
    ),
    "train, a small limit on files": Surrounding(f"ulimit -f 1; {TRAIN.replace('4', '99,99')} --json", 1, "File too large"),
    "predict, a small limit on files": Surrounding(f"(ulimit -f 0; {PREDICT} --output out) 2>&1 | cat >&2; exit ${{PIPESTATUS[0]}}", 1, "cannot save the predictions"),
    "train, few open files": Surrounding(f"ulimit -n 16; {TRAIN} --quiet", output="accuracy", message="model saved", makes=("model",)),
    "train, no core, no home": Surrounding(
        f"ulimit -c 0; {TRAIN} --quiet --plot c.png", output="accuracy", message="curves saved to c.png", makes=("model",), environment=NO_HOME,
    ),
    "train, a picture without a display": Surrounding(
        f"{TRAIN} --plot c", output="accuracy", message="curves saved to c.png", makes=("model",), environment={"MPLBACKEND": "nonsense", "DISPLAY": ""},
    ),
    "train, umask 777": Surrounding(f"umask 777; {TRAIN}; chmod 600 model", output="accuracy", message="model saved", makes=("model",)),
    "train, a folder that has gone": Surrounding(
        f"mkdir d; cd d; rmdir ../d; {NNLITE} train moons --save model --epochs 1000000000", 1, "cannot write model",
    ),
    "predict into /dev/stdout, appended": Surrounding(f"echo kept >log; {PREDICT} --output /dev/stdout >>log; cat log", output="kept\n(no|猫)"),
    "predict into a process": Surrounding(f"mkfifo f; cat f >out & {PREDICT} --output f; wait; cat out", output="猫"),
    "predict into /dev/full": Surrounding(f"{PREDICT} --output /dev/full", 1, "/dev/full: cannot write the predictions: No space left"),
    "train, data onto itself": Surrounding(f"{NNLITE} train table.csv --save table.csv", 1, "--overwrite"),
    # Signals
    "train, Ctrl-C": Surrounding(f"exec {ENDLESS} --save model", -signal.SIGINT, "interrupted", signals=(signal.SIGINT,), makes=("model.interrupted",)),
    "train, SIGTERM": Surrounding(f"exec {ENDLESS} --save model", -signal.SIGTERM, "ended by Terminated", signals=(signal.SIGTERM,), makes=("model.interrupted",)),
    "train, the terminal closes": Surrounding(f"exec {ENDLESS} --checkpoint run", -signal.SIGHUP, "ended by Hangup", signals=(signal.SIGHUP,), makes=("run/checkpoint.safetensors",)),
    "train under nohup": Surrounding(f"exec nohup {ENDLESS} --checkpoint run", -signal.SIGTERM, "ended by Terminated", signals=(signal.SIGHUP, signal.SIGTERM), makes=("run/checkpoint.safetensors",)),
    "train, Ctrl-C ignored": Surrounding(f"trap '' INT; exec {ENDLESS} --checkpoint run", -signal.SIGTERM, "ended by Terminated", signals=(signal.SIGINT, signal.SIGTERM), makes=("run/checkpoint.safetensors",)),
    "train, kill -9": Surrounding(f"exec {ENDLESS} --checkpoint run", -signal.SIGKILL, signals=(signal.SIGKILL,), makes=("run/checkpoint.safetensors",)),
    "train, Ctrl-C twice": Surrounding(f"exec {ENDLESS} --checkpoint run", -signal.SIGINT, "", signals=(signal.SIGINT, signal.SIGINT), makes=("run/checkpoint.safetensors",)),
    "a loop of trainings, Ctrl-C": Surrounding(f"for i in 1 2 3; do {ENDLESS}; echo again; done", -signal.SIGINT, "interrupted", signals=(signal.SIGINT,)),
    "train, SIGPIPE ignored": Surrounding(f"trap '' PIPE; {{ {PREDICT}; echo $? >code; }} | true; cat code", output="141"),
}  # fmt: skip
ORDINARY = 4  # an ordinary run tries every n-th


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A folder with a table, and a model trained on it."""
    folder = tmp_path_factory.mktemp("template")
    rows = "".join(f"{i % 7},{i % 5},{'猫' if i % 7 < 3 else 'no'}\n" for i in range(70))
    (folder / "table.csv").write_text("a,b,kind\n" + rows, "utf-8")
    command = [sys.executable, "-m", "nnlite", "train", "table.csv", "--epochs", "60", "--save", "old", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "the training does not start"
        time.sleep(0.02)


def run_in(folder: Path, case: Surrounding) -> tuple[int, str, str]:
    """(code, standard output, standard error) of a shell with the command."""
    out, err = folder / "stdout", folder / "stderr"
    variables = {**os.environ, "TMPDIR": str(folder / "tmp"), **case.environment}
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            ["bash", "-c", case.command], cwd=folder, env=variables, stdout=out_file, stderr=err_file,
            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=begin_child,
        )  # fmt: skip
        try:
            for number in case.signals:
                wait_for(lambda: b"rows to train on" in contents(out) + contents(folder / "nohup.out"))
                time.sleep(0.4)
                if process.poll() is None:
                    os.killpg(process.pid, number)
            code = process.wait(SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return code, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")


def faults_of(folder: Path, name: str) -> list[str]:
    """The faults found after the command of one surrounding."""
    case = SURROUNDINGS[name]
    before = {kept: (folder / kept).read_bytes() for kept in ("table.csv", "old")}
    code, out, err = run_in(folder, case)
    if "unshare" in case.command and re.search("unshare|mount", err):
        return []  # this machine lets no user mount a file system
    last = err.splitlines()[-1] if err.strip() else ""
    faults = [
        f"{kept} has changed"
        for kept, data in before.items()
        if (folder / kept).read_bytes() != data and kept not in case.makes
    ]
    if code != case.code:
        faults.append(f"code {code}, not {case.code}")
    if not (re.search(case.message, last) if case.message else last == "" or case.signals):
        faults.append(f"the message {last!r}, not {case.message!r}")
    if not re.search(case.output, out):
        faults.append(f"the output {out[-200:]!r}, not {case.output!r}")
    if "Traceback" in out + err or "Exception ignored" in out + err:
        faults.append("a traceback")
    if "nnlite: error" in out:
        faults.append("a message on standard output")
    for made in case.makes:
        try:
            nl.load(folder / made)
        except (OSError, ValueError) as error:
            faults.append(f"no whole model: {error}")
    left = [path.name for path in folder.rglob(".nnlite-*")]
    if left and signal.SIGKILL not in case.signals:
        faults.append(f"{left} left behind")
    return [f"{name}: {fault}\n{err[-800:]}" for fault in faults]


def test_commands_in_all_surroundings(template, tmp_path, proof):
    count = proof.trials(len(SURROUNDINGS), len(SURROUNDINGS) // ORDINARY)
    names = list(SURROUNDINGS)[:: max(1, len(SURROUNDINGS) // count)]
    folders = [tmp_path / str(at) for at in range(len(names))]
    for folder in folders:
        shutil.copytree(template, folder)
        (folder / "tmp").mkdir()
    with ThreadPoolExecutor(2) as pool:
        faults = [fault for found in pool.map(faults_of, folders, names) for fault in found]
    assert not faults, "\n".join(faults)
    proof.report("commands in odd surroundings: code, message, nothing lost", len(names))


def test_ctrl_c_during_the_imports_shows_no_traceback(tmp_path, proof):
    """From the moment the package is imported; before that, Python itself is starting."""
    trials = proof.trials(60, 3)
    for trial in range(trials):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "nnlite", "info"], cwd=tmp_path, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True, bufsize=1, preexec_fn=begin_child,
        )  # fmt: skip
        assert process.stderr is not None
        with process.stderr:
            while "nnlite._startup" not in process.stderr.readline():
                assert process.poll() is None
            time.sleep(0.15 * trial / trials)
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
        code = process.wait(SECONDS)
        said = [line for line in rest.splitlines() if not line.startswith("import time:")]
        assert code in (-signal.SIGINT, 0), (code, rest)
        assert said in ([], ["nnlite: error: interrupted"]), rest
    proof.report("Ctrl-C while the command line imports", trials, "no traceback")
