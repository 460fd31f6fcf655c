"""The peers, a module each.

A module has `prepare(threads, quick)`, which sets its package up and returns the reason why it cannot take part, if any; and
`contestants(subject)`, its ways to do the same as a subject of nnlite.bench, none where it has none. A module is imported only where
its packages are installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping

from nnlite.bench.results import Peers, Subject
from nnlite.bench.timing import Repeat

# Module here: the packages it needs.
PEERS = {
    "numpy_by_hand": ["numpy"],
    "pytorch": ["torch"],
    "jax_scan": ["jax", "optax"],
    "scikit_learn": ["sklearn"],
    "onnx_runtime": ["onnxruntime"],
}


def installed() -> dict[str, bool]:
    """Each peer's package, and whether it can be imported."""
    packages = [package for needed in PEERS.values() for package in needed]
    return {package: importlib.util.find_spec(package) is not None for package in packages}


def versions() -> dict[str, str]:
    """Of the installed peers."""
    distributions = {"sklearn": "scikit-learn"}
    return {
        name: importlib.metadata.version(name)
        for name in (distributions.get(package, package) for package, here in installed().items() if here)
    }


def load(threads: int, quick: bool, say: Callable[[str], None]) -> Peers:
    """The installed peers as one; says which are missing."""
    here = installed()
    chosen: list[Callable[[Subject], Mapping[str, Repeat]]] = []
    for module, needed in PEERS.items():
        missing = [package for package in needed if not here[package]]
        if missing:
            say(f"{' and '.join(missing)} not installed: the columns of {module} are left out")
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
