"""Modules: registration, traversal, state dicts."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = nn.Parameter(np.ones(4, np.float32))
        self.register_buffer("seen", nl.tensor([0]))
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        return self.rest(self.first(x) * self.scale)


def test_names_and_order_match_pytorch() -> None:
    net = Net()
    assert list(net.state_dict()) == ["scale", "seen", "first.weight", "first.bias", "rest.1.weight", "rest.1.bias"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert len(list(net.parameters())) == 5
    assert [name for name, _ in net.named_buffers()] == ["seen"]
    assert [name for name, _ in net.named_children()] == ["first", "rest"]


def test_state_round_trips_with_pytorch() -> None:
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    theirs(torch.randn(8, 3))
    ours = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    back = {key: torch.from_numpy(value) for key, value in ours.state_dict().items()}
    theirs.load_state_dict(back)
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours.state_dict()[key])


def test_loading_checks_everything_before_it_changes_anything() -> None:
    net = Net()
    before = net.fingerprint()
    state = net.state_dict()
    good = {key: value + 1 for key, value in state.items()}
    for broken, message in [
        ({k: v for k, v in good.items() if k != "scale"}, "missing keys: scale"),
        ({**good, "other": np.ones(1)}, "unexpected keys: other"),
        ({**good, "rest.1.bias": np.ones(3)}, r"rest\.1\.bias has shape \(3,\) in the state dict, \(2,\) in the model"),
        ({**good, "rest.1.bias": np.array(["a", "b"])}, r"rest\.1\.bias has dtype"),
    ]:
        with pytest.raises(RuntimeError, match=message):
            net.load_state_dict(broken)
        assert net.fingerprint() == before
    assert net.load_state_dict({"scale": np.zeros(4), "other": 1}, strict=False).unexpected_keys == ["other"]
    assert (net.scale.detach().numpy() == 0).all()


def test_loading_keeps_the_optimizers_parameters() -> None:
    net = Net()
    weight = net.first.weight
    net.load_state_dict(net.state_dict())
    assert net.first.weight is weight


def test_assignment_registers_and_unregisters() -> None:
    net = Net()
    net.first = nn.Linear(3, 4)
    assert net._modules["first"] is net.first
    net.scale = None
    assert "scale" not in net.state_dict()
    net.scale = nn.Parameter(np.zeros(4, np.float32))
    assert "scale" in net.state_dict()
    del net.scale
    assert not hasattr(net, "scale")
    net.first.bias = None
    assert net.first(np.ones((1, 3))).shape == (1, 4)
    with pytest.raises(TypeError, match="buffer 'seen'"):
        net.seen = 3

    class Early(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        Early()


def test_shared_parameters_count_once() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert "1.weight" in net.state_dict()
    y = net(nl.ones(2, 3)).sum()
    y.backward()
    assert net[0].weight.grad is net[1].weight.grad


def test_modes_and_gradients() -> None:
    net = Net()
    net.eval()
    assert not any(module.training for module in net.modules())
    net.train()
    net(np.ones((2, 3))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(np.ones((2, 3))).requires_grad
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen[-1] == "Net"


def test_containers() -> None:
    layers = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.Tanh()))
    assert list(layers.state_dict()) == ["a.weight", "a.bias"]
    assert isinstance(layers[-1], nn.Tanh)
    assert len(layers[:1]) == 1
    layers.append(nn.Linear(3, 1))
    assert layers(np.ones((4, 2))).shape == (4, 1)
    assert len(list(nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)]).parameters())) == 4
    blocks = nn.ModuleDict({"x": nn.Linear(1, 2)})
    assert "x" in blocks
    assert list(blocks.state_dict()) == ["x.weight", "x.bias"]
    mlp = nn.MLP([4, 8, 6, 2], nn.Tanh, dropout=0.1)
    assert [type(m).__name__ for m in mlp] == ["Linear", "Tanh", "Dropout"] * 2 + ["Linear"]


def test_repr_matches_pytorch() -> None:
    ours = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1)))
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Linear(3, 1)))
    assert repr(ours) == repr(theirs)


def test_fingerprint_sees_every_bit() -> None:
    net = nn.Linear(2, 1)
    before = net.fingerprint()
    view = net.bias.detach().numpy()
    view[0] = np.nextafter(view[0], np.float32(9))
    assert net.fingerprint() != before


@pytest.mark.parametrize(
    "name",
    [
        "uniform_",
        "normal_",
        "xavier_uniform_",
        "xavier_normal_",
        "kaiming_uniform_",
        "kaiming_normal_",
        "trunc_normal_",
    ],
)
def test_initialisers_match_pytorchs_distributions(name: str) -> None:
    ours, theirs = nl.zeros(200, 300), torch.zeros(200, 300)
    getattr(nn.init, name)(ours)
    getattr(torch.nn.init, name)(theirs)
    a, b = ours.numpy(), theirs.numpy()
    assert abs(a.std() / b.std() - 1) < 0.03
    assert abs(a.mean() - b.mean()) < 0.02 * b.std() + 0.01
    assert a.min() >= b.min() * 1.2 - 0.01


def test_gains_match_pytorch() -> None:
    for name, param in [
        ("relu", None),
        ("tanh", None),
        ("leaky_relu", 0.2),
        ("leaky_relu", None),
        ("linear", None),
        ("sigmoid", None),
        ("selu", None),
    ]:
        assert nn.init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param))
    with pytest.raises(ValueError, match="nope"):
        nn.init.calculate_gain("nope")
