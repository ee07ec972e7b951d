"""Scores as records hold them."""

from __future__ import annotations

from yolo_prune_check.scores import MeanAveragePrecision


def precision(map50: float, map50_95: float | None = None) -> MeanAveragePrecision:
    """An mAP50, with an mAP50-95 that is a little less unless it is given."""
    return MeanAveragePrecision(map50, 0.8 * map50 if map50_95 is None else map50_95)
