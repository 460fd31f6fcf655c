"""Processes that the tests start answer Ctrl-C wherever they run, and end with them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent

PARENT = """
import os, subprocess, sys, time
from children import answer_ctrl_c, begin_child
answer_ctrl_c()
executed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], preexec_fn=begin_child)
forked = os.fork()
if forked == 0:
    time.sleep(600)
print(executed.pid, forked, flush=True)
time.sleep(600)
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_no_child_outlives_the_tests():
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=TESTS, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(number) for number in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(map(is_running, children))
        parent.kill()
    end = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(is_running, children))


INTERRUPTED = """
import os, signal, subprocess, sys, time
from children import answer_ctrl_c, begin_child
answer_ctrl_c()
child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
child.send_signal(signal.SIGINT)
print(child.wait())
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("answered")
"""


def test_ctrl_c_is_answered_in_the_background_of_a_script():
    command = ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, INTERRUPTED]
    result = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=50, check=True)
    assert result.stdout.split() == [str(-signal.SIGINT), "answered"]


def test_the_tests_themselves_answer():
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN
