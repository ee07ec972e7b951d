"""Clustering, the silhouette index against its definition, and the knee."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolo_prune_check.select.clusters import candidates, choose_k, k_medoids, knee, mean_simplified_silhouette


def distances_of(points: Any) -> Any:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def blobs(count: int, each: int, spread: float = 0.05) -> Any:
    random = np.random.default_rng(0)
    centres = random.random((count, 2)) * 20
    return np.repeat(centres, each, axis=0) + random.normal(0, spread, (count * each, 2))


def plainly(distances: Any, medoids: list[int]) -> float:
    total = 0.0
    for point in distances:
        to = sorted(point[medoid] for medoid in medoids)
        a, b = to[0], sum(to[1:]) / (len(to) - 1)
        total += (b - a) / max(a, b) if max(a, b) > 0 else 0.0
    return total / len(distances)


points = hnp.arrays(float, st.tuples(st.integers(3, 12), st.just(2)), elements=st.integers(-20, 20).map(float))


@given(points, st.data())
def test_silhouette_is_its_definition(some: Any, data: st.DataObject) -> None:
    medoids = data.draw(st.lists(st.integers(0, len(some) - 1), min_size=2, unique=True))
    found = mean_simplified_silhouette(distances_of(some), medoids)
    assert found == pytest.approx(plainly(distances_of(some), medoids), abs=1e-12)
    assert 0 <= found <= 1


def test_silhouette_limits() -> None:
    assert mean_simplified_silhouette(np.zeros((4, 4)), [0, 1]) == 0
    assert mean_simplified_silhouette(distances_of(np.eye(4)), [0, 1, 2, 3]) == 1


def test_medoids_of_clear_clusters() -> None:
    medoids = k_medoids(distances_of(blobs(5, 8)), 5, seed=0)
    assert [medoid // 8 for medoid in medoids] == [0, 1, 2, 3, 4]


@given(points, st.integers(1, 15), st.integers(-5, 2**40))
def test_medoids_are_k_different_points(some: Any, k: int, seed: int) -> None:
    distances = distances_of(some)
    medoids = k_medoids(distances, k, seed)
    assert list(medoids) == sorted(set(medoids))
    assert len(medoids) == min(k, len(some))
    assert all(0 <= medoid < len(some) for medoid in medoids)
    assert medoids == k_medoids(distances, k, seed)


def test_candidates() -> None:
    assert candidates(0) == candidates(1) == candidates(2) == ()
    assert candidates(5) == (2, 3, 4)
    many = candidates(1000)
    assert len(many) == 128
    assert (many[0], many[-1]) == (2, 999)
    assert list(many) == sorted(set(many))


def test_the_knee_of_a_curve_that_has_one() -> None:
    ks = range(2, 30)
    assert knee(ks, [1 - 1 / k for k in ks]) in range(4, 9)
    assert knee(ks, [min(k, 10) / 10 for k in ks]) == 10


@pytest.mark.parametrize(
    ("ks", "scores"),
    [
        ([2, 3], [0.1, 0.9]),
        (range(2, 20), [0.5] * 18),
        (range(2, 20), [0.5 + 1e-12 * k for k in range(18)]),
        ([], []),
    ],
)
def test_no_knee(ks: Any, scores: list[float]) -> None:
    assert knee(ks, scores) is None


def test_the_number_of_clear_clusters_is_found() -> None:
    choice = choose_k(distances_of(blobs(6, 8)), fallback=24, seed=0)
    assert choice.k == choice.knee == 6
    assert [medoid // 8 for medoid in choice.medoids] == [0, 1, 2, 3, 4, 5]
    assert list(choice.silhouettes) == list(range(2, 48))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_too_few_points_for_a_curve(count: int) -> None:
    choice = choose_k(distances_of(np.random.default_rng(0).random((count, 2))), fallback=max(1, count // 2), seed=0)
    assert choice.knee is None
    assert choice.k == len(choice.medoids) == max(1, count // 2)
