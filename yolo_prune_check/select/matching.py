"""Which ground-truth objects a detector found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_IOU = 0.5
MIN_CONFIDENCE = 0.25

Array = NDArray[np.floating]


def found_objects(
    boxes: Array, classes: NDArray[np.integer], predicted: Array, *, min_iou: float = MIN_IOU
) -> NDArray[np.bool_]:
    """Match predictions to objects: greedily, one to one, same class, at a sufficient overlap.

    The most confident prediction chooses first, and takes the object it overlaps most among those still free, as COCO's
    evaluation does (Lin et al., ECCV 2014).

    Args:
        boxes: [n, 4] of the objects: left, top, right, bottom.
        classes: [n] of the objects.
        predicted: [m, 6]: box, confidence, class.
        min_iou: Smallest intersection over union that counts.

    Returns:
        [n], whether each object was found.
    """
    found = np.zeros(len(boxes), dtype=bool)
    overlaps = intersection_over_union(predicted[:, :4], boxes)
    overlaps[predicted[:, 5, None] != np.asarray(classes)[None]] = 0
    for number in np.argsort(-predicted[:, 4], kind="stable"):
        free = np.where(found, 0, overlaps[number])
        if len(free) and free.max() >= min_iou:
            found[int(free.argmax())] = True
    return found


def intersection_over_union(first: Array, second: Array) -> NDArray[np.float64]:
    """Overlap of every box of `first` [n, 4] with every one of `second` [m, 4]: [n, m]; 0 for boxes without area."""
    one, two = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    common = sides.clip(0).prod(-1)
    union = _area(one) + _area(two) - common
    overlaps: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)
    return area
