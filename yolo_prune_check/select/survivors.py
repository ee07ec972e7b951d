"""The field notes' criterion, separability: keep one channel of each group of channels that separate the same classes.

Every channel is described by how well it tells every pair of classes apart (Jeffries-Matusita distance), drawn as a
point (t-SNE), clustered (k-medoids); the medoids stay. Their number is the knee of the mean simplified silhouette. This
is GB-AFS, with channels for features: Levin, Singer, "GB-AFS: graph-based automatic feature selection for multi-class
classification via Mean Simplified Silhouette", Journal of Big Data 11:79, 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.clusters import Distances, choose_k, k_medoids, mean_simplified_silhouette, members
from yolo_prune_check.select.embedding import embed, perplexity_used
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores, keep_count
from yolo_prune_check.select.separability import DISTANCES, class_statistics
from yolo_prune_check.spec.fields import Distance, Embedding, Survivor

_WITHOUT_KNEE = 0.5  # share of channels removed where nothing says how many
_DIGITS = 4
_BLOCK = 64  # channels that are described at once: in float64, which takes several times what they take as they are

PREFERENCES: Final[Mapping[Survivor, str | None]] = {"medoid": None, "weight": "l2", "gamma": "gamma"}
"""The criterion that says which channel of a cluster stays."""


@dataclass(frozen=True)
class Grouping:
    """How channels are clustered.

    Attributes:
        distance: How far apart a channel keeps two classes: one of `DISTANCES`.
        embedding: How channels become points: by t-SNE, by principal components, or as they are.
        perplexity: Of t-SNE.
        survivor: Which channel of a cluster stays.
    """

    distance: Distance = "jeffries-matusita"
    embedding: Embedding = "tsne"
    perplexity: float = 10.0
    survivor: Survivor = "medoid"


NOTES: Final = Grouping()
"""The field notes' way."""


@dataclass(frozen=True)
class Survivors:
    """The channels that stay.

    Attributes:
        keep: Ascending.
        scores: [channels], the mean distance over all pairs of classes. It describes a channel, it
            does not rank it: the best of many channels that all see the same is enough.
        details: For the record, JSON-able: `k`, `silhouette`, `knee`, `fallback`, `classes`, `dropped_classes`,
            `informative`, `constant`, `silent`, `perplexity`.
    """

    keep: tuple[int, ...]
    scores: NDArray[np.float64]
    details: dict[str, Any]


@dataclass(frozen=True)
class Profile:
    """How each of some channels tells classes apart.

    Attributes:
        features: [channels, pairs of classes], distances.
        zero: [channels], those that are zero everywhere.
        constant: [channels], other ones that never vary, so that they tell nothing apart.
        classes: Those that have objects enough.
        dropped: Those that have not.
    """

    features: NDArray[np.float64]
    zero: NDArray[np.bool_]
    constant: NDArray[np.bool_]
    classes: tuple[int, ...]
    dropped: tuple[int, ...]

    def of(self, channels: slice | NDArray[np.int64]) -> Profile:
        """That of some of the channels."""
        return replace(
            self, features=self.features[channels], zero=self.zero[channels], constant=self.constant[channels]
        )

    def among(self, channels: Sequence[int], width: int) -> Profile:
        """That of as many channels as `width` says, where these are those numbered `channels` and others are zero."""
        features = np.zeros((width, self.features.shape[1]))
        zero, constant = np.ones(width, dtype=np.bool_), np.zeros(width, dtype=np.bool_)
        features[channels], zero[channels], constant[channels] = self.features, self.zero, self.constant
        return replace(self, features=features, zero=zero, constant=constant)


