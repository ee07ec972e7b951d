"""The page on criteria: a table for each share that is removed, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What all points have in common."""

    model: str
    data: str
    imgsz: int
    epochs: int


@dataclass(frozen=True)
class Point:
    """One small model, trained once.

    Attributes:
        criterion: By which its channels were chosen.
        spread: Whether every group lost the same share, or one ranking decided.
        cut: The share of the MACs that was to go.
        seed: Of the training, and of what is random in the choice.
        macs_left: Share of the untouched model's MACs.
        params_left: Share of its parameters.
        before: mAP50-95 of the untouched model.
        pruned: Of the small one before any training.
        tuned: After it.
    """

    criterion: str
    spread: str
    cut: float
    seed: int
    macs_left: float
    params_left: float
    before: float
    pruned: float
    tuned: float


def page(points: Sequence[Point], settings: Settings, image: str) -> str:
    """The page."""
    return str((points, settings, image))


def picture(points: Sequence[Point], settings: Settings, file: Path) -> None:
    """The picture."""
