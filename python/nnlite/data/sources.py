"""Data by name: toy data, scikit-learn's small sets, folders of IDX files, .npz and .csv files."""

import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import toy
from .idx import find_idx, read_idx
from .tabular import Preprocessor, read_csv

Array = np.ndarray[Any, Any]

TOYS: dict[str, Callable[[int], tuple[Array, Array]]] = {
    "spirals": lambda seed: toy.make_spirals(1500, seed=seed),
    "moons": lambda seed: toy.make_moons(1000, noise=0.1, seed=seed),
    "circles": lambda seed: toy.make_circles(1000, noise=0.05, factor=0.5, seed=seed),
    "xor": lambda seed: toy.make_xor(1000, seed=seed),
    "blobs": lambda seed: toy.make_blobs(1000, seed=seed),
    "regression": lambda seed: toy.make_regression(1000, noise=5.0, seed=seed),
}
SKLEARN = ("digits", "breast_cancer", "iris", "wine", "diabetes")


@dataclass
class Source:
    """Rows for training: x (N, features) float32, y (N,) int64 classes or float32 values (standardised by mean and scale)."""

    name: str
    x: Array
    y: Array
    class_names: list[str] | None = None
    test: tuple[Array, Array] | None = None
    scaling: dict[str, Any] = field(default_factory=dict)  # how inputs were made, for the model file
    target_mean: float = 0.0
    target_scale: float = 1.0

    @property
    def is_classification(self) -> bool:
        """Whether y holds classes."""
        return self.class_names is not None


def load_source(name: str, target: str | None = None, seed: int = 0) -> Source:
    """Data by name or path; ValueError that says what there is for anything else, ImportError naming the extra."""
    if name in TOYS:
        x, y = TOYS[name](seed)
        return _standardised(name, x, y, None)
    if name in SKLEARN:
        return _from_sklearn(name)
    path = Path(name)
    if path.is_dir():
        return _from_idx(path)
    if not path.exists():
        raise ValueError(f"there is no data {name!r}: give a file (.csv, .npz), a folder of IDX files, or one of {', '.join([*TOYS, *SKLEARN])}")
    if path.suffix == ".npz":
        return _from_npz(path)
    if path.suffix == ".csv":
        return _from_csv(path, target)
    raise ValueError(f"{name} is neither a .csv nor a .npz file nor a folder of IDX files")


def read_inputs(name: str, scaling: dict[str, Any], seed: int = 0) -> Array:
    """Inputs for a trained model, made as those that it was trained on."""
    path = Path(name)
    if "preprocessor" in scaling:
        if path.suffix != ".csv":
            raise ValueError(f"this model was trained on a CSV file; {name} is none")
        return Preprocessor.from_dict(scaling["preprocessor"]).inputs(read_csv(path))
    if name in TOYS:
        x = TOYS[name](seed)[0]
    elif name in SKLEARN:
        x = _sklearn_bunch(name).data
    elif path.suffix == ".npz":
        x = _npz_arrays(path, need_target=False)[0]
    elif path.is_dir():
        x = _idx_pair(path, "t10k" if find_idx(path, "t10k", "images") else "train")[0]
    elif path.suffix == ".csv":
        table = read_csv(path)
        x = np.array([[float(cell) for cell in row] for row in zip(*table.columns.values(), strict=True)])
    else:
        raise ValueError(f"there is no data {name!r}")
    return _scaled(np.asarray(x), scaling)


def _scaled(x: Array, scaling: dict[str, Any]) -> Array:
    flat = x.reshape(len(x), -1).astype(np.float64)
    mean, scale = np.asarray(scaling["mean"]), np.asarray(scaling["scale"])
    if mean.size not in (1, flat.shape[1]):
        raise ValueError(f"the model takes {mean.size} features, the data has {flat.shape[1]}")
    return np.asarray((flat - mean) / scale).astype(np.float32)


def _classes(y: Array) -> tuple[Array, list[str]] | None:
    if y.dtype.kind == "f" and not np.all(y == np.round(y)):
        return None
    if y.dtype.kind == "f" and len(np.unique(y)) > 20:
        return None
    names, labels = np.unique(y, return_inverse=True)
    return labels.astype(np.int64), [str(name) for name in names]


