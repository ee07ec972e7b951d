"""What was checked of a smaller model, and what went and stayed besides what was asked, for the page of a suite."""

from __future__ import annotations

from collections.abc import Sequence

from yolo_prune_check.report.figures import named, tick
from yolo_prune_check.report.markdown import NONE, code, columns, table, text
from yolo_prune_check.run.record import CheckRecord, StepRecord


def checks_part(title: str, checks: Sequence[CheckRecord]) -> str:
    """A table of checks, the largest error last; empty if there are none."""
    if not checks:
        return ""
    rows = [[text(check.name), tick(check.passed), error(check.error), text(check.detail) or NONE] for check in checks]
    names, rows = columns(["check", "holds", "largest relative error", "what"], rows, always=("check", "holds"))
    largest = largest_error(checks)
    told = "" if largest is None else f"\n\nLargest error: {error(largest)}."
    return f"**{title}**\n\n{table(names, rows, right=['largest relative error'])}{told}"


def largest_error(checks: Sequence[CheckRecord]) -> float | None:
    """The largest relative error that was measured; None if none was."""
    return max((check.error for check in checks if check.error is not None), default=None)


def error(value: float | None) -> str:
    """A relative error, by its order of magnitude: digits beyond differ from machine to machine."""
    if value is None:
        return NONE
    return "0" if value == 0 else f"{value:.0e}"


def group_lines(step: StepRecord) -> list[str]:
    """What execution ``group`` did besides what the step names."""
    lines = []
    if step.added:
        lines.append(f"with it went, being tied to it: {named(_told(step.added))}")
    if step.returned:
        lines.append(f"stayed after all, for symmetry or round widths: {named(_told(step.returned))}")
    return lines


def _told(slices: Sequence[str]) -> list[str]:
    return [
        f"channel{'s' if len(ranges) > 1 or not ranges[0].isdigit() else ''} {', '.join(ranges)} of {code(layer)}"
        for layer, ranges in by_layer(slices).items()
    ]


def by_layer(slices: Sequence[str]) -> dict[str, list[str]]:
    """Channels given as ``layer[start:stop]``: of each layer the ranges, as specs write them.

    >>> by_layer(["model.1.conv[0:2]", "model.1.conv[7:8]"])
    {'model.1.conv': ['0-1', '7']}
    """
    layers: dict[str, list[str]] = {}
    for part in slices:
        layer, _, span = part.removesuffix("]").rpartition("[")
        start, stop = map(int, span.split(":"))
        layers.setdefault(layer, []).append(str(start) if stop - start == 1 else f"{start}-{stop - 1}")
    return layers
