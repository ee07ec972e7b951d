"""What is held against a scenario's expectations."""

from __future__ import annotations

import pytest

from yolo_prune_check.run.expectations import unmet
from yolo_prune_check.run.record import MetricsRecord
from yolo_prune_check.scores import Accuracy, MeanAveragePrecision
from yolo_prune_check.spec.schema import Expect


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (
            0.0004,
            [
                "max_map_drop 0.05 could not be judged, because the untouched model finds next to nothing in this data "
                "(mAP50 0.000)"
            ],
        ),
        (0.9, []),
    ],
)
def test_where_there_is_no_accuracy_to_lose_a_budget_for_it_is_not_met(before: float, says: list[str]) -> None:
    scores = MeanAveragePrecision(before, 0.0)
    metrics = MetricsRecord(scores_before=scores, scores_after=scores)
    assert list(unmet(Expect(max_map_drop=0.05), "safe", [], [], metrics, executed=True)) == says


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (Accuracy(0.9, 1.0, 0.5), Accuracy(0.87, 1.0, 0.5), []),
        (Accuracy(0.9, 1.0, 0.5), Accuracy(0.8, 1.0, 0.5), ["max_accuracy_drop is 0.05, but the plan gives 0.1"]),
        (
            Accuracy(0.52, 1.0, 0.5),
            Accuracy(0.52, 1.0, 0.5),
            [
                "max_accuracy_drop 0.05 could not be judged, because the untouched model is hardly better on this data "
                "than naming one class always (top-1 accuracy 0.520, of one class 0.500)"
            ],
        ),
    ],
)
def test_a_budget_for_accuracy_is_one_of_the_first_guess(before: Accuracy, after: Accuracy, says: list[str]) -> None:
    metrics = MetricsRecord(scores_before=before, scores_after=after)
    assert list(unmet(Expect(max_accuracy_drop=0.05), "safe", [], [], metrics, executed=True)) == says
