"""Loads the extension with private settings for its OpenMP runtime, which reads them once, at its start.

By default an idle libgomp thread spins for milliseconds: beside other programs, two threads then train up to ten times slower than
one. A thousand spins (some 15 us) bridge the gap between two kernels of a step and cost a loaded machine nothing. GOMP_SPINCOUNT or
OMP_WAIT_POLICY in the environment override this.

joblib tells LLVM's runtime not to reset itself at a fork, which a forked child needs to train.
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
