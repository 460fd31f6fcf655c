"""nnlite trains small neural networks on CPUs: fast, small, and with the same bits on every machine."""

from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from . import _startup as _startup  # isort: skip

# Imported here first: from nested imports, at the edge of a block of Python's stack, NumPy takes 10 ms longer.
import numpy as _numpy  # noqa: F401

from . import _openmp as _openmp
from . import autograd, nn
from ._core import (
    Generator,
    Tensor,
    get_num_threads,
    is_grad_enabled,
    manual_seed,
    set_num_threads,
    show_config,
)
from .autograd import enable_grad, gradcheck, inference_mode, no_grad, set_grad_enabled
from .dtypes import (
    bool,
    double,
    dtype,
    finfo,
    float,
    float32,
    float64,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    short,
    uint8,
)
from .errors import CaptureError, DivergenceError, ModelFileError
from .naming import publish as _publish
from .ops import FUNCTIONS as _FUNCTIONS
from .ops import load as _load_function
from .tensors import (
    arange,
    as_tensor,
    cat,
    concatenate,
    from_numpy,
    full,
    maximum,
    minimum,
    ones,
    ones_like,
    rand,
    randn,
    stack,
    tensor,
    where,
    zeros,
    zeros_like,
)

if TYPE_CHECKING:
    from . import callbacks, data, distributions, func, metrics, optim, utils
    from .devices import accelerator, backends, cuda, device, mps, xpu
    from .files.model_file import load, save
    from .loading import load_model
    from .training import Predictor, Trainer
    from .training.history import History

__version__ = "0.1.0"

Size: type[tuple[Any, ...]] = tuple

__all__ = [
    "CaptureError", "DivergenceError", "Generator", "History", "ModelFileError", "Predictor", "Size", "Tensor", "Trainer",
    "accelerator", "arange", "as_tensor", "autograd", "backends", "bool", "callbacks", "cat", "concatenate", "cuda", "data", "device",
    "distributions",
    "double", "dtype", "e", "enable_grad", "finfo", "float", "float32", "float64", "from_numpy", "full", "func", "get_num_threads",
    "gradcheck", "iinfo", "inf", "inference_mode", "int", "int16", "int32", "int64", "int8", "is_grad_enabled", "load", "load_model",
    "long", "manual_seed", "maximum", "metrics", "minimum", "mps", "nan", "nn", "no_grad", "ones", "ones_like", "optim", "pi", "rand",
    "randn", "save", "set_grad_enabled", "set_num_threads", "short", "show_config", "stack", "tensor", "uint8", "utils", "where", "xpu",
    "zeros", "zeros_like", *sorted(_FUNCTIONS),
]  # fmt: skip

# Imported when first used: `import nnlite` stays within 20 ms of `import numpy`.
_LAZY = {
    "History": "training.history",
    "Predictor": "training",
    "Trainer": "training",
    "accelerator": "devices",
    "backends": "devices",
    "callbacks": "callbacks",
    "cuda": "devices",
    "data": "data",
    "distributions": "distributions",
    "func": "func",
    "device": "devices",
    "load": "files.model_file",
    "load_model": "loading",
    "metrics": "metrics",
    "mps": "devices",
    "optim": "optim",
    "save": "files.model_file",
    "utils": "utils",
    "xpu": "devices",
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        globals()[name] = function = _load_function(name)
        return function
    if name not in _LAZY:
        raise AttributeError(f"module 'nnlite' has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f".{_LAZY[name]}", __name__)
    value = getattr(module, name, module)
    globals()[name] = value
    return value


_publish(__name__)