def _standardised(name: str, x: Array, y: Array, class_names: list[str] | None, pixels: float = 0.0) -> Source:
    """Each feature to mean 0 and standard deviation 1, or pixels to [0, 1]; a quantity likewise."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    mean = np.zeros(1) if pixels else flat.mean(0)
    deviation = np.full(1, pixels) if pixels else flat.std(0)
    scaling = {"mean": mean.tolist(), "scale": np.where(deviation > 0, deviation, 1.0).tolist()}
    inputs = _scaled(flat, scaling)
    classes = _classes(np.asarray(y))
    if classes is not None:
        return Source(name, inputs, classes[0], class_names or classes[1], None, scaling)
    centre, width = float(np.mean(y)), float(np.std(y)) or 1.0
    return Source(name, inputs, ((y - centre) / width).astype(np.float32), None, None, scaling, centre, width)


def _sklearn_bunch(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f"the data {name!r} comes with scikit-learn: pip install 'nnlite[sklearn]'") from None
    return getattr(datasets, f"load_{name}")()


def _from_sklearn(name: str) -> Source:
    bunch = _sklearn_bunch(name)
    names = [str(n) for n in bunch.target_names] if "target_names" in bunch else None
    return _standardised(name, bunch.data, bunch.target, names, 16.0 if name == "digits" else 0.0)


def _idx_pair(folder: Path, part: str) -> tuple[Array, Array]:
    images, labels = find_idx(folder, part, "images"), find_idx(folder, part, "labels")
    if images is None or labels is None:
        raise ValueError(f"{folder} has no {part}-images-idx3-ubyte and {part}-labels-idx1-ubyte (plain or .gz)")
    x, y = read_idx(images), read_idx(labels)
    if len(x) != len(y):
        raise ValueError(f"{images.name} has {len(x)} images and {labels.name} {len(y)} labels")
    return x, y


def _from_idx(folder: Path) -> Source:
    x, y = _idx_pair(folder, "train")
    source = _standardised(str(folder), x, y, None, 255.0)
    if find_idx(folder, "t10k", "images") is not None:
        test_x, test_y = _idx_pair(folder, "t10k")
        source.test = (_scaled(test_x, source.scaling), test_y.astype(np.int64))
    return source


def _npz_arrays(path: Path, need_target: bool) -> tuple[Array, Array | None, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = np.load(path, allow_pickle=False)
            arrays = {key: file[key] for key in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError, NotImplementedError, AttributeError) as error:
        raise ValueError(f"{path} is not a readable .npz file of plain arrays: {error}") from None
    x = next((arrays[k] for k in ("x", "X", "x_train", "data") if k in arrays), None)
    y = next((arrays[k] for k in ("y", "Y", "y_train", "target") if k in arrays), None)
    if x is None or x.ndim < 2 or (need_target and (y is None or y.ndim != 1 or len(y) != len(x))):
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items())
        raise ValueError(f"{path} needs arrays x (N, features) and y (N,); it has {shapes or 'none'}")
    return x, y, arrays


def _from_npz(path: Path) -> Source:
    x, y, arrays = _npz_arrays(path, need_target=True)
    assert y is not None
    source = _standardised(path.name, x, y, None, 255.0 if x.dtype == np.uint8 else 0.0)
    if "x_test" in arrays and "y_test" in arrays and source.is_classification:
        assert source.class_names is not None
        labels = np.searchsorted(np.unique(y), arrays["y_test"])
        source.test = (_scaled(arrays["x_test"], source.scaling), labels.astype(np.int64))
    return source


def _from_csv(path: Path, target: str | None) -> Source:
    table = read_csv(path)
    if target is None:
        target = list(table.columns)[-1]
    preprocessor = Preprocessor.fit(table, target)
    return Source(
        path.name,
        preprocessor.inputs(table),
        preprocessor.targets(table),
        preprocessor.class_names,
        None,
        {"preprocessor": preprocessor.to_dict()},
        preprocessor.target_mean,
        preprocessor.target_scale,
    )
