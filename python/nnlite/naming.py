"""A clean dir() for modules, and errors for PyTorch's names that nnlite lacks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

_WHERE = (
    "nnlite",
    "nnlite.nn",
    "nnlite.nn.functional",
    "nnlite.nn.utils",
    "nnlite.optim",
    "nnlite.optim.lr_scheduler",
    "nnlite.data",
    "nnlite.autograd",
    "nnlite.autograd.functional",
)
_IMAGES = "nnlite has no image operations: flatten each image to a row for nn.Linear or nn.MLP"
_SEQUENCES = "nnlite has no recurrent layers: pass a window of the sequence as one row to nn.Linear or nn.MLP"
_ATTENTION = "nnlite has no attention: build it from nn.Linear, @, transpose and softmax"
_THREADS = "nnlite runs in one process on several threads: see nl.set_num_threads"
_COMPILED = "not needed: Trainer.fit and Predictor compile what they run"
_CPU = "nnlite runs on the CPU only: leave devices out"
_TYPES = "nnlite has float32, float64, int64 and bool"

_ACTIVATIONS = "nnlite has the activations {activations}, {composed}; write others in forward, from tensor operations"

# The first pattern that matches gives the advice; {part} becomes the names that the package's module `part` defines.
_ADVICE: dict[str, tuple[tuple[str, str], ...]] = {
    "nnlite.nn": (
        (r"(Lazy)?Conv|.*Pool\dd|.*Unpool|Upsampl|Pixel|.*Pad\dd|(Un)?[Ff]old$|Channel|CrossMap|LocalResp|.*[23]d$", _IMAGES),
        (r"RNN|LSTM|GRU", _SEQUENCES),
        (r"Transformer|Multihead|attention", _ATTENTION),
        (r".*Norm", "nnlite has {normalization}"),
        (r".*Dropout", "nnlite has {dropout}"),
        (r".*Loss", "nnlite has {losses}, {margin_losses}; any function of (output, target) that returns a Tensor of one number is a loss"),
        (r"DataParallel|parallel", _THREADS),
        (r"LazyLinear", "use nn.Linear with both sizes"),
        (r"Container", "nnlite has {containers}"),
        (r"Buffer|Uninitialized", "use register_buffer(name, array), and layers of known sizes"),
        (r"grad$", "gradients are clipped by nn.utils.clip_grad_norm_"),
        (r".*LU$", _ACTIVATIONS),
    ),
    "nnlite.nn.functional": (
        (r".*(conv|pool|fold|upsample|interpolate|pixel|grid|channel|local_resp|[23]d$)", _IMAGES),
        (r".*attention", _ATTENTION),
        (r".*(_loss|cross_entropy)", "any tensor expression that yields one number is a loss"),
    ),
    "nnlite.nn.utils": (
        (r"parametriz", "use nn.utils.weight_norm, nn.utils.spectral_norm, or a forward pre-hook"),
        (r"rnn", _SEQUENCES),
        (r".*", "nnlite.nn.utils has {utils}"),
    ),
    "nnlite.optim": (
        (r"swa_utils|swap", "average the arrays of state_dict() yourself"),
        (r"[A-Z]", "nnlite has {sgd}, {adam}, {adaptive}, {lbfgs}, and trains any Optimizer subclass with a step()"),
    ),
    "nnlite.data": ((r".*(Sampler|Dataset)$|default_co", "pass a TensorDataset, Subset, or objects with __len__ and __getitem__"),),
    "nnlite": (
        (r"(b?float|half|q?u?int|complex|cfloat|cdouble)\d*(x\d+)?$|[gs]et_default_dt", _TYPES),
        (r"cpu|mtia|get_default_dev|set_default_dev", _CPU),
        (r".*(Tensor|Storage)$|as_strided|asarray|frombuffer", "use nl.tensor, nl.zeros, nl.as_tensor or nl.from_numpy"),
        (r"compile|jit|fx$|export|onnx|_?dynamo", _COMPILED),
        (r"distributed|multiprocessing|futures|.*interop", _THREADS),
        (r"seed|initial_seed|.*rng_state|random", "use nl.manual_seed(seed) and nl.Generator(seed)"),
        (r".*(conv|pool|grid_samp|pixel|channel)", _IMAGES),
        (r"rnn|lstm|gru", _SEQUENCES),
    ),
}  # fmt: skip
_OTHERWISE = {"nnlite.nn": (r"[A-Z]", _ACTIVATIONS)}


def publish(name: str, lazy: Mapping[str, Iterable[str] | None] | None = None) -> None:
    """Gives the module `name` a dir() without its imports, and errors that say what to use instead of a missing name.

    These are AttributeError, or ImportError for `from module import name`. `lazy` maps sub-modules, imported on first use, to
    the names they define; None is all their public names, which are added to the module's __all__.
    """
    module = sys.modules[name]
    own = module.__dict__.get("__getattr__")
    homes = {key: home for home, keys in (lazy or {}).items() for key in keys or ()}
    whole = [home for home, keys in (lazy or {}).items() if keys is None]
    listed = module.__dict__.pop("__all__", []) if whole else []

    def load(home: str) -> ModuleType:
        return importlib.import_module(f".{home}", name)

    def find(wanted: str) -> Any:
        if wanted in homes:
            home = load(homes[wanted])
            return module.__dict__.setdefault(wanted, getattr(home, wanted, home))
        if wanted == "__all__" and whole:
            return module.__dict__.setdefault(
                wanted, [*listed, *(key for home in whole for key in public_names(load(home)))]
            )
        if wanted[0] != "_":
            for home in map(load, whole):
                if wanted in public_names(home):
                    return module.__dict__.setdefault(wanted, getattr(home, wanted))
        if own is not None:
            try:
                return own(wanted)
            except AttributeError:
                pass
        if wanted.startswith("_"):
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}", name=wanted, obj=module)
        if _is_from_import(sys._getframe(1)):
            raise ImportError(f"cannot import name {wanted!r} from {name!r}: {_instead(module, wanted)}", name=name)
        raise AttributeError(
            f"module {name!r} has no attribute {wanted!r}: {_instead(module, wanted)}", name=wanted, obj=module
        )

    module.__dict__.update(__getattr__=find, __dir__=lambda: public_names(module))


def public_names(module: ModuleType) -> list[str]:
    """A module's public names: __all__, or what it defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    own = vars(module).items()
    return sorted(key for key, value in own if key[0] != "_" and getattr(value, "__module__", None) == module.__name__)


