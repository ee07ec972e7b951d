"""From scores to channels: how many a ratio keeps, and which of a layer's are the best."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.errors import UserError

Scores = NDArray[np.float64]
"""[channels] of one layer; larger is more important."""


def keep_count(channels: int, ratio: float) -> int:
    """How many of a layer's channels are kept when the share `ratio` is removed; at least one.

    The number removed is rounded, halves up, and taken from the decimal that was written: 0.145 of 100 is 15 although
    the nearest binary number is a little smaller.

    >>> keep_count(64, 0.5), keep_count(5, 0.5), keep_count(1, 0.9)
    (32, 2, 1)

    Raises:
        UserError: The ratio does not lie in [0, 1), or there are no channels.
    """
    if channels < 1:
        raise UserError("a layer without channels cannot be pruned", value=channels)
    if not 0 <= ratio < 1:
        raise UserError("the ratio of channels to remove must be at least 0 and below 1", value=ratio)
    return channels - share_of(channels, Decimal(repr(float(ratio))))


def share_of(count: int, share: Decimal) -> int:
    """How many of `count` a share is: rounded, halves up, but never all of them.

    >>> share_of(5, Decimal("0.5")), share_of(1, Decimal("0.9")), share_of(8, Decimal(1))
    (3, 0, 7)
    """
    return min(int((share * count).to_integral_value(ROUND_HALF_UP)), max(0, count - 1))


def best(scores: Scores, count: int, *, last: NDArray[np.bool_]) -> tuple[int, ...]:
    """The channels with the highest scores, ascending; of equals the lower index.

    Args:
        scores: [channels].
        count: How many.
        last: [channels], those that come only after all others.
    """
    order = np.lexsort((np.arange(len(scores)), -scores, last))
    return tuple(sorted(int(channel) for channel in order[:count]))


def as_shares(scores: Scores) -> Scores:
    """Scores as shares of the largest, so that those of several layers can be added; zeros stay zeros.

    Args:
        scores: [channels].
    """
    return scores / (np.abs(scores).max(initial=0) or 1.0)
