"""Data by name: toy data, scikit-learn's small sets, folders of IDX files, .npz and .csv files."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..errors import ModelFileError
from . import toy
from .idx import find_idx, read_idx
from .tabular import Preprocessor, numbers_of, read_csv

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
_AT_ONCE = 1 << 20  # numbers converted at a time, so that images take no float64 copy of them all
_MOST_CLASSES = 20  # floats that are whole numbers with at most so many different values are classes


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


def load_source(name: str, target: str | None = None, seed: int = 0, held_out: float = 0.0) -> Source:
    """Data by name or path: `target` is the column to predict from a CSV file (the last one unless told).

    `held_out` is the share of the rows that becomes the test set where the data brings none. They have no part in the means and
    deviations by which all rows are scaled.
    Integer and text targets are classes, and so are floats that are whole numbers with at most 20 different values. Raises
    ValueError that says what there is for anything else, ImportError naming the extra where scikit-learn is missing.
    """
    split = partial(_split, held_out, seed)
    if name in TOYS:
        return _standardised(name, *TOYS[name](seed), split)
    if name in SKLEARN:
        return _from_sklearn(name, split)
    path = _existing(name)
    if path.is_dir():
        return _from_idx(path, split)
    if path.suffix.lower() == ".npz":
        return _from_npz(path, split)
    if path.suffix.lower() == ".csv":
        return _from_csv(path, target, split)
    raise ValueError(f"{name} is neither a .csv nor a .npz file nor a folder of IDX files")


Split = Callable[[int], tuple[Any, Any]]


def _split(share: float, seed: int, rows: int) -> tuple[Any, Any]:
    """The rows to learn from, and those held out (None for no rows)."""
    held = int(rows * share)
    if held == 0:
        return slice(None), None
    order = _core.Generator(seed).permutation(rows, "split")
    return order[held:], order[:held]


_everything: Split = partial(_split, 0.0, 0)


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        known = ", ".join([*TOYS, *SKLEARN])
        raise ValueError(
            f"there is no data {name!r}: give a .csv or .npz file, a folder of IDX files, or one of {known}"
        )
    return path


def read_inputs(name: str, scaling: dict[str, Any], seed: int = 0) -> Array:
    """Inputs (N, features) float32 for a trained model, made as those that it was trained on (`Source.scaling`)."""
    if not isinstance(scaling, dict):
        raise ModelFileError("the file does not say how its model's inputs are made")
    if "preprocessor" in scaling:
        preprocessor = Preprocessor.from_dict(scaling["preprocessor"])
        if Path(name).suffix.lower() != ".csv":
            raise ValueError(f"this model was trained on a CSV file; {name} is none")
        return preprocessor.inputs(read_csv(name))
    return _scaled(name, _raw_inputs(name, seed), scaling)


def _raw_inputs(name: str, seed: int) -> Array:
    if name in TOYS:
        return TOYS[name](seed)[0]
    if name in SKLEARN:
        return np.asarray(_sklearn_bunch(name).data)
    path = _existing(name)
    if path.is_dir():
        images = find_idx(path, "t10k", "images") or find_idx(path, "train", "images")
        if images is None:
            raise ValueError(f"{path} has neither t10k-images-idx3-ubyte nor train-images-idx3-ubyte (plain or .gz)")
        return read_idx(images)
    if path.suffix.lower() == ".npz":
        return _inputs_of(path, _npz_arrays(path))
    if path.suffix.lower() == ".csv":
        return _numeric_table(path)
    raise ValueError(f"{name} is neither a .csv nor a .npz file nor a folder of IDX files")


def _numeric_table(path: Path) -> Array:
    columns = {column: numbers_of(cells) for column, cells in read_csv(path).columns.items()}
    text = next((column for column, numbers in columns.items() if numbers is None), None)
    if text is not None:
        raise ValueError(
            f"{path}: column {text!r} holds text, and this model was not trained on a table with categories"
        )
    return np.stack([numbers for numbers in columns.values() if numbers is not None], axis=1)


def _require_numeric(name: str, part: str, values: Array) -> None:
    if values.dtype.kind not in "iufb":
        raise ValueError(f"{name}: {part} has dtype {values.dtype}, which is not numeric")
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{name}: {part} is empty, its shape is {values.shape}")
    if values.dtype.kind != "f":
        return
    finite = np.isfinite(values)
    if not finite.all():
        index = tuple(int(i) for i in np.unravel_index(int((~finite).argmax()), values.shape))
        raise ValueError(f"{name}: {part} holds {values[index]} at index {index}; fill or drop such values first")


def _moments(name: str, part: str, values: Array) -> tuple[Array, Array]:
    """Means and standard deviations over the rows; the scale of a constant is 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise ValueError(f"{name}: {part} holds numbers that are too large; their mean or deviation is not finite")
    # The rounded mean of equal numbers need not be that number, nor their deviation 0.
    constant = (deviation == 0) | (values.min(0) == values.max(0))
    return np.where(constant, values[0], mean), np.where(constant, 1.0, deviation)


