"""dir() shows a module's public names; a PyTorch name that nnlite lacks raises an error that names the alternative."""

from __future__ import annotations

import importlib
import subprocess
import sys
import typing

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, ops, optim

TWINS = {
    "nnlite": torch,
    "nnlite.nn": torch.nn,
    "nnlite.nn.functional": torch.nn.functional,
    "nnlite.nn.init": torch.nn.init,
    "nnlite.nn.utils": torch.nn.utils,
    "nnlite.optim": torch.optim,
    "nnlite.optim.lr_scheduler": torch.optim.lr_scheduler,
    "nnlite.data": torch.utils.data,
}
MODULES = [*TWINS, "nnlite.metrics", "nnlite.callbacks", "nnlite.training"]
IMPORTS = {"np", "math", "annotations", "TYPE_CHECKING", "importlib", "sys", "os", *typing.__all__} - {"Generator"}


@pytest.mark.parametrize("name", MODULES)
def test_dir_shows_no_imports(name):
    module = importlib.import_module(name)
    shown = dir(module)
    assert not IMPORTS & set(shown)
    assert not [key for key in shown if key.startswith("_")]
    assert all(hasattr(module, key) for key in shown)
    modules = {key for key in shown if isinstance(getattr(module, key), type(sys))}
    assert modules <= {
        "autograd",
        "callbacks",
        "data",
        "distributions",
        "func",
        "metrics",
        "nn",
        "optim",
        "functional",
        "init",
        "lr_scheduler",
        "utils",
    }


@pytest.mark.parametrize("name", TWINS)
def test_every_name_of_pytorch_exists_or_has_an_answer(name):
    module, unanswered = importlib.import_module(name), []
    for wanted in dir(TWINS[name]):
        if wanted.startswith("_") or hasattr(module, wanted):
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(module, wanted)
        instead = str(caught.value).partition(f"has no attribute {wanted!r}: ")[2]
        if len(instead) < 6 or "{" in instead:
            unanswered.append(wanted)
    assert not unanswered


CASES = {
    "nn.Conv2d": "nnlite has no image operations",
    "nn.LSTM": "no recurrent layers",
    "nn.TransformerEncoder": "no attention",
    "nn.GroupNorm": "nnlite has BatchNorm1d, LayerNorm",
    "nn.Dropout1d": "nnlite has AlphaDropout, Dropout",
    "nn.Hardtanh": "activations ELU, GELU",
    "nn.TripletMarginLoss": "nnlite has BCELoss",
    "nn.Relu": "it is ReLU",
    "nn.MSEloss": "it is MSELoss",
    "nn.utils.parametrizations": "weight_norm",
    "nn.functional.max_pool2d": "no image operations",
    "nn.functional.relu_": "it is relu",
    "optim.Rprop": "nnlite has SGD, Adam, AdamW",
    "optim.lr_scheduler.SGD": "it is nnlite.optim.SGD",
    "float16": "float32, float64, int64 and bool",
    "cpu": "CPU only",
    "FloatTensor": "nl.tensor",
    "relu": "it is nnlite.nn.functional.relu or x.relu() of a Tensor",
    "Linear": "it is nnlite.nn.Linear",
    "StepLR": "it is nnlite.optim.StepLR",
    "mean": "it is x.mean() of a Tensor",
    "mm": "x @ y",
    "sin": "np.sin",
    "compile": "Trainer.fit and Predictor compile",
    "Trianer": "did you mean Trainer",
    "data.RandomSampler": "pass a TensorDataset",
}


@pytest.mark.parametrize("path", CASES)
def test_alternatives_are_named(path):
    *parents, wanted = path.split(".")
    module = nl
    for parent in parents:
        module = getattr(module, parent)
    if hasattr(module, wanted):
        pytest.skip("nnlite has it")
    with pytest.raises(AttributeError) as caught:
        getattr(module, wanted)
    assert CASES[path] in str(caught.value)
    assert caught.value.name == wanted
    with pytest.raises(ImportError) as imported:
        exec(f"from {module.__name__} import {wanted}")
    assert CASES[path] in str(imported.value)


def test_special_names_are_plainly_missing():
    for module in (nl, nn, optim, nl.data):
        assert not hasattr(module, "__wrapped__")
        with pytest.raises(AttributeError, match="has no attribute '_repr_mimebundle_'$"):
            getattr(module, "_repr_mimebundle_")  # noqa: B009
    assert getattr(nn, "Conv2d", None) is None
    assert not hasattr(nl, "nothing at all")


def test_the_answer_does_not_import_anything():
    code = "import sys, nnlite.nn; print(sorted({'difflib', 'opcode', 'signal'} & set(sys.modules) - before))"
    before = "import sys, numpy; before = set(sys.modules); " + code
    out = subprocess.run([sys.executable, "-c", before], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_every_method_of_a_tensor_has_a_docstring():
    bare = [
        name
        for name, member in vars(nl.Tensor).items()
        if not name.startswith("_")
        and name not in ops.METHODS  # tests/ops
        and len("\n".join((member.__doc__ or "").splitlines()[1 if callable(member) else 0 :]).strip()) < 20
    ]
    assert not bare


def test_every_repr_is_informative(tmp_path):
    import nnlite.callbacks as callbacks

    x, y = nl.data.make_moons(20, seed=0)
    model = nn.MLP([2, 4, 2])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    data = nl.data.TensorDataset(x, y)
    shown = {
        nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, ["accuracy"], seed=4): "Trainer(MLP of 22 parameters, CrossEntropyLoss(), SGD(lr=0.1), metrics=[accuracy], seed=4, epoch=0)",
        nl.Predictor(model): "Predictor(MLP of 22 parameters)",
        nl.Generator(7): "Generator(seed=7)",
        data: "TensorDataset(array of shape (20, 2), array of shape (20,))",
        nl.data.Subset(data, [1, 2]): "Subset(2 rows of TensorDataset(array of shape (20, 2), array of shape (20,)))",
        nl.data.DataLoader(data, batch_size=8, shuffle=True): "DataLoader(dataset=TensorDataset(array of shape (20, 2), array of shape (20,)), batch_size=8, shuffle=True)",
        callbacks.EarlyStopping(patience=3): "EarlyStopping(patience=3)",
        callbacks.CSVLogger("log.csv"): "CSVLogger(path=PosixPath('log.csv'))",
        callbacks.LambdaCallback(on_epoch_end=print): "LambdaCallback(on_epoch_end=print)",
        callbacks.Callback(): "Callback()",
        optim.CosineAnnealingLR(optimizer, 5): "CosineAnnealingLR(optimizer=SGD(lr=0.1), T_max=5, last_epoch=0)",
    }  # fmt: skip
    for thing, text in shown.items():
        assert repr(thing) == text
    schedules = [
        optim.StepLR(optimizer, 2),
        optim.ReduceLROnPlateau(optimizer),
        optim.LambdaLR(optimizer, float),
        optim.ExponentialLR(optimizer, 0.9),
    ]
    for schedule in [*schedules, optim.MultiStepLR(optimizer, [2])]:
        assert repr(schedule).startswith(f"{type(schedule).__name__}(optimizer=SGD(lr=")
        assert repr(callbacks.LearningRateScheduler(schedule)).startswith("LearningRateScheduler(schedule=")


def test_the_repr_of_a_custom_callback():
    from nnlite.callbacks import Callback

    class Note(Callback):
        def __init__(self, path, weights=None):
            self.path, self._weights = path, weights

    assert repr(Note("a", np.zeros((3, 2)))) == "Note(path='a', weights=array of shape (3, 2))"
