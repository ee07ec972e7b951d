"""Measured times, in words. Two of the same thing differ from run to run, and so do they as ratios."""

from __future__ import annotations

from typing import Final

from yolo_prune_check.report.figures import change
from yolo_prune_check.run.record import LatencyRecord

NOISE: Final = 0.10
"""Two measured times that differ by no more than this share are called alike: so much repeated runs differ by."""
NOISE_WORDS: Final = f"differences up to {NOISE * 100:.0f} % are noise"


def is_noise(before: float, after: float) -> bool:
    """Whether two times, in the same unit, are alike."""
    return abs(after - before) <= (NOISE + 1e-9) * before


def latency_change(before: float, after: float) -> str:
    """The relative change of two times, as far as it is one."""
    return "noise" if is_noise(before, after) else change(before, after)


def took_line(took: LatencyRecord) -> str:
    """How latency was measured."""
    threads = f", {took.threads} thread{'' if took.threads == 1 else 's'}" if took.device == "cpu" else ""
    runs = f"medians of {took.runs} alternating runs of each model"
    return f"{runs}, batch {took.batch}, {took.device}{threads}; {NOISE_WORDS}; on another machine it is another"
