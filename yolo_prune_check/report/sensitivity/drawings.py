"""The plots of a measurement of sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from yolo_prune_check.report.plots import Curve, curves, heat_map, svg
from yolo_prune_check.report.sensitivity.words import percent
from yolo_prune_check.run.sensitivity_record import Sensitivity, UnitRecord

_LINES: Final = 4
"""Lines in each of two panels; all in one where there are no more than in both."""


def drop_map(found: Sensitivity) -> str:
    """All units by ratio, in the order of the network; cells without a number are unsafe."""
    rows = [unit.name for unit in found.units]
    cells = [[None if point.drop is None else _hundredths(point.drop) for point in unit.points] for unit in found.units]
    what = f"drop of {found.dense.budgeted_name} × 100"
    drawn = heat_map(rows, [percent(ratio) for ratio in found.ratios], cells, x="channels removed", what=what)
    return svg(drawn, outlines=False)


def _hundredths(drop: float) -> float:
    """With as many digits as are shown, and no zero below zero."""
    return round(drop * 100, 2) + 0.0


def drop_curves(found: Sensitivity) -> str | None:
    """Drop over ratio of the units that cost least and most; None where nothing could be run."""
    known = sorted((unit for unit in found.units if unit.known), key=lambda unit: (unit.mean_drop, unit.name))
    if not known:
        return None
    if len(known) <= 2 * _LINES:
        lines = _lines(known, "")
    else:
        lines = [*_lines(known[:_LINES], "cost least"), *_lines(known[-_LINES:], "cost most")]
    ticks = [(0.0, "0"), *((ratio, percent(ratio)) for ratio in found.ratios)]
    return svg(curves(lines, x="channels removed", y=f"drop of {found.dense.budgeted_name}", ticks=ticks))


def _lines(units: Sequence[UnitRecord], panel: str) -> list[Curve]:
    return [
        Curve(
            (0.0, *(point.ratio for point in unit.known)),
            (0.0, *(point.drop or 0.0 for point in unit.known)),
            (0.0,) * (len(unit.known) + 1),
            unit.name,
            unit.name,
            panel,
        )
        for unit in units
    ]
