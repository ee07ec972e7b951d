"""Halves of the val images: one decides, the other checks; and how much chance there is in what decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.part import Part

DECIDE: Final = Part(1, 2)
"""The val images that decide."""
CHECK: Final = Part(2, 2)
"""Those that check it, and decide nothing."""
FOLDS: Final = 4
"""In how many parts the deciding images are split, to know how much chance there is in a drop."""


def folds_of(images: int) -> tuple[Part, ...]:
    """The deciding half in four parts, or in as many as it has images.

    Args:
        images: How many val images there are.

    Raises:
        UserError: There are too few to decide and to check.
    """
    half = len(DECIDE.take(range(images)))
    if half < 2 or not CHECK.take(range(images)):
        hint = "At least 3 are needed: one half decides, and is split to know how much chance is in it; one checks."
        raise UserError("there are too few val images", value=images, hint=hint)
    return DECIDE.split(min(FOLDS, half))


def error_of(drop: float, folds: Sequence[float]) -> float:
    """The standard error of a drop on all of some images, from the drops on the parts that they were split in.

    That of random groups about the value of the whole (K. M. Wolter, Introduction to Variance Estimation, 2nd edition,
    Springer 2007, chapter 2: the square root of v2). For a mean it is the usual standard error. mAP is none: that the
    folds, which have fewer images, drop by more or less than the whole on average, counts as error, too.

    Args:
        drop: On all images.
        folds: On each of at least two parts.

    >>> round(error_of(0.02, [0.01, 0.03]), 6)
    0.01
    >>> round(error_of(0.03, [0.01, 0.03]), 6)
    0.014142
    """
    return math.sqrt(sum((fold - drop) ** 2 for fold in folds) / (len(folds) * (len(folds) - 1)))
