"""The number of threads: settings in order of precedence, limits set by other libraries, and limits of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl

COUNT = "import nnlite as nl; print(nl.get_num_threads())"
VARIABLES = ("NNLITE_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "LOKY_MAX_CPU_COUNT")


def in_environment(code: str = COUNT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def threads(code: str = COUNT, **environment: str) -> list[int]:
    done = in_environment(code, **environment)
    assert done.returncode == 0, done.stderr
    return [int(count) for count in done.stdout.split()]


CORES = nl.show_config()["cores"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, CORES),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": " 5, 2 "}, 5),
        ({"OMP_NUM_THREADS": "abc"}, CORES),
        ({"OMP_NUM_THREADS": "0"}, CORES),
        ({"OMP_NUM_THREADS": "-2"}, CORES),
        ({"NNLITE_NUM_THREADS": "4", "OMP_NUM_THREADS": "3"}, 4),
        ({"NNLITE_NUM_THREADS": "", "OMP_NUM_THREADS": "3"}, 3),
        ({"NNLITE_NUM_THREADS": "4", "OMP_THREAD_LIMIT": "2"}, 2),
        ({"LOKY_MAX_CPU_COUNT": "1"}, 1),
        ({"LOKY_MAX_CPU_COUNT": "1", "OMP_NUM_THREADS": "3"}, 3),
        ({"LOKY_MAX_CPU_COUNT": "x"}, CORES),
    ],
)
def test_precedence(environment, expected) -> None:
    assert threads(**environment) == [expected]


def test_a_setting_of_the_program_overrides_the_environment() -> None:
    code = "import nnlite as nl; nl.set_num_threads(3); print(nl.get_num_threads())"
    assert threads(code, NNLITE_NUM_THREADS="5", OMP_NUM_THREADS="7") == [3]
    assert threads(code, OMP_THREAD_LIMIT="2") == [2]


@pytest.mark.parametrize("value", ["99999999999", "1025", "abc", "0", "-1", "2,1", " "])
def test_a_bad_number_in_the_environment_is_an_error(value) -> None:
    done = in_environment(NNLITE_NUM_THREADS=value)
    assert done.returncode == 1
    assert f"NNLITE_NUM_THREADS={value} is not an integer from 1 to 1024" in done.stderr


def test_an_affinity_mask_is_obeyed() -> None:
    code = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {COUNT}"
    assert threads(code) == [1]


@pytest.mark.parametrize("count", [1, 3, np.int64(2), 1024])
def test_valid_counts(count) -> None:
    nl.set_num_threads(count)
    assert nl.get_num_threads() == count


@pytest.mark.parametrize("count", [0, -1, 1025, 10**30, -(10**30)])
def test_counts_out_of_range(count) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 1024, got {count}"):
        nl.set_num_threads(count)


@pytest.mark.parametrize("count", [2.0, "2", None, True, [2]])
def test_invalid_counts(count) -> None:
    with pytest.raises(TypeError, match="must be an integer, got "):
        nl.set_num_threads(count)


LIMITS = """
import threading
import nnlite as nl
from threadpoolctl import threadpool_limits
def show(): print(nl.get_num_threads())
nl.set_num_threads(4)
show()
for _ in range(2):
    with threadpool_limits(1):
        show()
        other = threading.Thread(target=show)  # which has no limit
        other.start()
        other.join()
        nl.set_num_threads(5)  # later than the limit
        show()
    show()
    nl.set_num_threads(4)
"""


def test_a_limit_applies_to_the_calling_thread() -> None:
    pytest.importorskip("threadpoolctl")
    assert threads(LIMITS, OMP_NUM_THREADS="3") == [4, *[1, 4, 5, 5] * 2]


def test_a_limit_keeps_the_team_small() -> None:
    pytest.importorskip("threadpoolctl")
    code = """
import os
import numpy as np, nnlite as nl
from threadpoolctl import threadpool_limits
x = nl.tensor(np.ones((600, 600), np.float32))
def new_threads():
    before = len(os.listdir("/proc/self/task"))
    x @ x
    print(len(os.listdir("/proc/self/task")) - before)