def _scaled(name: str, x: Array, scaling: dict[str, Any]) -> Array:
    """(x - mean) / scale of x (N, ...) as float32 (N, features), computed in float64."""
    _require_numeric(name, "x", x)
    mean, scale = _mean_and_scale(scaling)
    rows = x.reshape(len(x), -1)
    if mean.size not in (1, rows.shape[1]):
        raise ValueError(f"{name} has {rows.shape[1]} features, the model takes {mean.size}")
    result = np.empty(rows.shape, np.float32)
    step = max(1, _AT_ONCE // rows.shape[1])
    for begin in range(0, len(rows), step):
        piece = rows[begin : begin + step].astype(np.float64)
        with np.errstate(over="ignore"):
            result[begin : begin + step] = (piece - mean) / scale
    if not np.isfinite(result).all():
        raise ValueError(f"{name}: x holds numbers too large for float32, even after standardising")
    return result


def _mean_and_scale(scaling: dict[str, Any]) -> tuple[Array, Array]:
    try:
        mean, scale = (np.asarray(scaling[key], np.float64) for key in ("mean", "scale"))
    except (KeyError, TypeError, ValueError):
        raise ModelFileError("the file does not say how its model's inputs are made") from None
    if mean.ndim != 1 or mean.shape != scale.shape or not (np.isfinite(mean).all() and (scale > 0).all()):
        raise ModelFileError("the file does not say how its model's inputs are made")
    return mean, scale


def _distinct(name: str, y: Array) -> Array | None:
    """The different classes, sorted, or None for a quantity."""
    if y.dtype.kind not in "iufbUS" or y.shape[1:]:
        raise ValueError(f"{name}: y must hold a number or text for each row, got {y.dtype} of shape {y.shape}")
    values = np.unique(y)
    if y.dtype.kind == "f" and (len(values) > _MOST_CLASSES or not np.all(values == np.round(values))):
        return None
    return values


def _labels(name: str, y: Array, classes: Array) -> Array:
    """The position of each target among the classes of the training rows."""
    if y.ndim != 1 or (y.dtype.kind in "US") != (classes.dtype.kind in "US"):
        raise ValueError(f"{name}: targets of {y.dtype} and shape {y.shape} are no classes such as {classes[0]!r}")
    labels = np.searchsorted(classes, y)
    wrong = classes[np.minimum(labels, len(classes) - 1)] != y
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}: the target {y[row]} of test row {row} is no class of the training rows")
    return labels.astype(np.int64)


def _standardised(
    name: str, x: Array, y: Array, split: Split, class_names: list[str] | None = None, pixels: float = 0.0
) -> Source:
    """Each feature to mean 0 and standard deviation 1, or pixels to [0, 1]; a quantity likewise."""
    train, held = split(len(x))
    _require_numeric(name, "x", x)
    if y.dtype.kind == "f":
        _require_numeric(name, "y", y)
    mean, scale = (np.zeros(1), np.full(1, pixels)) if pixels else _moments(name, "x", x.reshape(len(x), -1)[train])
    scaling = {"mean": mean.tolist(), "scale": scale.tolist()}
    inputs, classes = _scaled(name, x, scaling), _distinct(name, y)
    if classes is not None:
        if len(classes) < 2:
            raise ValueError(f"{name}: y holds {classes[0]} in every row; there is nothing to learn")
        labels = _labels(name, y, classes)
        return Source(
            name, inputs[train], labels[train], class_names or _names(classes), _test_of(inputs, labels, held), scaling
        )
    centre, width = (float(value) for value in _moments(name, "y", y[train]))
    values = ((y - centre) / width).astype(np.float32)
    return Source(name, inputs[train], values[train], None, _test_of(inputs, values, held), scaling, centre, width)


def _test_of(inputs: Array, targets: Array, held: Any) -> tuple[Array, Array] | None:
    return None if held is None else (inputs[held], targets[held])


def _names(classes: Array) -> list[str]:
    """Whole numbers read the same whether they came as integers or as floats."""
    if classes.dtype.kind == "f":
        return [str(int(value)) for value in classes]
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in classes]


