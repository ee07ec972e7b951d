"""A scenario as a stream of typed events.

``run`` and what needs torch is imported when it is asked for: reports read ``run.record`` without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yolo_prune_check.run.events import Event, ScenarioFinished
from yolo_prune_check.run.record import Record

if TYPE_CHECKING:
    from yolo_prune_check.run.engine import run

__all__ = ["Event", "Record", "ScenarioFinished", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from yolo_prune_check.run.engine import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
