"""What is held against a scenario's expectations."""

from __future__ import annotations

import pytest

from yolo_prune_check.run.expectations import unmet
from yolo_prune_check.run.record import MetricsRecord
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
    metrics = MetricsRecord(map50_before=before, map50_95_before=0.0, map50_after=before, map50_95_after=0.0)
    assert list(unmet(Expect(max_map_drop=0.05), "safe", [], [], metrics, executed=True)) == says
