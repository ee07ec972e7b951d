"""Grouping points, choosing how many groups, and naming one member of each: its medoid."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_CANDIDATES = 128
_FEWEST_FOR_KNEE = 4  # candidates; fewer make no curve
_FLAT = 1e-9

Distances = NDArray[np.float64]


@dataclass(frozen=True)
class KChoice:
    """How many clusters, and why.

    Attributes:
        k: Number of clusters.
        medoids: The points that stand for them, ascending.
        silhouettes: Mean simplified silhouette of each candidate k.
        knee: The knee of that curve, or None if there is none and `k` is the fallback.
    """

    k: int
    medoids: tuple[int, ...]
    silhouettes: dict[int, float]
    knee: int | None


def choose_k(distances: Distances, *, fallback: int, seed: int) -> KChoice:
    """Cluster for every candidate k and take the knee of the mean simplified silhouette.

    The silhouette rises with k, as ever more points are medoids themselves, to 1 where all are; beyond the knee, more
    clusters gain little.

    Args:
        distances: [n, n].
        fallback: k where the curve has no knee.
        seed: Seed of the clustering.
    """
    clusterings = {k: k_medoids(distances, k, seed) for k in candidates(len(distances))}
    silhouettes = {k: mean_simplified_silhouette(distances, medoids) for k, medoids in clusterings.items()}
    found = knee(list(silhouettes), list(silhouettes.values()))
    k = fallback if found is None else found
    medoids = clusterings[k] if k in clusterings else k_medoids(distances, k, seed)
    return KChoice(k, medoids, silhouettes, found)


def candidates(points: int) -> tuple[int, ...]:
    """Numbers of clusters to try for n points: all from 2 to n - 1, thinned out evenly to at most 128."""
    every = range(2, points)
    if len(every) <= _MOST_CANDIDATES:
        return tuple(every)
    return tuple(int(k) for k in np.linspace(2, points - 1, _MOST_CANDIDATES).round())


def k_medoids(distances: Distances, k: int, seed: int) -> tuple[int, ...]:
    """Medoids by FasterPAM, ascending (Schubert, Rousseeuw, Information Systems 101, 2021), starting from BUILD.

    Args:
        distances: [n, n], symmetric.
        k: From 1 to n.
        seed: Seed of the order in which points are tried.
    """
    import kmedoids

    if k >= len(distances):
        return tuple(range(len(distances)))
    result = kmedoids.fasterpam(distances, k, init="build", random_state=seed % 2**32, n_cpu=1)
    return tuple(sorted(int(medoid) for medoid in result.medoids))


def mean_simplified_silhouette(distances: Distances, medoids: Sequence[int]) -> float:
    """How much nearer points are to their own medoid than to the others, averaged over all points.

    For a point at distance a from its own medoid and b from the others, on average: (b - a) / max(a, b), and 0 where
    both are 0. The mean over the other medoids, instead of the nearest of them, is what makes the index rise with k
    and flatten, so that it has a knee (Levin, Singer, Journal of Big Data 11:79, 2024); with the nearest one it keeps
    rising evenly, or dips first, as in the simplified silhouette of Hruschka, de Castro, Campello (ICDM 2004).

    Args:
        distances: [n, n].
        medoids: At least two.

    Returns:
        Between 0 and 1; 1 if every point coincides with its medoid and no two medoids coincide.
    """
    to_medoids = distances[:, list(medoids)]
    own = to_medoids.min(axis=1)
    # Never negative but for rounding, since no medoid is nearer than the own one.
    others = np.maximum((to_medoids.sum(axis=1) - own) / (len(medoids) - 1), own)
    return float(np.divide(others - own, others, out=np.zeros_like(own), where=others > 0).mean())


def knee(ks: Sequence[int], scores: Sequence[float]) -> int | None:
    """The k beyond which a rising curve flattens (Kneedle: Satopää et al., ICDCSW 2011); None if there is none.

    Args:
        ks: Ascending.
        scores: One for each.
    """
    if len(ks) < _FEWEST_FOR_KNEE or np.ptp(scores) < _FLAT:
        return None
    from kneed import KneeLocator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it finds none, which None says
        found = KneeLocator(list(ks), list(scores), curve="concave", direction="increasing").knee
    return None if found is None else int(found)


def members(distances: Distances, medoids: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The points of each medoid's cluster: those nearest to it, of equals to the first; it is one of them itself.

    Args:
        distances: [n, n].
        medoids: At least one.
    """
    own = distances[:, list(medoids)].argmin(axis=1)
    own[list(medoids)] = np.arange(len(medoids))  # of two medoids in one place each keeps itself
    return tuple(tuple(int(point) for point in np.flatnonzero(own == number)) for number in range(len(medoids)))
