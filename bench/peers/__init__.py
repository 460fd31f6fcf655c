"""The peers, one module each.

A module has `prepare(threads, quick)`, which sets up its package and returns the reason why it cannot take part, if any; and
`contestants(subject)`, its equivalents of a subject of nnlite.bench, if any. A module is imported only if its packages are
installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping

from nnlite.bench.results import Peers, Subject
from nnlite.bench.timing import Repeat

# Each module, and the packages it needs.
PEERS = {
    "numpy_by_hand": ["numpy"],
    "pytorch": ["torch"],
    "jax_scan": ["jax", "optax"],
    "scikit_learn": ["sklearn"],
    "onnx_runtime": ["onnxruntime"],
}


def installed() -> dict[str, bool]:
    """Each package that peers need, and whether it is installed."""
    packages = [package for needed in PEERS.values() for package in needed]
    return {package: importlib.util.find_spec(package) is not None for package in packages}


def versions() -> dict[str, str]:
    """The versions of the installed packages."""
    distributions = {"sklearn": "scikit-learn"}
    return {
        name: importlib.metadata.version(name)
        for name in (distributions.get(package, package) for package, here in installed().items() if here)
    }


def load(threads: int, quick: bool, say: Callable[[str], None]) -> Peers:
    """All installed peers as one; reports the missing ones through `say`."""
    here = installed()
    chosen: list[Callable[[Subject], Mapping[str, Repeat]]] = []
    for module, needed in PEERS.items():
        missing = [package for package in needed if not here[package]]
        if missing:
            say(f"{' and '.join(missing)} not installed: the columns of {module} are omitted")
            continue
        peer = importlib.import_module(f"{__name__}.{module}")
        reason: str | None = peer.prepare(threads, quick)
        if reason:
            say(reason)
        else:
            chosen.append(peer.contestants)

    def contestants(subject: Subject) -> dict[str, Repeat]:
        return {name: run for peer in chosen for name, run in peer(subject).items()}

    return contestants
