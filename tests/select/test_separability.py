"""Distances of classes against their definitions, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import wasserstein_distance

from yolo_prune_check.errors import UserError
from yolo_prune_check.select.separability import (
    DISTANCES,
    LARGEST,
    class_statistics,
    fisher,
    jeffries_matusita,
    wasserstein,
)


def distance(mean_1: float, variance_1: float, mean_2: float, variance_2: float) -> float:
    found = jeffries_matusita(np.array([[mean_1], [mean_2]]), np.array([[variance_1], [variance_2]]))
    assert found.shape == (1, 1)
    return float(found[0, 0])


def by_definition(mean_1: float, variance_1: float, mean_2: float, variance_2: float) -> float:
    """The integral of (√p - √q)², which 2 (1 - exp(-B)) solves, added up in small steps."""
    x, step = np.linspace(-60, 60, 400_001, retstep=True)

    def density(mean: float, variance: float) -> Any:
        return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)

    return float(((np.sqrt(density(mean_1, variance_1)) - np.sqrt(density(mean_2, variance_2))) ** 2).sum() * step)


means = st.floats(-5, 5)
variances = st.floats(0.05, 4)


@given(means, variances, means, variances)
def test_it_is_the_integral_it_stands_for(m1: float, v1: float, m2: float, v2: float) -> None:
    assert distance(m1, v1, m2, v2) == pytest.approx(by_definition(m1, v1, m2, v2), abs=1e-6)


@given(means, variances, means, variances, st.floats(0.01, 100), st.floats(-50, 50))
def test_neither_scale_nor_shift_nor_order_matter(
    m1: float, v1: float, m2: float, v2: float, scale: float, shift: float
) -> None:
    expected = distance(m1, v1, m2, v2)
    moved = distance(m2 * scale + shift, v2 * scale**2, m1 * scale + shift, v1 * scale**2)
    assert moved == pytest.approx(expected, abs=1e-5)


def test_limits() -> None:
    assert distance(1, 2, 1, 2) == 0
    assert distance(0, 1, 1e6, 1) == LARGEST
    assert distance(3, 0, 3, 0) == 0  # the same point
    assert distance(3, 0, 4, 0) == LARGEST  # two points
    assert distance(3, 0, 3, 1) == LARGEST  # a point, and all around it
    assert distance(0, 1e-200, 0, 1e-200) == 0  # whose product is no longer a number above 0
    assert distance(0, 1e-300, 0, 1e300) == pytest.approx(LARGEST)


@given(hnp.arrays(float, (4, 3), elements=st.floats(-1e6, 1e6)), hnp.arrays(float, (4, 3), elements=st.floats(0, 1e6)))
def test_always_a_distance(some_means: Any, some_variances: Any) -> None:
    found = jeffries_matusita(some_means, some_variances)
    assert found.shape == (3, 6)
    assert ((found >= 0) & (found <= LARGEST)).all()


def test_pairs_are_in_order() -> None:
    some_means = np.array([[0.0], [1.0], [10.0]])
    found = jeffries_matusita(some_means, np.ones((3, 1)))[0]
    expected = [distance(0, 1, 1, 1), distance(0, 1, 10, 1), distance(1, 1, 10, 1)]
    np.testing.assert_allclose(found, expected)


def test_statistics_of_each_class() -> None:
    values = np.array([[1, 5], [3, 5], [10, 0], [20, 1], [30, 2], [99, 99]], dtype=np.float32)
    found = class_statistics(values, np.array([4, 4, 2, 2, 2, 7]))
    assert found.classes == (2, 4)
    assert found.counts == (3, 2)
    assert found.dropped == (7,)
    np.testing.assert_allclose(found.means, [[20, 1], [2, 5]])
    np.testing.assert_allclose(found.variances, [[100, 1], [2, 0]])


@given(st.floats(-(2.0**90), 2.0**90, width=32), st.integers(2, 300))
def test_a_constant_channel_has_no_variance_at_all(value: float, count: int) -> None:
    """Rounding must not turn a constant into something that separates classes."""
    values = np.full((2 * count, 1), value, dtype=np.float32)
    found = class_statistics(values, np.repeat([0, 1], count))
    assert not found.variances.any()
    assert not jeffries_matusita(found.means, found.variances).any()


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 1, 2], [1, 2, 3], []])
def test_fewer_than_two_usable_classes(labels: list[int]) -> None:
    with pytest.raises(UserError, match="separability needs at least two classes with 2 found objects each"):
        class_statistics(np.ones((len(labels), 4)), np.array(labels, dtype=int))


def test_wasserstein_is_the_area_between_the_distribution_functions() -> None:
    """Held against scipy's, which takes one pair of samples at a time; classes of different sizes, and ties."""
    random = np.random.default_rng(0)
    labels = np.repeat([4, 7, 9], [5, 11, 8])
    values = np.concatenate([random.normal(labels, 2)[:, None], random.integers(0, 3, (24, 3))], axis=1)
    values[:, 3] = 1.5
    found = wasserstein(values, labels)
    assert found.shape == (4, 3)
    for channel in range(3):
        scaled = values[:, channel] / values[:, channel].std()
        for pair, (one, other) in enumerate([(4, 7), (4, 9), (7, 9)]):
            expected = wasserstein_distance(scaled[labels == one], scaled[labels == other])
            assert found[channel, pair] == pytest.approx(expected, abs=1e-12)
    assert not found[3].any()  # a channel that never varies


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_wasserstein_and_fisher_do_not_depend_on_the_unit(shift: float, scale: float) -> None:
    random = np.random.default_rng(1)
    labels = np.arange(30) % 3
    values = random.normal(labels[:, None], 1, (30, 2))
    for name in ("wasserstein", "fisher", "jeffries-matusita"):
        one, other = (
            DISTANCES[name](moved, labels, class_statistics(moved, labels))
            for moved in (values, values * scale + shift)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_fisher_by_hand_and_at_its_ends() -> None:
    means = np.array([[0.0, 1, 5], [3, 1, 5], [0, 1, 6]])
    variances = np.array([[1.0, 2, 0], [2, 4, 0], [1, 2, 0]])
    found = fisher(means, variances)
    np.testing.assert_allclose(found[0], [9 / 12, 0, 9 / 12])
    np.testing.assert_allclose(found[1], [0, 0, 0])  # equal means, whatever the variances
    np.testing.assert_allclose(found[2], [0, 1, 1])  # points: the same, and different ones
