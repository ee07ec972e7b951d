"""Which scenarios are timed, and on what."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path

from yolo_prune_check.run.proving import STRUCTURAL
from yolo_prune_check.spec.schema import Scenario

_CPUINFO = Path("/proc/cpuinfo")


def is_timed(scenario: Scenario) -> bool:
    """Whether the record of a scenario that is carried out holds a latency: by budget, or as its shapes change."""
    return scenario.expect.max_latency_ratio is not None or scenario.execution in STRUCTURAL


@lru_cache(maxsize=1)
def processor() -> str:
    """What the processor is called by its maker, as far as the system tells; else its architecture."""
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines() if _CPUINFO.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None) or platform.processor() or platform.machine()
