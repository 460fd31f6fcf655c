"""Loads the extension with settings of its OpenMP runtime that are nobody else's: it reads them once, when it starts.

By its own default a thread of libgomp that waits for work spins for milliseconds: where other programs want the cores too, two threads
then train up to ten times slower than one. A thousand turns (some 15 us) bridge the gap between two kernels of a step and cost a loaded
machine nothing. GOMP_SPINCOUNT or OMP_WAIT_POLICY in the environment decide otherwise.

joblib tells LLVM's runtime to do nothing at a fork. Here a forked child trains on, and needs it to begin anew.
"""

import os

_settings = {"KMP_INIT_AT_FORK": "TRUE"}
if "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ:
    _settings["GOMP_SPINCOUNT"] = "1000"
_before = {name: os.environ.get(name) for name in _settings}
os.environ.update(_settings)
try:
    from . import _core  # noqa: F401
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value
