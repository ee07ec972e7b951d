"""How well single channels tell every two classes apart, by several distances. Pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.fields import Distance

MIN_OBJECTS = 2
"""Of a class: with one object it has no variance."""

LARGEST = 2.0
"""The Jeffries-Matusita distance of two distributions that nowhere overlap."""


@dataclass(frozen=True)
class ClassStatistics:
    """Mean and variance of every channel in every class that has enough objects.

    Attributes:
        classes: [K], ascending.
        counts: [K], objects of each.
        means: [K, channels] float64.
        variances: [K, channels] float64, unbiased.
        dropped: Classes with fewer than `MIN_OBJECTS` objects.
    """

    classes: tuple[int, ...]
    counts: tuple[int, ...]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]
    dropped: tuple[int, ...]


def class_statistics(values: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassStatistics:
    """Summarise activations by class.

    Args:
        values: [objects, channels].
        labels: [objects], their classes.

    Raises:
        UserError: Fewer than two classes have at least `MIN_OBJECTS` objects.
    """
    present, sizes = np.unique(labels, return_counts=True)
    classes = [int(label) for label, size in zip(present, sizes, strict=True) if size >= MIN_OBJECTS]
    if len(classes) < 2:
        raise UserError(
            f"separability needs at least two classes with {MIN_OBJECTS} found objects each",
            value={int(label): int(size) for label, size in zip(present, sizes, strict=True)},
            hint="Use more images (a spec's select.max_images), data with more classes, or the l1 criterion.",
        )
    groups = [np.asarray(values[labels == label], dtype=np.float64) for label in classes]
    return ClassStatistics(
        classes=tuple(classes),
        counts=tuple(len(group) for group in groups),
        means=np.stack([group.mean(axis=0) for group in groups]),
        variances=np.stack([group.var(axis=0, ddof=1) for group in groups]),
        dropped=tuple(int(label) for label in present if int(label) not in classes),
    )


def jeffries_matusita(means: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jeffries-Matusita distance between every two classes, for each channel alone, taken as normally distributed.

    ``JM = 2 (1 - exp(-B))`` with the Bhattacharyya distance of two normal distributions

    ``B = (m1 - m2)² / (4 (v1 + v2)) + ln((v1 + v2) / (2 sqrt(v1 v2))) / 2``

    (Kailath, "The divergence and Bhattacharyya distance measures in signal selection", IEEE Trans. Communication
    Technology 15(1), 1967). From 0, the same distribution, to `LARGEST`. Part of the literature calls the square root
    of this the Jeffries-Matusita distance; the method followed here does not (see `survivors`).

    A class in which a channel never varies (variance 0) is a point: at distance 0 from the same point, `LARGEST` from
    anything else.

    Args:
        means: [K, channels].
        variances: [K, channels], at least 0.

    Returns:
        [channels, K (K - 1) / 2]; pairs in the order (0, 1), (0, 2), …, (1, 2), …
    """
    first, second = np.triu_indices(len(means), k=1)
    spread = variances[first] + variances[second]
    gap = means[first] - means[second]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # The root of each variance: their product may underflow where they do not.
        overlap = np.sqrt(2 * np.sqrt(variances[first]) * np.sqrt(variances[second]) / spread)
        affinity = overlap * np.exp(-(gap**2) / (4 * spread))
    points = (variances[first] == 0) | (variances[second] == 0)
    same = (variances[first] == 0) & (variances[second] == 0) & (gap == 0)
    affinity = np.where(points, same.astype(float), affinity)
    distances: NDArray[np.float64] = LARGEST * (1 - affinity.clip(0, 1))
    return distances.T


def fisher(means: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fisher's ratio between every two classes, for each channel alone, as a share: ``F / (1 + F)``.

    ``F = (m1 - m2)² / (v1 + v2)`` (Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics
    7(2), 1936). As a share it is at most 1, reached where two classes are different points. Unlike the distance of
    Jeffries and Matusita it sees no difference between classes of one mean.

    Args:
        means: [K, channels].
        variances: [K, channels], at least 0.

    Returns:
        [channels, K (K - 1) / 2]; pairs in the order (0, 1), (0, 2), …, (1, 2), …
    """
    first, second = np.triu_indices(len(means), k=1)
    between = (means[first] - means[second]) ** 2
    total = between + variances[first] + variances[second]
    shares: NDArray[np.float64] = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    return shares.T


def wasserstein(values: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Wasserstein-1 distance between every two classes, for each channel alone, in its standard deviations.

    The area between the two empirical distribution functions, which assumes no shape of them (Vallender, "Calculation
    of the Wasserstein distance between probability distributions on the line", Theory of Probability & Its Applications
    18(4), 1974).

    Args:
        values: [objects, channels].
        labels: [objects], their classes.

    Returns:
        [channels, K (K - 1) / 2]; zeros for a channel that never varies. Pairs as in `jeffries_matusita`.
    """
    exact = np.asarray(values, dtype=np.float64)
    order = exact.argsort(axis=0, kind="stable")
    ordered = np.take_along_axis(exact, order, axis=0)
    spread = exact.std(axis=0)
    widths = np.divide(np.diff(ordered, axis=0), spread, out=np.zeros_like(ordered[1:]), where=spread > 0)
    owners = np.asarray(labels)[order]
    below = [(owners == label).cumsum(axis=0)[:-1] / (labels == label).sum() for label in np.unique(labels)]
    pairs = zip(*np.triu_indices(len(below), k=1), strict=True)
    # Pair by pair: all at once would take pairs × objects × channels numbers.
    return np.stack([(np.abs(below[one] - below[other]) * widths).sum(axis=0) for one, other in pairs], axis=1)


Measure = Callable[[NDArray[np.floating], NDArray[np.integer], ClassStatistics], NDArray[np.float64]]
"""From activations [objects, channels], their labels and statistics to [channels, pairs of classes]."""


def _of_samples(
    values: NDArray[np.floating], labels: NDArray[np.integer], statistics: ClassStatistics
) -> NDArray[np.float64]:
    known = np.isin(labels, statistics.classes)
    return wasserstein(values[known], labels[known])


DISTANCES: Final[Mapping[Distance, Measure]] = {
    "jeffries-matusita": lambda _values, _labels, it: jeffries_matusita(it.means, it.variances),
    "fisher": lambda _values, _labels, it: fisher(it.means, it.variances),
    "wasserstein": _of_samples,
}
"""How far apart a channel keeps two classes, by name."""
