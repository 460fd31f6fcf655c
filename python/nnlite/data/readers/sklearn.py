"""scikit-learn's small data sets, by name."""

from typing import Any

import numpy as np

from ..scaling import Arrays

Array = np.ndarray[Any, Any]
SKLEARN = ("digits", "breast_cancer", "iris", "wine", "diabetes")
DESCRIPTION = f"{', '.join(SKLEARN)} (with scikit-learn)"


def matches(name: str) -> bool:
    """Whether `name` is one of them."""
    return name in SKLEARN


def load(name: str, seed: int = 0) -> Arrays:
    """The whole set; ImportError that names the extra if scikit-learn is missing."""
    bunch = _bunch(name)
    names = [str(n) for n in bunch.target_names] if "target_names" in bunch else None
    return Arrays(name, bunch.data, bunch.target, names, pixels=16.0 if name == "digits" else 0.0)


def inputs(name: str, seed: int = 0) -> Array:
    """Only its inputs."""
    return np.asarray(_bunch(name).data)


def _bunch(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f"the data set {name!r} needs scikit-learn: pip install 'nnlite[sklearn]'") from None
    return getattr(datasets, f"load_{name}")()
