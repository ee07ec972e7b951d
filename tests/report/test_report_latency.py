"""Measured times, in words."""

from __future__ import annotations

import pytest

from yolo_prune_check.report.latency import latency_change, took_line
from yolo_prune_check.run.record import LatencyRecord


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (20.0, 15.0, "-25.0 %"),
        (20.0, 18.0, "noise"),
        (20.0, 17.9, "-10.5 %"),
        (20.0, 20.0, "noise"),
        (20.0, 22.0, "noise"),
        (20.0, 22.1, "+10.5 %"),
        (20.0, 25.0, "+25.0 %"),
    ],
)
def test_what_repeated_runs_differ_by_is_no_change(before: float, after: float, said: str) -> None:
    assert latency_change(before, after) == said


def test_how_it_was_measured_says_what_is_noise() -> None:
    assert took_line(LatencyRecord(20.0, 15.0, 1, 20, 2, "cpu")) == (
        "medians of 20 alternating runs of each model, batch 1, cpu, 2 threads; differences up to 10 % are noise; on "
        "another machine it is another"
    )
