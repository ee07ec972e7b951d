"""A prediction in lines of text: verdict, failure and how it gets there, hazards, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yolo_prune_check.channels.prediction import Prediction


def explain(prediction: Prediction) -> list[str]:
    """What a prediction says, without its numbers."""
    failure = prediction.failure
    lines = [f"verdict: {prediction.verdict}, execution {prediction.execution}"]
    if failure is not None:
        lines += [
            f"breaks in {failure.module} ({failure.kind}): expected {failure.expected}, got {failure.got}",
            f"PyTorch will say: {failure.message}",
        ]
        if failure.path:
            lines.append(f"how it gets there: {' → '.join(failure.path)}")
    lines += [f"{hazard.severity}: {hazard.code} in {hazard.layer}: {hazard.message}" for hazard in prediction.hazards]
    if prediction.repair is not None:
        lines.append(f"repair: {prediction.repair.message}")
    return lines
