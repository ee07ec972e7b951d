"""How a scenario is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Way:
    """How a scenario is run, and where.

    Attributes:
        folder: The scenario's own folder, for checkpoints and what is kept.
        predict_only: Trace the model, predict every step, and carry nothing out.
        keep: Keep finished steps and the finished record in the folder, and use those that are there.
        rerun: Use none that are there.
    """

    folder: Path
    predict_only: bool = False
    keep: bool = True
    rerun: bool = False
