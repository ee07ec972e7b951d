"""What a failing item says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yolo_prune_check.report import scenario_failure_text

if TYPE_CHECKING:
    from yolo_prune_check.run.record import Record
    from yolo_prune_check.spec import Scenario

DEFECT = "a prediction was refuted: this is a defect of yolo-prune-check, not of your plan; please report it"
"""Heading of a failure that is ours."""


def failure_text(record: Record, scenario: Scenario) -> str:
    """Why a scenario failed: first a line that says it all, then source, plan, comparison and reasons."""
    heading = DEFECT if record.agrees is False else "; ".join(record.failures)
    return f"{heading}\n\n{scenario_failure_text(record, scenario.source.text)}"


def cached_text(count: int, option: str) -> str:
    """How many results are from an earlier run, and the option that runs their scenarios anew."""
    results = "1 result was" if count == 1 else f"{count} results were"
    return f"{results} kept from an earlier run, as nothing has changed since ({option} runs anew)"


def refusal_text(record: Record, scenario: Scenario) -> str:
    """Why a scenario could not be started: the one message, and the scenario's lines."""
    source = scenario.source
    lines = "\n".join(f"    {line}".rstrip() for line in source.text.rstrip().splitlines())
    return f"{record.reasons[0]}\n\n{source.file}:{source.first_line}:\n{lines}"
