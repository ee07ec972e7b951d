"""Halves of the val images: one decides, the other checks; and how much chance there is in what decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
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


def mean_and_error(drops: Sequence[float]) -> tuple[float, float]:
    """The mean of at least two drops, and its standard error.

    >>> [round(number, 6) for number in mean_and_error([0.01, 0.03])]
    [0.02, 0.01]
    """
    return fmean(drops), stdev(drops) / math.sqrt(len(drops))
