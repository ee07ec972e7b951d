"""Drawing channels as points in the plane, near one another where they separate the same classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.spec.fields import Embedding

_FEWEST_FOR_TSNE = 4
_INITIAL_SPREAD = 1e-4  # of the first coordinate, as scikit-learn scales its own start


def embed(
    features: NDArray[np.floating], method: Embedding = "tsne", *, perplexity: float, seed: int
) -> NDArray[np.float64]:
    """Points for channels: drawn by t-SNE, by their first two principal components, or as they are.

    Args:
        features: [n, p].
        method: `tsne`, `pca` or `none`.
        perplexity: Of t-SNE: neighbours that count for a point; at most (n - 1) / 3 are used.
        seed: Of t-SNE: for what randomness is left.

    Returns:
        [n, 2]; [n, p] where the method is `none`.
    """
    points = np.asarray(features, dtype=np.float64)
    if method == "none":
        return points
    return _tsne(points, perplexity, seed) if method == "tsne" else _principal_plane(points)


def perplexity_used(features: NDArray[np.floating], asked: float) -> float | None:
    """What t-SNE takes for the perplexity asked for; None where it has nothing to draw.

    Args:
        features: [n, p].
        asked: By the caller of `embed`.
    """
    if len(features) < _FEWEST_FOR_TSNE or not _principal_plane(np.asarray(features, dtype=np.float64)).any():
        return None
    return max(1.0, min(asked, (len(features) - 1) / 3))


def _tsne(points: NDArray[np.float64], perplexity: float, seed: int) -> NDArray[np.float64]:
    """t-SNE in two dimensions (van der Maaten, Hinton, JMLR 9, 2008), the same for the same input on every run.

    It starts from the first two principal components and runs in one thread: with several, sums are added up in
    changing order, which t-SNE magnifies. Fewer than four points are drawn by their principal components, equal points
    at the origin.
    """
    start = _principal_plane(points)
    used = perplexity_used(points, perplexity)
    if used is None:
        return start
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = start / start[:, 0].std() * _INITIAL_SPREAD
    if start[:, 1].std() < _INITIAL_SPREAD * 1e-3:
        # All on a line, which no gradient leaves.
        start[:, 1] = np.random.default_rng(seed).normal(0, _INITIAL_SPREAD, len(points))
    tsne = TSNE(perplexity=used, init=start.astype(np.float32), random_state=seed % 2**32)
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(points), dtype=np.float64)


def _principal_plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """First two principal components, [n, 2]; zeros for what the points do not span. Signs are fixed."""
    plane = np.zeros((len(points), 2))
    if not len(points) or not np.ptp(points, axis=0).any():
        return plane
    centred = points - points.mean(axis=0)
    vectors, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    for number in range(min(2, len(sizes))):
        if sizes[number] > sizes[0] * 1e-9:
            sign = np.sign(vectors[np.abs(vectors[:, number]).argmax(), number])
            plane[:, number] = sign * vectors[:, number] * sizes[number]
    return plane
