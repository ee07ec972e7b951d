"""What is said of two measurements of the same model."""

from __future__ import annotations

import pytest

from yolo_prune_check.scores import Accuracy, MeanAveragePrecision, Scores, fall


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (MeanAveragePrecision(0.9, 0.7), MeanAveragePrecision(0.95, 0.65), "mAP50-95 fell from 0.700 to 0.650"),
        (MeanAveragePrecision(0.9, 0.7), MeanAveragePrecision(0.8, 0.7), None),
        (MeanAveragePrecision(0.9, 0.7), MeanAveragePrecision(0.9, 0.6996), None),
        (MeanAveragePrecision(0.0, 0.0), MeanAveragePrecision(0.0, 0.0), None),
        (Accuracy(0.9, 1.0, 0.1), Accuracy(0.899, 1.0, 0.1), "top-1 accuracy fell from 0.900 to 0.899"),
        (Accuracy(0.9, 1.0, 0.1), Accuracy(0.9, 0.9, 0.1), None),
    ],
)
def test_a_fall_is_of_what_budgets_limit_as_far_as_it_is_shown(before: Scores, after: Scores, said: str | None) -> None:
    assert fall(before, after) == said
