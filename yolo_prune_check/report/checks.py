"""What was checked of a smaller model, and what went and stayed besides what was asked, for the page of a suite."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yolo_prune_check.report.figures import named, tick
from yolo_prune_check.report.markdown import NONE, code, columns, table, text
from yolo_prune_check.run.record import CheckRecord, LatencyRecord, StepRecord

_SLICE = re.compile(r"(.+)\[(\d+):(\d+)\]")


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
        lines.append(f"with it went, being tied to it: {named(_by_layer(step.added))}")
    if step.returned:
        lines.append(f"stayed after all, for symmetry or round widths: {named(_by_layer(step.returned))}")
    return lines


def _by_layer(slices: Sequence[str]) -> list[str]:
    """Channels given as ``layer[start:stop]``, one entry for each layer, as specs write them."""
    layers: dict[str, list[str]] = {}
    for part in slices:
        found = _SLICE.fullmatch(part)
        layer, start, stop = (part, 0, 0) if found is None else (found[1], int(found[2]), int(found[3]))
        layers.setdefault(layer, []).append(str(start) if stop - start == 1 else f"{start}-{stop - 1}")
    return [
        f"channel{'' if ranges[1:] == [] and ranges[0].isdigit() else 's'} {', '.join(ranges)} of {code(layer)}"
        for layer, ranges in layers.items()
    ]


def took_line(took: LatencyRecord) -> str:
    """How latency was measured."""
    threads = f", {took.threads} thread{'' if took.threads == 1 else 's'}" if took.device == "cpu" else ""
    runs = f"medians of {took.runs} alternating runs of each model"
    return f"{runs}, batch {took.batch}, {took.device}{threads}; on another machine it is another"
