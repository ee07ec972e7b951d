"""The field notes' criterion: keep one channel of each group of channels that separate the same classes.

Every channel is described by how well it tells every pair of classes apart (Jeffries-Matusita distance), drawn as a
point (t-SNE), clustered (k-medoids); the medoids stay. Their number is the knee of the mean simplified silhouette. This
is GB-AFS, with channels for features: Levin, Singer, "GB-AFS: graph-based automatic feature selection for multi-class
classification via Mean Simplified Silhouette", Journal of Big Data 11:79, 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.select.clusters import Distances, choose_k, k_medoids, mean_simplified_silhouette
from yolo_prune_check.select.criteria import keep_count
from yolo_prune_check.select.embedding import embed
from yolo_prune_check.select.separability import class_statistics, jeffries_matusita

_WITHOUT_KNEE = 0.5  # share of channels removed where nothing says how many


_DIGITS = 4


@dataclass(frozen=True)
class Survivors:
    """The channels that stay.

    Attributes:
        keep: Ascending.
        scores: [channels], the mean Jeffries-Matusita distance over all pairs of classes. It describes a channel, it
            does not rank it: the best of many channels that all see the same is enough.
        details: For the record, JSON-able: `k`, `silhouette`, `knee`, `fallback`, `classes`, `dropped_classes`,
            `informative`, `constant`, `silent`, `perplexity`.
    """

    keep: tuple[int, ...]
    scores: NDArray[np.float64]
    details: dict[str, Any]


def find_survivors(
    values: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    ratio: float | None,
    perplexity: float,
    seed: int,
    silent: NDArray[np.bool_] | None = None,
) -> Survivors:
    """Choose channels by separability.

    Channels that never vary tell nothing apart: they take no part in the clustering and are kept only if there are too
    few others, and those that are zero everywhere last.

    Args:
        values: [objects, channels].
        labels: [objects], classes.
        ratio: Share of channels to remove; None leaves their number to the data.
        perplexity: Of t-SNE.
        seed: Of t-SNE and the clustering.
        silent: [channels], those known to be zero; they count as zero everywhere.

    Raises:
        UserError: Fewer than two classes have two objects each.
    """
    channels = values.shape[1]
    statistics = class_statistics(values, labels)
    # Sums of a convolution differ in the last bits between numbers of threads and processors, and t-SNE and the knee
    # make much of little: what is no difference to the eye must not decide which channels stay.
    features = jeffries_matusita(statistics.means, statistics.variances).round(_DIGITS)
    zero = ~values.any(axis=0) if silent is None else ~values.any(axis=0) | silent
    constant = (np.ptp(values, axis=0) == 0) & ~zero
    informative = np.flatnonzero(~zero & ~constant)
    points = embed(features[informative], perplexity=perplexity, seed=seed)
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    count = None if ratio is None else keep_count(channels, ratio)
    chosen, why = _cluster(distances, count, seed)
    keep = [int(informative[medoid]) for medoid in chosen]
    wanted = max(1, len(keep)) if count is None else count
    spare = [*np.flatnonzero(constant), *np.flatnonzero(zero)]
    keep += [int(channel) for channel in spare[: wanted - len(keep)]]
    details = {
        **why,
        "k": len(keep),
        "classes": list(statistics.classes),
        "dropped_classes": list(statistics.dropped),
        "informative": len(informative),
        "constant": int(constant.sum()),
        "silent": int(zero.sum()),
        "perplexity": float(perplexity),
    }
    return Survivors(tuple(sorted(keep)), features.mean(axis=1), details)


def _cluster(distances: Distances, count: int | None, seed: int) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Medoids, and what led to their number: `silhouette`, `knee`, `fallback`."""
    points = len(distances)
    if not points:
        return (), {"silhouette": None, "knee": None, "fallback": "no channel varies: the lowest indices are kept"}
    if count is not None:
        fallback = None if count <= points else f"only {points} channels vary: others fill up the number asked for"
        medoids = k_medoids(distances, min(count, points), seed)
        return medoids, {"silhouette": _silhouette(distances, medoids), "knee": None, "fallback": fallback}
    choice = choose_k(distances, fallback=keep_count(points, _WITHOUT_KNEE), seed=seed)
    fallback = None if choice.knee is not None else f"no knee: half of the {points} channels that vary are kept"
    silhouette = _silhouette(distances, choice.medoids)
    return choice.medoids, {"silhouette": silhouette, "knee": choice.knee, "fallback": fallback}


def _silhouette(distances: Distances, medoids: tuple[int, ...]) -> float | None:
    return round(mean_simplified_silhouette(distances, medoids), 6) if len(medoids) > 1 else None