def profile(
    values: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    distance: Distance = "jeffries-matusita",
    silent: NDArray[np.bool_] | None = None,
) -> Profile:
    """Describe channels by their activations.

    Args:
        values: [objects, channels].
        labels: [objects], classes.
        distance: How far apart a channel keeps two classes: one of `DISTANCES`.
        silent: [channels], those known to be zero; they count as zero everywhere.

    Raises:
        UserError: Fewer than two classes have two objects each.
    """
    blocks = [values[:, start : start + _BLOCK] for start in range(0, values.shape[1], _BLOCK)]
    statistics = [class_statistics(block, labels) for block in blocks]
    measure = DISTANCES[distance]
    features = np.concatenate([measure(*each) for each in zip(blocks, repeat(labels), statistics)])
    # Sums of a convolution differ in the last bits between numbers of threads and processors, and t-SNE and the knee
    # make much of little: what is no difference to the eye must not decide which channels stay.
    features = features.round(_DIGITS)
    zero: NDArray[np.bool_] = ~np.any(values, axis=0)
    if silent is not None:
        zero |= silent
    constant = (np.ptp(values, axis=0) == 0) & ~zero
    return Profile(features, zero, constant, statistics[0].classes, statistics[0].dropped)


def side_by_side(profiles: Sequence[Profile]) -> Profile:
    """Of channels that go together, such as those of one dependency group: what all of them tell apart.

    Args:
        profiles: Of equally many channels each, the i-th of which go together; one at least.
    """
    features = np.concatenate([each.features for each in profiles], axis=1)
    zero = np.logical_and.reduce([each.zero for each in profiles])
    still = np.logical_and.reduce([each.zero | each.constant for each in profiles])
    return replace(profiles[0], features=features, zero=zero, constant=still & ~zero)


class Clustering:
    """Channels as points, near one another where they separate the same classes.

    Channels that never vary tell nothing apart: they take no part in the clustering and are kept only if there are too
    few others, and those that are zero everywhere last.

    Args:
        profile: Of the channels.
        grouping: How they are clustered.
        seed: Of t-SNE and the clustering.
    """

    def __init__(self, profile: Profile, grouping: Grouping, *, seed: int) -> None:
        self._profile, self._seed = profile, seed
        self._informative = np.flatnonzero(~profile.zero & ~profile.constant)
        features, embedding = profile.features[self._informative], grouping.embedding
        points = embed(features, embedding, perplexity=grouping.perplexity, seed=seed)
        self._distances = cdist(points, points)
        self._said = {"perplexity": perplexity_used(features, grouping.perplexity)} if embedding == "tsne" else {}

    def survivors(self, count: int | None, preference: Scores | None = None) -> Survivors:
        """One channel of each cluster.

        Args:
            count: How many; None leaves their number to the data.
            preference: [channels]: of each cluster the channel with the largest stays. Its medoid if None.
        """
        of, distances = self._profile, self._distances
        chosen, why = _cluster(distances, count, self._seed)
        if preference is not None and chosen:
            worth = np.asarray(preference)[self._informative]
            chosen = tuple(max(own, key=lambda point: (worth[point], -point)) for own in members(distances, chosen))
        keep = [int(self._informative[point]) for point in chosen]
        wanted = max(1, len(keep)) if count is None else count
        spare = [*np.flatnonzero(of.constant), *np.flatnonzero(of.zero)]
        keep += [int(channel) for channel in spare[: wanted - len(keep)]]
        details = {
            **why,
            "k": len(keep),
            "classes": list(of.classes),
            "dropped_classes": list(of.dropped),
            "informative": len(self._informative),
            "constant": int(of.constant.sum()),
            "silent": int(of.zero.sum()),
            **self._said,
        }
        return Survivors(tuple(sorted(keep)), of.features.mean(axis=1), details)


def find_survivors(
    described: Profile,
    *,
    ratio: float | None,
    grouping: Grouping,
    seed: int,
    preference: Scores | None = None,
) -> Survivors:
    """Choose channels by separability.

    Args:
        described: The channels.
        ratio: Share of channels to remove; None leaves their number to the data.
        grouping: How they are clustered.
        seed: Of t-SNE and the clustering.
        preference: As `Clustering.survivors` takes it.
    """
    count = None if ratio is None else keep_count(len(described.features), ratio)
    return Clustering(described, grouping, seed=seed).survivors(count, preference)


def separation(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """The mean Jeffries-Matusita distance over all pairs of classes: a ranking, where `find_survivors` makes a choice.

    It cannot see that two channels tell the same classes apart; rankings over several layers have nothing else.

    Returns:
        By layer, [channels], from 0 to 2. Layers that do not run, or make no map of the image, are left out.
    """
    found = collect(evidence, layers, every=False)
    return {name: profile(values, found.labels).features.mean(axis=1) for name, values in found.values.items()}


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