with threadpool_limits(1):
    new_threads()
new_threads()
"""
    assert threads(code, OMP_NUM_THREADS="3") == [0, 2]


def test_a_joblib_worker_uses_only_its_share() -> None:
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        counts = joblib.Parallel(n_jobs=2)(joblib.delayed(nl.get_num_threads)() for _ in range(2))
    assert counts == [1, 1]


# Quotas of control groups, in files as the kernel writes them


def machine(root: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(root)


SECOND = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
FIRST = (
    "25 21 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "30 25 0:27 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"
    "31 25 0:28 {group} /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param({}, None, id="no files"),
        pytest.param({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5, id="a container's own view"),
        pytest.param({"proc/self/mountinfo": "", "sys/fs/cgroup/cpu.max": "5 10\n"}, 0.5, id="no list of mounts"),
        pytest.param({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None, id="no limit"),
        pytest.param({"sys/fs/cgroup/cpu.max": "max"}, None, id="cut short"),
        pytest.param({"sys/fs/cgroup/cpu.max": "nonsense here"}, None, id="nonsense"),
        pytest.param(
            {"proc/self/cgroup": "0::/a.slice/b.scope\n", "sys/fs/cgroup/a.slice/b.scope/cpu.max": "20000 10000\n"},
            2.0,
            id="the process's own group",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a/b/c\n",
                "sys/fs/cgroup/a/b/c/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
            },
            0.5,
            id="a group around it",
        ),
        pytest.param(
            {
                "proc/self/mountinfo": SECOND.replace("0:26 / ", "0:26 /a "),
                "proc/self/cgroup": "0::/ab\n",
                "sys/fs/cgroup/cpu.max": "300000 100000\n",
                "sys/fs/cgroupb/cpu.max": "100000 100000\n",
            },
            3.0,
            id="a group whose name begins like the mount's",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
            1.0,
            id="a group outside the namespace",
        ),
    ],
)
def test_quotas_of_version_2(files, quota, tmp_path) -> None:
    root = machine(tmp_path, {"proc/self/mountinfo": SECOND, **files})
    assert nl._core.cpu_quota(root) == quota


@pytest.mark.parametrize(
    ("shown", "files", "quota"),
    [
        pytest.param("/", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None, id="no limit"),
        pytest.param("/", {"cpu.cfs_quota_us": "250000", "cpu.cfs_period_us": "100000"}, 2.5, id="at the top"),
        pytest.param(
            "/",
            {
                "docker/1f/cpu.cfs_quota_us": "-1",
                "docker/1f/cpu.cfs_period_us": "100000",
                "docker/cpu.cfs_quota_us": "30000",
                "docker/cpu.cfs_period_us": "10000",
            },
            3.0,
            id="a group around it",
        ),
        pytest.param(
            "/docker/1f", {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000"}, 1.5, id="a container's mount"
        ),
        pytest.param(
            "/docker",
            {"1f/cpu.cfs_quota_us": "150000", "1f/cpu.cfs_period_us": "100000"},
            1.5,
            id="a mount that shows a part",
        ),
    ],
)
def test_quotas_of_version_1(shown, files, quota, tmp_path) -> None:
    groups = {
        "proc/self/mountinfo": FIRST.replace("{group}", shown),
        "proc/self/cgroup": "5:cpuset:/elsewhere\n4:cpu,cpuacct:/docker/1f\n0::/\n",
    }
    root = machine(tmp_path, {**groups, **{f"sys/fs/cgroup/cpu,cpuacct/{name}": text for name, text in files.items()}})
    assert nl._core.cpu_quota(root) == quota


def test_the_smallest_quota_of_both_versions_applies(tmp_path) -> None:
    both = FIRST.replace("{group}", "/") + SECOND.replace("/sys/fs/cgroup rw", "/sys/fs/cgroup/unified rw")
    files = {
        "proc/self/mountinfo": both,
        "proc/self/cgroup": "4:cpu,cpuacct:/x\n0::/y\n",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "200000",
        "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/unified/y/cpu.max": "110000 100000",
    }
    assert nl._core.cpu_quota(machine(tmp_path, files)) == 1.1
