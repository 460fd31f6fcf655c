"""Random numbers: Philox's known answers, distributions, and independence of the calls that draw them."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import _core

DTYPES = [np.float32, np.float64]


def test_philox_known_answer() -> None:
    # Counter 0, key 0 (Random123's kat_vectors, philox4x32 10): 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    u = nl.Generator(0).uniform((64,), purpose="init")
    words = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    np.testing.assert_array_equal(u[::16], np.array([word >> 8 for word in words]) * np.float32(2**-24))
    v = nl.Generator(0).uniform((32,), dtype="float64", purpose="init")
    pairs = [(words[0] << 32) | words[1], (words[2] << 32) | words[3]]
    np.testing.assert_array_equal(v[::16], [(pair >> 11) * 2.0**-53 for pair in pairs])


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform(dtype: type) -> None:
    x = nl.Generator(1).uniform((200_000,), -2.0, 3.0, dtype)
    assert x.dtype == dtype
    assert x.min() >= -2
    assert x.max() < 3
    counts = np.histogram(x, 50, (-2, 3))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 90  # chi-squared, 49 degrees of freedom: 99.96 %
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal(dtype: type) -> None:
    x = nl.Generator(2).normal((400_000,), 1.0, 2.0, dtype).astype(np.float64)
    z = (x - 1) / 2
    assert abs(z.mean()) < 0.006
    assert abs(z.std() - 1) < 0.005
    assert abs((z**3).mean()) < 0.02
    assert abs((z**4).mean() - 3) < 0.05
    assert 4 < np.abs(z).max() < 8
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_depends_only_on_its_position(dtype: type) -> None:
    for draw in ("uniform", "normal"):
        long = getattr(nl.Generator(3), draw)((10_000,), dtype=dtype)
        for n in (1, 31, 32, 33, 64, 100):
            np.testing.assert_array_equal(getattr(nl.Generator(3), draw)((n,), dtype=dtype), long[:n])
        nl.set_num_threads(3)
        np.testing.assert_array_equal(getattr(nl.Generator(3), draw)((10_000,), dtype=dtype), long)


def test_purposes_are_independent() -> None:
    one, two = nl.Generator(4), nl.Generator(4)
    one.permutation(10, "split")
    one.uniform((5,), purpose="init")
    np.testing.assert_array_equal(one.uniform((5,)), two.uniform((5,)))
    assert not np.array_equal(one.uniform((5,)), nl.Generator(4).uniform((5,))), "two draws are equal"
    assert not np.array_equal(nl.Generator(5).uniform((5,)), nl.Generator(4).uniform((5,)))


def test_a_restored_state_continues_the_sequence() -> None:
    generator = nl.Generator(6)
    generator.uniform((3,))
    state = generator.state()
    expected = generator.normal((4,))
    other = nl.Generator(0)
    other.set_state(state)
    np.testing.assert_array_equal(other.normal((4,)), expected)


@pytest.mark.parametrize("n", [0, 1, 2, 33, 1000])
def test_permutation(n: int) -> None:
    order = _core.permutation(n, 7, 0)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    if n > 10:
        assert not np.array_equal(order, _core.permutation(n, 7, 1))
        np.testing.assert_array_equal(order, _core.permutation(n, 7, 0))


def test_permutations_are_uniform() -> None:
    counts: dict[tuple, int] = {}
    for draw in range(24_000):
        key = tuple(_core.permutation(4, 8, draw))
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 24
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 56  # chi-squared, 23 degrees of freedom: 99.99 %


def test_errors() -> None:
    with pytest.raises(ValueError, match="purpose 'nope'"):
        nl.Generator(0).uniform((1,), purpose="nope")
    with pytest.raises(TypeError):
        nl.Generator(0).uniform((1,), dtype="int64")
    with pytest.raises(ValueError, match="-1"):
        _core.permutation(-1, 0, 0)
