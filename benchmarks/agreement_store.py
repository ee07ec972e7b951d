"""Results of the agreement benchmark, and how they are added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    """Plans of one kind under one execution.

    Attributes:
        kind: ``random`` or ``one layer``.
        execution: As tables name it.
        broke: Plans whose forward pass raised.
        wrong: Plans that ran and that the prediction calls unsafe.
        unknown: Plans of which the prediction says that it does not know what some operator makes of them.
        predicting: Seconds.
        executing: Seconds that carrying out and observing took.
        disagreements: For each refuted plan its steps and what differed.
    """

    kind: str
    execution: str
    tried: int = 0
    agreed: int = 0
    broke: int = 0
    wrong: int = 0
    unknown: int = 0
    predicting: float = 0.0
    executing: float = 0.0
    disagreements: list[dict[str, Any]] = field(default_factory=list)


COUNTS = ("tried", "agreed", "broke", "wrong", "unknown", "predicting", "executing")
"""What is added up over the parts of a model, and over models."""


def totals(results: Sequence[Result]) -> list[Result]:
    """Results of a model's parts, added up by kind and execution."""
    found: dict[tuple[str, str], Result] = {}
    for result in results:
        add_up(found.setdefault((result.kind, result.execution), Result(result.kind, result.execution)), result)
    return list(found.values())


def add_up(total: Result, result: Result) -> None:
    """Add the counts, times and disagreements of a result to a total."""
    for name in COUNTS:
        setattr(total, name, getattr(total, name) + getattr(result, name))
    total.disagreements += result.disagreements