def _is_from_import(frame: Any) -> bool:
    """Whether the frame runs `from module import name`, which replaces an AttributeError by its own error."""
    import opcode

    at = frame.f_lasti
    return at >= 0 and bool(frame.f_code.co_code[at] == opcode.opmap["IMPORT_FROM"])


def _instead(module: ModuleType, wanted: str) -> str:
    import difflib
    import re

    there = public_names(module)
    same = [name for name in there if name.lower() == wanted.lower().rstrip("_")]
    if same:
        return f"it is {' or '.join(same)}"
    close = difflib.get_close_matches(wanted, there, 3, 0.8)
    otherwise = _OTHERWISE.get(module.__name__, ("$", ""))
    for pattern, advice in (*_ADVICE.get(module.__name__, ()), *([] if close else [otherwise])):
        if re.match(pattern, wanted):
            return re.sub(r"\{(\w+)\}", lambda part: _names_of(module, part[1]), advice)
    places = _elsewhere(wanted)
    if places:
        return f"it is {' or '.join(places)}"
    if close:
        return f"did you mean {' or '.join(close)}?"
    if module.__name__ == "nnlite" and hasattr(sys.modules["numpy"], wanted):
        return f"use np.{wanted} on arrays; only tensor operations carry gradients"
    return f"it has {', '.join(there)}"


def _elsewhere(wanted: str) -> list[str]:
    modules = map(importlib.import_module, _WHERE)
    places = [f"{module.__name__}.{wanted}" for module in modules if wanted in public_names(module)]
    member = getattr(sys.modules["nnlite._core"].Tensor, wanted, None)
    if member is not None:
        places.append(f"x.{wanted}{'()' if callable(member) else ''} of a Tensor")
    return places


def _names_of(module: ModuleType, part: str) -> str:
    """The package's public names that its module `part` defines."""
    there = [
        name
        for name in public_names(module)
        if str(getattr(getattr(module, name), "__module__", "")).endswith(f".{part}")
    ]
    return ", ".join(there)
