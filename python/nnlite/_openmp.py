"""Loads the extension with a short busy-wait for its threads.

libgomp reads its settings once, when it is loaded. By its own default a thread that waits for work spins for milliseconds: where other
programs want the cores too, two threads then train up to ten times slower than one. A thousand turns (some 15 us) bridge the gap between
two kernels of a step and cost a loaded machine nothing. GOMP_SPINCOUNT or OMP_WAIT_POLICY in the environment decide otherwise.
"""

import os

_unset = "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ
if _unset:
    os.environ["GOMP_SPINCOUNT"] = "1000"
from . import _core  # noqa: E402, F401

if _unset:
    del os.environ["GOMP_SPINCOUNT"]  # nobody else's setting