def _with_test(source: Source, y: Array, test_x: Array, test_y: Array) -> Source:
    """Adds a test set, whose targets are read as the training rows' `y` was."""
    if len(test_x) != len(test_y):
        raise ValueError(f"{source.name}: the test set has {len(test_x)} rows and {len(test_y)} targets")
    inputs = _scaled(source.name, test_x, source.scaling)
    if inputs.shape[1] != source.x.shape[1]:
        raise ValueError(
            f"{source.name}: the test set has {inputs.shape[1]} features, the training set {source.x.shape[1]}"
        )
    classes = _distinct(source.name, y)
    if classes is not None:
        targets = _labels(source.name, test_y, classes)
    else:
        _require_numeric(source.name, "the test set's y", test_y)
        targets = ((test_y - source.target_mean) / source.target_scale).astype(np.float32)
    source.test = (inputs, targets)
    return source


def _sklearn_bunch(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f"the data {name!r} comes with scikit-learn: pip install 'nnlite[sklearn]'") from None
    return getattr(datasets, f"load_{name}")()


def _from_sklearn(name: str, split: Split) -> Source:
    bunch = _sklearn_bunch(name)
    names = [str(n) for n in bunch.target_names] if "target_names" in bunch else None
    return _standardised(name, bunch.data, bunch.target, split, names, 16.0 if name == "digits" else 0.0)


def _idx_pair(folder: Path, part: str) -> tuple[Array, Array]:
    images, labels = find_idx(folder, part, "images"), find_idx(folder, part, "labels")
    if images is None or labels is None:
        raise ValueError(f"{folder} has no {part}-images-idx3-ubyte and {part}-labels-idx1-ubyte (plain or .gz)")
    x, y = read_idx(images), read_idx(labels)
    if len(x) != len(y):
        raise ValueError(f"{images.name} has {len(x)} images and {labels.name} {len(y)} labels")
    return x, y


def _from_idx(folder: Path, split: Split) -> Source:
    x, y = _idx_pair(folder, "train")
    has_test = find_idx(folder, "t10k", "images") is not None
    source = _standardised(str(folder), x, y, _everything if has_test else split, None, 255.0)
    if not has_test:
        return source
    return _with_test(source, y, *_idx_pair(folder, "t10k"))


def _npz_arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:  # apart, so that a file that cannot be opened stays an OSError
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return dict(np.load(file, allow_pickle=False))
        except Exception as error:  # a damaged archive shows as almost any type: zlib's, zipfile's, the header parser's
            raise ValueError(
                f"{path} is not a readable .npz file of plain arrays: {error or type(error).__name__}"
            ) from None


def _first(arrays: dict[str, Array], names: tuple[str, ...]) -> Array | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _shapes(arrays: dict[str, Array]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"


def _inputs_of(path: Path, arrays: dict[str, Array]) -> Array:
    x = _first(arrays, ("x", "X", "x_train", "X_train", "data"))
    if x is None or x.ndim < 2:
        raise ValueError(f"{path} needs an array x (N, features); it has {_shapes(arrays)}")
    return x


def _one_column(y: Array | None) -> Array | None:
    return y[:, 0] if y is not None and y.ndim == 2 and y.shape[1] == 1 else y


def _from_npz(path: Path, split: Split) -> Source:
    arrays = _npz_arrays(path)
    x, y = _inputs_of(path, arrays), _one_column(_first(arrays, ("y", "Y", "y_train", "target")))
    if y is None or y.ndim != 1 or len(y) != len(x):
        raise ValueError(f"{path} needs arrays x (N, features) and y (N,), one target a row; it has {_shapes(arrays)}")
    test_x, test_y = _first(arrays, ("x_test", "X_test")), _one_column(arrays.get("y_test"))
    has_test = test_x is not None and test_y is not None
    pixels = 255.0 if x.dtype == np.uint8 and x.size and x.max() > 1 else 0.0
    source = _standardised(path.name, x, y, _everything if has_test else split, None, pixels)
    if test_x is None or test_y is None:
        return source
    if test_x.ndim < 2 or test_y.ndim != 1:
        raise ValueError(f"{path} needs arrays x_test (N, features) and y_test (N,); it has {_shapes(arrays)}")
    return _with_test(source, y, test_x, test_y)


def _from_csv(path: Path, target: str | None, split: Split) -> Source:
    table = read_csv(path)
    train, held = split(len(table))
    preprocessor = Preprocessor.fit(table, list(table.columns)[-1] if target is None else target, train)
    inputs, targets = preprocessor.inputs(table), preprocessor.targets(table)
    return Source(
        path.name,
        inputs[train],
        targets[train],
        preprocessor.class_names,
        _test_of(inputs, targets, held),
        {"preprocessor": preprocessor.to_dict()},
        preprocessor.target_mean,
        preprocessor.target_scale,
    )
